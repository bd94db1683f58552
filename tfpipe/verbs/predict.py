"""`tfpipe predict`: what is in pictures, by a pretrained network as it is or by a run's model."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from tfpipe import runs
from tfpipe.data.layouts import SUFFIXES, images_below
from tfpipe.declare.deferred import check_signatures
from tfpipe.declare.kinds import ModelBuilder
from tfpipe.declare.loading import Loaded, from_instance, load, shown
from tfpipe.declare.origins import COMMAND_LINE, PYTHON, origins
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.declare.tree import from_json, resolve
from tfpipe.devices import pick, start_tensorflow
from tfpipe.errors import ConfigError, DataError, ModelError, RunError, suggest
from tfpipe.terminal import Silent, Terminal
from tfpipe.verbs.stopped import Stopped, read_stopped, redeclare

_BATCH, _BATCH_BYTES = 32, 64_000_000


@dataclass(frozen=True)
class Answer:
    """What a model says of a file.

    Args:
        file: the file, as it was named or found.
        values: the names of the answers with their values, the most probable first.
        error: why there is no answer; empty where there is one.
    """

    file: str
    values: tuple[tuple[str, float], ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Predictor:
    """A model that is ready to answer.

    Args:
        name: the pipeline's or the run's.
        model: the keras.Model.
        head: what its logits mean (`tfpipe.models.heads.Head`).
        spec: what it reads and what its answers are called.
        notes: what a person must not overlook about the answers.
    """

    name: str
    model: Any
    head: Any
    spec: ElementSpec
    notes: tuple[str, ...] = ()

    @property
    def has_probabilities(self) -> bool:
        """Whether the answers are probabilities of classes; else they are real numbers."""
        return bool(self.head.task != "regression")

    def answers(self, files: Iterable[str], top: int = 5) -> Iterator[Answer]:
        """What the model says of each file, in order; those that cannot be read have an error.

        However many there are, a few are in memory at a time: while some are computed, the next
        are read.

        Args:
            files: image files.
            top: how many answers of each to give.
        """
        rest = iter(files)
        size = max(1, min(_BATCH, _BATCH_BYTES // self._feature.nbytes))
        with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as threads:
            reading: list[tuple[str, Future[Any]]] = []
            while chunk := list(islice(rest, size)):
                before, reading = reading, [(f, threads.submit(self._read, f)) for f in chunk]
                yield from self._answer(before, top)
            yield from self._answer(reading, top)

    @property
    def _feature(self) -> Feature:
        return self.spec.feature

    @cached_property
    def _decode(self) -> Any:
        """The decoding of a file's bytes, which runs without Python, so that threads help."""
        import tensorflow as tf

        from tfpipe.data.images import decode

        signature = [tf.TensorSpec([], tf.string)]
        return tf.function(lambda encoded: decode(encoded, self._feature), signature)

    def _read(self, file: str) -> Any:
        """The pixels of a file, or what is wrong with it."""
        import tensorflow as tf

        from tfpipe.data.decoding import shape_of

        try:
            return self._decode(tf.constant(Path(file).read_bytes()))
        except (OSError, tf.errors.OpError):
            found = shape_of(Path(file))
            return found if isinstance(found, str) else f"has {found[2]} channels"

    def _answer(self, reading: Sequence[tuple[str, "Future[Any]"]], top: int) -> Iterator[Answer]:
        import tensorflow as tf

        from tfpipe.evaluation.predict import answers

        read = [(file, future.result()) for file, future in reading]
        images = [found for _, found in read if not isinstance(found, str)]
        rows = iter(answers(self.model, self.head, tf.stack(images)) if images else ())
        for file, found in read:
            if isinstance(found, str):
                yield Answer(file, error=found)
            else:
                yield Answer(file, self._named(next(rows), top))

    def _named(self, row: Any, top: int) -> tuple[tuple[str, float], ...]:
        """The answers of a file by name, the most probable first."""
        values = [float(value) for value in row]
        if not self.has_probabilities:
            name = self.spec.label.name
            names = [name] if len(values) == 1 else [f"{name}[{i}]" for i in range(len(values))]
            return tuple(zip(names, values, strict=True))
        if self.head.task == "binary":
            values = [1.0 - values[0], values[0]]
        named = zip(self.spec.classes, values, strict=True)
        return tuple(sorted(named, key=lambda pair: -pair[1])[:top])


def predict(
    target: str | Pipeline | Loaded,
    paths: Iterable[str],
    *,
    overrides: Iterable[str] = (),
    top: int = 5,
    root: str | Path = ".",
) -> list[Answer]:
    """What a model says of image files.

    Args:
        target: a pipeline file whose network needs no training, such a pipeline, or a run.
        paths: image files, and folders, in which they are searched for.
        overrides: `a.b=value` texts for a pipeline file.
        top: how many classes of each file to give.
        root: the folder with runs/.

    Raises:
        TfpipeError: when there is no such model, or it would be random, or there are no files. A
            file that cannot be read is no error: its answer says why.
    """
    files, _ = find_files(paths)
    found = predictor(target, overrides=overrides, root=root)
    return list(found.answers(files, top))


def predictor(
    target: str | Pipeline | Loaded,
    *,
    overrides: Iterable[str] = (),
    root: str | Path = ".",
    terminal: Terminal | None = None,
) -> Predictor:
    """The model that a person means; see `predict`. `terminal` is told what is slow."""
    terminal = terminal or Silent()
    if isinstance(target, Pipeline):
        return _of_pipeline(from_instance(target), terminal)
    if isinstance(target, Loaded):
        return _of_pipeline(target, terminal)
    if "::" in target or target.endswith(".py"):
        return _of_pipeline(load(target, overrides), terminal)
    if given := tuple(overrides):
        raise ConfigError(
            f"{given[0]}: a run has its values already. Leave it out, or name a pipeline file."
        )
    return _of_run(read_stopped(_run(target, Path(root))), terminal)


def find_files(paths: Iterable[str]) -> tuple[list[str], list[str]]:
    """The image files that are named or lie in folders, and notes on what was left out.

    Raises:
        DataError: for a path that does not exist, or when there is no image at all.
    """
    files: list[str] = []
    notes: list[str] = []
    for given in paths:
        path = Path(given).expanduser()
        if not path.exists():
            near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
            raise DataError(f"There is no file or folder {given!r}. {suggest(path.name, near)}")
        if not path.is_dir():
            files.append(str(path))
            continue
        found = _below(path)
        files += [str(path / name) for name in found]
        others = sum(len(names) for _, _, names in os.walk(path)) - len(found)
        if others > 0:
            them = "1 file that is" if others == 1 else f"{others:,} files that are"
            notes.append(f"{given}: {them} hidden or no images left out.")
    if not files:
        kinds = ", ".join(s.removeprefix(".") for s in SUFFIXES)
        raise DataError(f"There is no image in {', '.join(paths)}; looked for {kinds}.")
    return files, notes


def _below(folder: Path) -> list[str]:
    try:
        return images_below(folder)
    except OSError as error:
        raise DataError(f"{error.filename or folder} cannot be read: {error.strerror}.") from None


# A declaration


def _of_pipeline(loaded: Loaded, terminal: Terminal) -> Predictor:
    """The model of a declaration whose network needs no training."""
    from tfpipe.models.heads import head_for

    pipeline: Pipeline = resolve(loaded.pipeline)
    builder = _needs_no_training(loaded, pipeline)
    assert pipeline.data is not None
    spec = ElementSpec(*pipeline.data.element())
    _check_images(spec, loaded.name)
    builder.check(spec)
    with terminal.waiting("starting TensorFlow"):
        start_tensorflow()
    from tfpipe.models.own import check_width

    check_signatures(pipeline)
    picked = pick(pipeline.device)
    head = head_for(spec, pipeline.task)
    with terminal.waiting("building the model"), picked.strategy.scope():
        model = builder.build(spec, pipeline.task)
    _check_trained(loaded, model)
    check_width(model, head, f"{loaded.name}'s network")
    builder.check_samples(model, spec, _any_images(spec.feature))
    return Predictor(loaded.name, model, head, spec, _random(loaded, builder))


def _needs_no_training(loaded: Loaded, pipeline: Pipeline) -> ModelBuilder:
    """The builder of a network that can answer as it is; raises ModelError for others.

    What the built model shows as well is asked before: weights may have to be fetched for it.
    """
    builder = pipeline.model
    pretrained = hasattr(builder, "weights") or hasattr(builder, "handle")
    if builder is None or pipeline.data is None or not pretrained:
        raise _untrained(loaded)
    if getattr(builder, "head", "imagenet") not in ("imagenet", None):
        raise _untrained(loaded)
    if getattr(builder, "weights", "") is None and not _asked(loaded, "model.weights"):
        raise ModelError(
            f"{_shown(loaded)} declares weights=None, so its answers would be random. Declare "
            "weights='imagenet' or weights=PATH."
        )
    return builder


def _check_trained(loaded: Loaded, model: Any) -> None:
    """Refuse a model with weights beside those of its pretrained base: nobody trained them."""
    from tfpipe.models.base import base_of

    base = base_of(model)
    pretrained = base.weights if base is not None else []
    if len(pretrained) != len(model.weights):
        raise _untrained(loaded)


def _any_images(feature: Feature) -> Any:
    """Images as files give them, by which a builder finds what is declared of them wrongly."""
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (4, *feature.shape), np.uint8)


def _untrained(loaded: Loaded) -> ModelError:
    return ModelError(
        f"{_shown(loaded)} declares a model that must be trained first: now its answers would be "
        f"random. Train it with tfpipe run {_shown(loaded)}, then use tfpipe predict last PATH... "
        "A network that answers without training is declared with head='imagenet'."
    )


def _random(loaded: Loaded, builder: ModelBuilder) -> tuple[str, ...]:
    if getattr(builder, "weights", "") is not None:
        return ()
    return ("weights=None: the network is random, and these answers mean nothing.",)


def _asked(loaded: Loaded, name: str) -> bool:
    """Whether a person gave a value now, beside the file."""
    return origins(loaded).get(name) in (COMMAND_LINE, PYTHON)


def _shown(loaded: Loaded) -> str:
    return shown(loaded.path) if loaded.path else loaded.name


# A run


def _run(target: str, root: Path) -> runs.RunDirectory:
    try:
        return runs.find(root, target)
    except RunError as error:
        if Path(target).exists():
            raise ConfigError(
                f"{target} is neither a pipeline file nor a run. Expected is tfpipe predict "
                f"FILE|RUN PATH..., such as tfpipe predict last {target}"
            ) from None
        raise error


def _of_run(stopped: Stopped, terminal: Terminal) -> Predictor:
    """The best model of a run."""
    from tfpipe.models.heads import head_for

    best = stopped.directory.checkpoints / "best.keras"
    if not best.is_file():
        raise RunError(
            f"{stopped.name} has no best model: it was stopped before the end of its first epoch. "
            f"Go on with tfpipe resume {stopped.name}"
        )
    spec = from_json(stopped.config["spec"])
    _check_images(spec, stopped.name)
    with terminal.waiting("starting TensorFlow"):
        start_tensorflow()
    with terminal.waiting("loading the model"):
        model = _loaded(best, stopped)
    head = head_for(spec, stopped.config["pipeline"]["task"])
    notes = []
    if stopped.sample:
        notes.append(
            f"{stopped.name} was trained on generated data, and these answers mean nothing."
        )
    return Predictor(stopped.name, model, head, spec, tuple(notes))


def _loaded(path: Path, stopped: Stopped) -> Any:
    """A saved model; one with layers of the person's own needs the file that defines them."""
    from tfpipe.models.saved import load_model

    try:
        return load_model(path)
    except ModelError:
        raise  # a TF-Hub module that is not there
    except (TypeError, ValueError):
        redeclare(stopped, (), None)
        return load_model(path)


def _check_images(spec: ElementSpec, name: str) -> None:
    """Refuse what does not read one image; raises DataError."""
    fitting = [f.kind == "image" and f.dtype == "uint8" for f in spec.features]
    if fitting != [True]:
        found = ", ".join(f"{f.name} ({f.kind}, {f.dtype})" for f in spec.features)
        raise DataError(f"{name} reads {found}; tfpipe predict gives it one image file at a time.")
