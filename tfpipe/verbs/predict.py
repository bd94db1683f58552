"""`tfpipe predict`: what a model says of pictures, rows and texts, and how it continues them."""

from collections.abc import Iterable
from pathlib import Path

from tfpipe.declare.loading import Loaded, from_instance, load
from tfpipe.declare.pipeline import Pipeline
from tfpipe.errors import ConfigError, RunError
from tfpipe.jobs.predict.best_model import of_run
from tfpipe.jobs.predict.continuation import Asked, check_no_files, continuation
from tfpipe.jobs.predict.prediction import Prediction
from tfpipe.jobs.predict.predictor import Predictor
from tfpipe.jobs.predict.pretrained import of_declaration
from tfpipe.jobs.predict.served import find_saved_model, of_saved_model
from tfpipe.jobs.restore import read_stopped
from tfpipe.runs.directory import find_run
from tfpipe.tasks.detection import SHOWN
from tfpipe.terminal import Silent, Terminal


def predict(
    target: str | Pipeline | Loaded,
    paths: Iterable[str],
    *,
    overrides: Iterable[str] = (),
    top: int = 5,
    every: int = 1,
    signs: bool = False,
    beam: int | None = None,
    score: float = SHOWN,
    root: str | Path = ".",
) -> list[Prediction]:
    """What a model says of image files and clips, of the rows of files, or of texts.

    Args:
        target: a pipeline file whose network needs no training, such a pipeline, a run, or the
            folder of an exported SavedModel.
        paths: files, folders, in which files are searched for, patterns such as "photos/*.jpg",
            and "-" for standard input; CSV and JSON-lines files where the model reads rows, text
            files too where it reads a text; sentences where it translates.
        overrides: `a.b=value` texts for a pipeline file.
        top: how many classes of each to give.
        every: of a clip, one frame in so many.
        signs: whether each picture is a drawing or a photograph of one sign, such as a digit: its
            ink is cut out, scaled and centred as MNIST has it, light on dark.
        beam: how many translations a model that translates keeps at each place; 1 when None.
        score: of a model that finds boxes, the score that a box has to have.
        root: the folder with runs/ and saved_models/.

    Raises:
        TfpipeError: when there is no such model, or it would be random. What cannot be read is no
            error: its answer says why.
    """
    ready = predictor(target, overrides=overrides, root=root)
    check_no_files(ready)
    ready = ready if beam is None else ready.with_beam(beam)
    return list(ready.answers(paths, top, every, signs=signs, score=score))


def continue_text(
    target: str | Pipeline | Loaded,
    prompt: str,
    *,
    length: int = 50,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float = 1.0,
    seed: int = 0,
    root: str | Path = ".",
) -> str:
    """What a model makes of the beginning of a text: the prompt, and what follows it.

    Args:
        target: a run of the task "language", or the folder of an exported SavedModel.
        prompt: the beginning.
        length: how many tokens to say.
        temperature: 0 takes the most probable token each time; the higher, the more is chance.
        top_k: of how many of the most probable tokens one is drawn; None for all.
        top_p: of the most probable tokens, only as many as have this share of the probability.
        seed: decides what is drawn.
        root: the folder with runs/ and saved_models/.

    Raises:
        TfpipeError: when there is no such model, or it cannot continue such a prompt so.
    """
    asked = Asked(prompt, length, temperature, top_k, top_p, seed)
    return prompt + "".join(continuation(predictor(target, root=root), asked))


def predictor(
    target: str | Pipeline | Loaded,
    *,
    overrides: Iterable[str] = (),
    root: str | Path = ".",
    terminal: Terminal | None = None,
) -> Predictor:
    """The model that a person means; see `predict`.

    It is described at once, and loaded when it is first asked.

    Args:
        target: as for `predict`.
        overrides: as for `predict`.
        root: as for `predict`.
        terminal: told what is slow.
    """
    terminal = terminal or Silent()
    if isinstance(target, Pipeline):
        return of_declaration(from_instance(target), terminal)
    if isinstance(target, Loaded):
        return of_declaration(target, terminal)
    if "::" in target or target.endswith(".py"):
        return of_declaration(load(target, overrides), terminal)
    if given := tuple(overrides):
        raise ConfigError(
            f"{given[0]}: a trained model has its values already. Leave it out, or name a pipeline "
            "file."
        )
    try:
        run = find_run(Path(root), target)
    except RunError as error:
        if folder := find_saved_model(target, Path(root)):
            return of_saved_model(folder, terminal)
        if Path(target).exists():
            raise ConfigError(
                f"{target} is no pipeline file, run or SavedModel. Expected is tfpipe predict "
                f"FILE|RUN|MODEL PATH..., such as tfpipe predict last {target}"
            ) from None
        raise error
    return of_run(read_stopped(run), terminal)
