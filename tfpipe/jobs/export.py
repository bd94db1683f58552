"""Exporting a trained model with samples and statistics of its data."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import CheckFailed, ModelError, TfpipeError
from tfpipe.evaluation.predict import answers
from tfpipe.exports import litert, onnx
from tfpipe.exports.comparison import Comparison, compared, latency
from tfpipe.exports.continuations import continues_texts
from tfpipe.exports.contract import Origin, precision_of
from tfpipe.exports.float32 import in_float32
from tfpipe.exports.formats import LITERT_INT8, ONNX, ExportFormat
from tfpipe.exports.golden import GOLDEN, storable
from tfpipe.exports.parity import CONTRACT, litert_answers, onnx_answers
from tfpipe.exports.parity import GOLDEN as GOLDEN_FILE
from tfpipe.exports.saved_model import export, labels_of, proven, write_saved_model
from tfpipe.exports.training_statistics import statistics_of
from tfpipe.exports.versions import next_version
from tfpipe.jobs.predict.written import written_as
from tfpipe.tasks.task import Task
from tfpipe.training.datasets import dataset

if TYPE_CHECKING:
    import keras

HELD_OUT = 1000  # samples that other formats are compared on
_IMAGES, _ROWS = 2000, 20_000  # training samples that statistics are made of
_MIDDLE = 48  # pixels a side of the images that a network is compared on that answers with images
CALIBRATION = 200  # training samples that int8 is calibrated on


@dataclass(frozen=True)
class TrainedPipeline:
    """A trained model and its data, to be exported.

    Args:
        name: the run's.
        model: the trained keras.Model.
        task: what its outputs mean.
        pipeline: the declaration, its ranges resolved.
        spec: the element spec of its data.
        checkpoint: which weights the model has: "last" or "best".
        metrics: by split.
        generated: whether the data was.
    """

    name: str
    model: "keras.Model"
    task: Task
    pipeline: Pipeline
    spec: ElementSpec
    checkpoint: str
    metrics: dict[str, dict[str, float]]
    generated: bool = False

    @cached_property
    def split(self) -> str:
        """The split that training has seen least of."""
        return next(s for s in ("test", "validation", "train") if s in self.spec.splits)

    def held_out(self, most: int) -> tuple[dict[str, np.ndarray], Any]:
        """Return raw samples that training has not seen, by feature, and their labels."""
        return self._samples(self.split, self.pipeline.replace(augment=(), shuffle=False), most)

    def calibration(self) -> dict[str, np.ndarray]:
        """Return training samples by feature, for int8 to learn the ranges of."""
        return self._samples("train", self.pipeline.replace(augment=()), CALIBRATION)[0]

    def _samples(
        self, split: str, pipeline: Pipeline, most: int
    ) -> tuple[dict[str, np.ndarray], Any]:
        import tensorflow as tf

        found: list[tuple[dict[str, np.ndarray], Any]] = []
        rows = 0
        for x, y, *_ in dataset(pipeline, split):
            named = x if isinstance(x, dict) else {self.spec.features[0].name: x}
            arrays = {name: np.asarray(values) for name, values in named.items()}
            if self.spec.gives_images:  # of which each may have another size
                arrays = {name: _middle(values) for name, values in arrays.items()}
                y = np.zeros(len(x))
            found.append((arrays, tf.nest.map_structure(np.asarray, y)))
            rows += len(next(iter(arrays.values())))
            if rows >= most:
                break
        return tf.nest.map_structure(lambda *parts: np.concatenate(parts)[:most], *found)

    @cached_property
    def origin(self) -> Origin:
        """Where the export comes from, and what the training data is like."""
        data = self.pipeline.data
        most = _IMAGES if any(f.kind == "image" for f in self.spec.features) else _ROWS
        batches = dataset(self.pipeline.replace(augment=()), "train")
        return Origin(
            self.name,
            self.checkpoint,
            self.metrics,
            written_as(dict(data.items())) if data is not None else {},
            statistics_of(batches, self.spec, most),
            self.generated,
        )

    def saved_model(self, folder: Path) -> Path:
        """Write the next version of a SavedModel, and return its folder.

        Args:
            folder: of the versions.
        """
        samples, _ = self.held_out(GOLDEN)
        return export(self.model, self.task, self.spec, folder, samples, self.origin)

    def converted(
        self, to: ExportFormat, folder: Path, max_loss: float
    ) -> tuple[Path, dict[str, Any]]:
        """Write the next version of another format, proven beside the trained model.

        Both compute in float32: a model trained in bfloat16 has its weights in float32 too.

        Args:
            to: the format.
            folder: of its versions.
            max_loss: how much accuracy int8 may lose, as a share; of numbers, by what share their
                error may grow.

        Returns:
            the artefact, and what report.json says.

        Raises:
            CheckFailed: when it answers too differently; nothing is left behind.
            ModelError: when the format cannot hold the model.
            StorageError: when it cannot be written.
        """
        if self.spec.gives_images:
            raise ModelError(
                f"The format {to.name} would hold the answers for images of one size alone. Export "
                "it as a SavedModel."
            )
        if self.spec.finds_boxes:
            raise ModelError(
                f"The format {to.name} would hold the numbers of each anchor, and not the choice "
                "of boxes by them. Export it as a SavedModel."
            )
        if continues_texts(self.spec) or self.spec.translates:
            said = "translates a sentence" if self.spec.translates else "continues a text"
            raise ModelError(
                f"The format {to.name} would hold the answers for one window alone: neither the "
                f"vocabulary nor what {said}. Export it as a SavedModel."
            )
        report: dict[str, Any] = {}

        def write(version: Path) -> None:
            with tempfile.TemporaryDirectory() as temporary:
                saved = Path(temporary) / folder.name
                saved.mkdir()
                trained_in = precision_of(self.model)
                with in_float32(self.model):
                    report.update(self._convert(to, saved, version / to.file, max_loss))
                report["trained_in"] = trained_in
            (version / "report.json").write_text(json.dumps(report, indent=2) + "\n")

        try:
            return next_version(folder, write) / to.file, report
        except TfpipeError:
            for empty in (folder, folder.parent):  # what was made for nothing
                with contextlib.suppress(OSError):
                    empty.rmdir()
            raise

    def _convert(
        self, to: ExportFormat, saved: Path, file: Path, max_loss: float
    ) -> dict[str, Any]:
        """Convert, compare, attach the assets, and prove it; return what report.json says."""
        samples, labels = self.held_out(HELD_OUT)
        few = {name: values[:GOLDEN] for name, values in samples.items()}
        write_saved_model(self.model, self.task, self.spec, saved, few, self.origin, saved.name)
        if to is ONNX:
            onnx.convert(saved, file)
        else:
            litert.convert(saved, file, self.calibration() if to is LITERT_INT8 else None)
        ask = onnx_answers(file) if to is ONNX else litert_answers(file)
        plain = {name: storable(values) for name, values in samples.items()}
        alone: Any = next(iter(samples.values())) if len(samples) == 1 else samples
        trained = answers(self.model, self.task, alone)
        with litert.quiet():
            found = ask(plain)
        own = compared(self.task, trained, _answers_of(self.task, found), labels)
        report = self._report(to, own, file, saved, plain, ask)
        tolerance = _tolerance(to, own, max_loss)
        assets = {name: (saved / "assets" / name).read_bytes() for name in (GOLDEN_FILE, CONTRACT)}
        contract = json.loads(assets[CONTRACT]) | {"tolerance": tolerance, "format": to.name}
        assets[CONTRACT] = json.dumps(contract, indent=2).encode() + b"\n"
        assets |= {name: text.encode() for name, text in labels_of(self.spec).items()}
        (onnx.attach if to is ONNX else litert.attach)(file, assets)
        report["golden"] = proven(file)
        return report

    def _report(
        self,
        to: ExportFormat,
        own: list[Comparison],
        file: Path,
        saved: Path,
        samples: dict[str, np.ndarray],
        ask: Callable[[Any], Any],
    ) -> dict[str, Any]:
        import tensorflow as tf

        serve = tf.saved_model.load(str(saved)).signatures["serving_default"]
        one = {name: values[:1] for name, values in samples.items()}
        return {
            "format": to.name,
            "run": self.name,
            "checkpoint": self.checkpoint,
            "split": self.split,
            "outputs": [comparison.told() for comparison in own],
            "bytes": file.stat().st_size,
            "weight_bytes": sum(w.numpy().nbytes for w in self.model.weights),
            "milliseconds": latency(ask, one),
            "saved_model_milliseconds": latency(
                lambda a: serve(**{n: tf.constant(v) for n, v in a.items()}), one
            ),
        }


def _middle(images: np.ndarray) -> np.ndarray:
    """Return the middle of images, a square of 48 pixels; what is smaller is mirrored around."""
    lacking = [max(0, _MIDDLE - side) for side in images.shape[1:3]]
    around = [(short // 2, short - short // 2) for short in lacking]
    images = np.pad(images, [(0, 0), *around, (0, 0)], "symmetric")
    top, left = ((side - _MIDDLE) // 2 for side in images.shape[1:3])
    return images[:, top : top + _MIDDLE, left : left + _MIDDLE]


def _answers_of(task: Task, outputs: Mapping[str, np.ndarray]) -> Any:
    """Return answers as a task has them, of an artefact's outputs."""
    import tensorflow as tf

    tensors = {name: tf.constant(value) for name, value in outputs.items()}
    return tf.nest.map_structure(np.asarray, task.answers_of(tensors))


def _tolerance(to: ExportFormat, found: list[Comparison], max_loss: float) -> float:
    """Return how far golden answers may be; raise CheckFailed where held-out ones are too far."""
    for one in found:
        output = f" of {one.output}" if one.output else ""
        if to.tolerance is None:
            if not one.lost() <= max_loss:
                raise CheckFailed(
                    f"{to.name} loses too much{output}: {one.measure} {one.converted:.4g} instead "
                    f"of {one.trained:.4g} on {one.samples:,} held-out samples; --max-loss "
                    f"{max_loss:g} is allowed. It was not exported."
                )
        elif not one.largest_difference <= to.tolerance * one.scale:
            raise CheckFailed(
                f"{to.name} is not the trained model: an answer{output} differs by "
                f"{one.largest_difference:.3g} on {one.samples:,} held-out samples (at most "
                f"{to.tolerance * one.scale:.3g} is allowed). It was not exported."
            )
    if to.tolerance is not None:
        return to.tolerance * max(one.scale for one in found)
    # Another processor rounds int8 a little otherwise.
    return max(1.5 * one.largest_difference + 0.01 * one.scale for one in found)
