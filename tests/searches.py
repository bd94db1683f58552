"""Searches made by hand: what is told of one, and what is done with one, needs no training."""

from datetime import datetime
from pathlib import Path
from typing import Any

from tfpipe.declare.loading import load
from tfpipe.tuning.space import space_of
from tfpipe.tuning.store import Search, SearchOptions, Trial, create_search

NOW = datetime(2026, 11, 21, 10, 15, 2)
NAME = "small/20261121-101502"
RATE, DROPOUT = "optimizer.learning_rate", "model.dropout"
RANGES = (
    f"{RATE}=hp.Float(0.01, min=0.001, max=0.1, log=True)",
    f"{DROPOUT}=hp.Float(0.25, min=0.0, max=0.5)",
)


def trial(number: str, objective: float | None = None, **more: Any) -> Trial:
    """A trial of `made`; finished where it has an objective, otherwise as `more` has it."""
    values = more.pop("values", {RATE: 0.01, DROPOUT: 0.25})
    state = "running" if objective is None else "finished"
    given: dict[str, Any] = {"state": state, "run": number, "epochs": 5}
    given["seconds"] = 0.0 if more.get("state", state) == "running" else 40.0
    if objective is not None:
        given |= {"epoch": 4, "metrics": {"val_accuracy": objective}}
    overrides = tuple(f"{name}={value}" for name, value in values.items())
    given = {"overrides": overrides, **given, **more}
    return Trial(number, values, objective=objective, **given)


def made(
    file: Path, *trials: Trial, root: Path | None = None, words: tuple[str, ...] = (), **asked: Any
) -> Search:
    """The search of a pipeline file with these trials in its directory.

    Args:
        file: the pipeline.
        trials: what is in trials/.
        root: the folder for searches/; that of the file when None.
        words: overrides besides the ranges of learning rate and dropout.
        asked: fields of `SearchOptions`.
    """
    loaded = load(str(file), (*RANGES, *words))
    space = space_of(loaded.pipeline).to_json()
    given = {"tuner": "bayesian", "trials": 12, "objective": "val_accuracy", "direction": "max"}
    asking = SearchOptions(**{**given, "seed": 0, **asked})
    search = create_search(root or file.parent, loaded, NOW, asking, space)
    for one in trials:
        one.write(search.folder(one.id))
    search.write_best()
    return search
