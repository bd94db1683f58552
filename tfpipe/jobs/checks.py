"""What is refused before the data is read: texts on a TPU, batches that do not divide."""

import logging

from tfpipe.boxes.average_precision import check_pycocotools
from tfpipe.declare.kinds import ModelBuilder
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.spec import ElementSpec
from tfpipe.devices import Picked
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models.custom import Custom
from tfpipe.models.images_out.gan import GAN
from tfpipe.models.pictures.deep_dream import DeepDream
from tfpipe.models.pictures.hub_style import HubStyle
from tfpipe.models.pictures.style_transfer import StyleTransfer

logger = logging.getLogger("tfpipe.verbs")


def check_strings(spec: ElementSpec, picked: Picked) -> None:
    """Refuse texts and categories on a TPU, which computes with numbers only."""
    words = [f.name for f in spec.features if f.dtype == "string"]
    if words and picked.kind == "tpu":
        raise ConfigError(
            f"{words[0]!r} holds texts, which the model looks up itself, and a TPU computes with "
            "numbers only. Use device=cpu or device=gpu."
        )


def check_answers(model: ModelBuilder, spec: ElementSpec) -> None:
    """Refuse a model of classes or numbers where images, or boxes, are to be answered with.

    Raises:
        ModelError: see above.
        MissingDependency: where boxes are, and what measures them is not installed.
    """
    if spec.gives_images and not model.makes_images:
        raise ModelError(
            f"{type(model).__name__} does not answer with an image, and those of the data should "
            "become others. Use EDSR, WDSR, SRCNN, SRResNet, UNet, GAN or Custom."
        )
    if spec.finds_boxes:
        check_pycocotools()
    if spec.finds_boxes and not (model.finds_boxes or isinstance(model, Custom)):
        raise ModelError(
            f"{type(model).__name__} does not find boxes, which the labels of the data are. Use "
            "SSD, which takes it as SSD(backbone=...) where it is a network of convolutions."
        )


def untrained_note(pipeline: Pipeline) -> str:
    """Return what a person must not overlook about a model that is used as it is; else nothing."""
    if pipeline.model is None or not pipeline.model.as_it_is:
        return ""
    return (
        f"Nothing was trained: {type(pipeline.model).__name__} finds boxes as it is. It has no "
        "loss, and the losses and errors of 0 mean nothing."
    )


def check_octaves(pipeline: Pipeline) -> None:
    """Refuse a dream with more epochs than octaves: an epoch is one of them."""
    model = pipeline.model
    if isinstance(model, DeepDream) and pipeline.epochs > model.octaves:
        raise ConfigError(
            f"DeepDream paints one octave an epoch, and epochs={pipeline.epochs} are more than "
            f"model.octaves={model.octaves}. Set epochs={model.octaves}, or more octaves."
        )


def among_replicas(pipeline: Pipeline, picked: Picked, size: int) -> Pipeline:
    """The pipeline as several replicas, or a TPU, can train it.

    A batch is divided among the replicas. A last batch that does not divide would count its samples
    more than others, so it is left out; a TPU needs every batch to have one size.

    Raises:
        ConfigError: for a batch size that does not divide.
    """
    from tfpipe.training.replicas import check_replicas

    replicas, batch = picked.replicas, pipeline.batch_size
    if replicas > 1 and isinstance(pipeline.model, GAN | StyleTransfer | DeepDream | HubStyle):
        raise ConfigError(
            f"{type(pipeline.model).__name__} trains on one device, and {picked.device} has "
            f"{replicas} replicas. Use device=cpu, or one GPU with device=gpu:0."
        )
    if replicas > 1:
        check_replicas(pipeline, picked.device)
    check_divides(batch, replicas, f"the {replicas} replicas of {picked.device}")
    uneven = not pipeline.steps_per_epoch and size % batch % replicas
    if (uneven or picked.kind == "tpu") and not pipeline.drop_remainder:
        logger.info(
            "The last %d samples of each epoch are left out: they do not divide among %d replicas.",
            size % batch,
            replicas,
        )
        return pipeline.replace(drop_remainder=True)
    return pipeline


def check_divides(batch_size: int, parts: int, among: str) -> None:
    """Refuse a batch that does not divide.

    Args:
        batch_size: samples in a step, over all parts together.
        parts: among how many it has to divide.
        among: what they are, for people: "2 workers".

    Raises:
        ConfigError: naming the nearest sizes that do.
    """
    if batch_size % parts:
        below = batch_size - batch_size % parts
        fitting = f"{below} or {below + parts}" if below else str(parts)
        raise ConfigError(
            f"batch_size={batch_size} does not divide among {among}: it is the size over all of "
            f"them. Use {fitting}."
        )
