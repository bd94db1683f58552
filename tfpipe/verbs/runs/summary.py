"""What there is to say of a run in one line, and of all runs that are asked for."""

import contextlib
import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tfpipe.declare.codec import show_json
from tfpipe.errors import ConfigError, RunError, suggest
from tfpipe.runs.directory import RunDirectory, Status, began, list_runs
from tfpipe.storage import size_on_disk
from tfpipe.training.metrics_file import read_rows

STATES = ("running", "finished", "interrupted", "failed", "killed")
Values = dict[str, Any]  # of a run, by the names that --where and --sort know

_CONDITION = re.compile(r"\s*([\w.\[\]-]+)\s*(>=|<=|!=|==|=|>|<)\s*(.*?)\s*")


@dataclass(frozen=True)
class RunSummary:
    """A run in one line.

    Args:
        name: `pipeline/time`.
        directory: its folder.
        state: of `STATES`: a running one whose process is gone is killed.
        epoch: how many epochs are complete.
        step: how many steps of the next epoch are.
        parameters: the model's parameter count.
        metrics: the last metrics by split.
        message: what a person should know.
        exports: the SavedModels that were written.
        pipeline: the pipeline's name.
        began: when it was started, in ISO 8601, local time.
        seconds: how long its epochs took.
        bytes: what its directory holds.
    """

    name: str
    directory: str
    state: str
    epoch: int
    step: int
    parameters: int
    metrics: dict[str, dict[str, float]]
    message: str
    exports: tuple[str, ...]
    pipeline: str
    began: str
    seconds: float
    bytes: int


def summary(run: RunDirectory) -> RunSummary:
    """Return what there is to say of a run; raises RunError where its status cannot be read."""
    return _summary(run, run.status_so_far())


def runs(
    pattern: str = "*",
    *,
    states: Iterable[str] = (),
    where: Iterable[str] = (),
    since: float | None = None,
    sort: str = "time",
    limit: int | None = None,
    root: str | Path = ".",
    now: datetime | None = None,
) -> list[RunSummary]:
    """Return the runs that are asked for, the newest last unless `sort` says otherwise.

    Args:
        pattern: of the pipeline's name, such as "cifar*".
        states: of `STATES`; any when empty.
        where: conditions such as "test_accuracy>0.9" or "batch_size=32", all of which hold.
        since: only runs that were started within so many seconds.
        sort: "time", "size", "seconds", a metric such as "test_accuracy", or a field; the least
            first, with a "-" in front the greatest first. Runs without one are last.
        limit: how many at the most: the newest of those by time, the first ones of others.
        root: the folder that holds runs/.
        now: the time; that of the clock when None.

    Raises:
        ConfigError: for a condition that cannot be read, or a name that no run has.

    Example:
        runs("cifar*", states=["finished"], where=["test_accuracy>0.7"], sort="-test_accuracy")
    """
    conditions = [_condition(text) for text in where]
    now = now or datetime.now()
    found: list[tuple[RunSummary, Values]] = []
    for run in list_runs(Path(root)):
        try:
            status = run.status_so_far()
        except RunError as error:  # one that is broken does not hide all others
            status = Status("failed", message=str(error))
        about = _summary(run, status)
        found.append((about, _values(run, about)))
    known = {name for _, values in found for name in values}
    asked = [("--sort", sort.removeprefix("-")), *(("--where", c[0]) for c in conditions)]
    for option, name in asked:
        if found and name not in known:
            raise ConfigError(f"{option}: no run has {name!r}. {suggest(name, known)}")
    states, oldest = set(states), now - timedelta(seconds=since or 0.0)
    kept = [
        (about, values)
        for about, values in found
        if fnmatch.fnmatchcase(about.pipeline, pattern)
        and (not states or about.state in states)
        and (since is None or datetime.fromisoformat(about.began) >= oldest)
        and all(_holds(condition, values) for condition in conditions)
    ]
    if sort == "time":
        return [about for about, _ in kept[-limit if limit else 0 :]]
    return [about for about, _ in _sorted(kept, sort)[: limit or len(kept)]]


def _summary(run: RunDirectory, status: Status) -> RunSummary:
    about = asdict(status) | {"exports": status.exports}
    if status.state == "running" and not run.is_active():
        about["state"] = "killed"
        about["message"] = f"Its process is gone. Go on with: tfpipe resume {run.name}"
    return RunSummary(
        name=run.name,
        directory=str(run.path),
        pipeline=run.path.parent.name,
        began=began(run).isoformat(),
        seconds=round(sum(row.seconds for row in read_rows(run.metrics_file, 0)), 3),
        bytes=size_on_disk(run.path),
        **about,
    )


def _values(run: RunDirectory, about: RunSummary) -> Values:
    """Return what a run can be chosen and sorted by: its fields, metrics, state, size and time."""
    values: Values = {}
    with contextlib.suppress(RunError, AttributeError, TypeError, KeyError):
        fields = run.read_json("config.json").get("fields", {})
        values |= {name: entry["value"] for name, entry in fields.items()}
    for split, metrics in about.metrics.items():
        prefixes = {"train": ("", "train_"), "validation": ("val_", "validation_")}
        for prefix in prefixes.get(split, (f"{split}_",)):
            values |= {prefix + name: value for name, value in metrics.items()}
    own = {name: getattr(about, name) for name in ("name", "state", "epoch", "parameters")}
    return values | own | {"time": about.began, "size": about.bytes, "seconds": about.seconds}


def _condition(text: str) -> tuple[str, str, str]:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"--where {text!r} is no condition. Write a metric or a field, one of "
            "> >= < <= = !=, and a value: test_accuracy>0.9 or batch_size=32."
        )
    name, operator, value = match.groups()
    if operator in (">", ">=", "<", "<=") and _number(value) is None:
        raise ConfigError(
            f"--where {text!r}: {operator} compares numbers, and {value!r} is none. Use = or !=."
        )
    return name, operator, value


def _holds(condition: tuple[str, str, str], values: Values) -> bool:
    name, operator, wanted = condition
    if name not in values:
        return False
    value = values[name]
    number, other = _number(value), _number(wanted)
    if operator in ("=", "==", "!="):
        text = show_json(value)
        same = text.lower() == wanted.lower() or text.startswith(f"{wanted}(")
        same = same or (number is not None and number == other)
        return same != (operator == "!=")
    if number is None or other is None:
        return False
    return {
        ">": number > other,
        ">=": number >= other,
        "<": number < other,
        "<=": number <= other,
    }[operator]


def _sorted(
    kept: Sequence[tuple[RunSummary, Values]], sort: str
) -> list[tuple[RunSummary, Values]]:
    name, falling = sort.removeprefix("-"), sort.startswith("-")
    having = [pair for pair in kept if pair[1].get(name) is not None]
    numbers = all(_number(values[name]) is not None for _, values in having)

    def key(pair: tuple[RunSummary, Values]) -> tuple[float, str]:
        value = pair[1][name]
        return (_number(value) or 0.0, "") if numbers else (0.0, show_json(value))

    ordered = sorted(having, key=key, reverse=falling)
    return [*ordered, *(pair for pair in kept if pair[1].get(name) is None)]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None
