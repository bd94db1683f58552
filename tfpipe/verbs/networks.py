"""Which networks a comparison is about, and the pipeline of each."""

from typing import Any

from tfpipe.declare.field_types import show
from tfpipe.declare.pipeline import Pipeline
from tfpipe.errors import ConfigError
from tfpipe.models.pretrained.application import Application
from tfpipe.models.pretrained.contracts import contract_of

# Those of the published comparison, in its order.
PUBLISHED = (
    *("DenseNet121", "DenseNet169", "DenseNet201"),
    *(f"EfficientNetB{number}" for number in range(8)),
    *("InceptionResNetV2", "InceptionV3"),
    *("MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small"),
    *("NASNetLarge", "NASNetMobile"),
    *("ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2", "ResNet152V2"),
    *("VGG16", "VGG19", "Xception"),
)
# The one network whose ImageNet weights Keras has for one size alone.
_ONE_SIZE = "NASNetLarge"


def chosen(text: str) -> tuple[str, ...]:
    """The networks that `--models` names: "all" for the published 28, or names with commas.

    Raises:
        ConfigError: for a name that keras.applications has not, or none at all.
    """
    if text.strip() == "all":
        return PUBLISHED
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise ConfigError(
            f"--models {text!r} names no network. Give all, or names such as "
            "MobileNetV2,EfficientNetB0."
        )
    for name in names:
        contract_of(name)
    return names


def check_comparable(pipeline: Pipeline) -> None:
    """Refuse a pipeline whose network cannot be exchanged; raises ConfigError."""
    cls, model = type(pipeline).__name__, pipeline.model
    if not isinstance(model, Application):
        got = "build_model()" if model is None else show(model)
        raise ConfigError(
            f"compare-models exchanges the network of model = Application(NAME, ...); {cls} has "
            f"{got}."
        )
    if model.head == "imagenet":
        raise ConfigError(
            f"compare-models trains a head on {cls}'s data, and head='imagenet' has none to train: "
            "leave it out."
        )
    if pipeline.data is not None and getattr(pipeline.data, "validation", "?") is None:
        raise ConfigError(
            f"compare-models goes by validation accuracy, and {cls}.data holds nothing out: "
            "declare data.validation=0.1 or another split."
        )


def with_network(pipeline: Pipeline, name: str) -> tuple[Pipeline, tuple[str, ...]]:
    """The pipeline with another network, and what had to be different for it.

    A width (`alpha`) is left out for a network that has one alone.

    Args:
        pipeline: one that `check_comparable` accepts.
        name: the network.

    Raises:
        ConfigError: where the other fields of the model do not fit the network.
    """
    model = pipeline.model
    assert isinstance(model, Application)
    network, notes = contract_of(name), []
    fields: dict[str, Any] = {n: v for n, v in model.items() if n in model._given} | {"name": name}
    if model.alpha is not None and not network.alphas:
        fields["alpha"] = None
        notes.append(f"without alpha={model.alpha:g}: it has one width")
    if name == _ONE_SIZE and model.weights == "imagenet":
        fields["size"] = (network.size, network.size)
        notes.append(f"at {network.size} pixels, the size that it has ImageNet weights for")
    # The short builders, such as VGG16, are of one network each.
    return pipeline.replace(model=Application(**fields)), tuple(notes)
