"""What differs between runs, as their records have it: declaration, data, environment, metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfpipe.declare.codec import in_module, show_json
from tfpipe.runs.changes import ABSENT, Fields, changed_code, differing, show_value, values_of
from tfpipe.runs.directory import RunDirectory
from tfpipe.text import number

Records = Mapping[str, Any]  # what config.json or environment.json says


@dataclass(frozen=True)
class Difference:
    """One thing of which runs have different values.

    Args:
        name: what it is.
        values: of each run, as JSON; `changes.ABSENT` where one has none.
        best: the places of the runs that have the best value; none where there is no better.
        measured: whether the values are measurements, and no settings.
    """

    name: str
    values: tuple[Any, ...]
    best: tuple[int, ...] = ()
    measured: bool = False

    def cells(self) -> list[str]:
        """The values as a table shows them."""
        return [
            (f"{v:,.0f}" if v >= 1e4 else number(v))
            if self.measured and v is not ABSENT
            else show_value(v)
            for v in self.values
        ]

    def to_json(self, letters: Sequence[str]) -> dict[str, Any]:
        """The values by the letters of the runs, without those that have none."""
        pairs = zip(letters, self.values, strict=True)
        known = {letter: value for letter, value in pairs if value is not ABSENT}
        best = {"best": [letters[place] for place in self.best]} if self.best else {}
        return {"name": self.name, "values": known, **best}


def declared_differences(configs: Sequence[Records]) -> list[Difference]:
    """Return the smallest fields that differ, ranges resolved.

    A field that the tfpipe of some run had not is no difference where the others have its default.
    """
    every = [config["fields"] for config in configs]
    declarations: list[Fields] = [values_of(fields) for fields in every]
    for name in {name for fields in every for name in fields}:
        having = [fields[name] for fields in every if name in fields]
        if len(having) < len(every) and all(e.get("origin") == "default" for e in having):
            for declaration in declarations:
                declaration.pop(name, None)
    return [
        Difference(name, tuple(fields.get(name, ABSENT) for fields in declarations))
        for name in differing(declarations)
    ]


def code_differences(runs: Sequence[RunDirectory], configs: Sequence[Records]) -> list[Difference]:
    """Return the functions and methods whose code is not that of the first run's file.

    Runs of different classes have no code in common, and none is compared.
    """
    files = [run.path / "pipeline.py" for run in runs]
    if len({config["class"] for config in configs}) > 1 or not all(f.is_file() for f in files):
        return []
    found: dict[str, list[str]] = {}
    for place, file in enumerate(files):
        for change in changed_code(files[0], file):
            there = "its own" if change.was == "other code" else change.was
            states = found.setdefault(change.name, [there, *["the same"] * (len(files) - 1)])
            states[place] = change.now
    return [Difference(name, tuple(states)) for name, states in sorted(found.items())]


def data_differences(configs: Sequence[Records]) -> list[Difference]:
    """Return what differs in the data: source, sizes, features, labels, generated or not."""
    return _unequal([_data_facts(config) for config in configs])


def data_summary(config: Records) -> str:
    """Return the data of a run in a sentence's words: `CSV, 6,300 train, 700 validation`."""
    facts = _data_facts(config)
    sizes = [f"{v} {n.partition(' ')[0]}" for n, v in facts.items() if n.endswith(" samples")]
    return ", ".join([str(facts["source"]), *sizes])


def environment_differences(environments: Sequence[Records]) -> list[Difference]:
    """Return what differs in versions, machine, device, strategy, precision and commit."""
    return _unequal([_environment_facts(environment) for environment in environments])


def metric_differences(
    metrics: Sequence[Mapping[str, Mapping[str, float]]],
    rising: Mapping[str, bool] | None,
) -> list[Difference]:
    """Return every metric of every split, the same ones too, with the best marked.

    Args:
        metrics: of each run, by split.
        rising: whether a metric is better the higher it is, of those that can be compared; None
            where none can.
    """
    names = dict.fromkeys(
        (s, n) for of_run in metrics for s, found in of_run.items() for n in found
    )
    order = {"test": 0, "validation": 1, "train": 2}
    found = []
    for split, name in sorted(names, key=lambda pair: order.get(pair[0], 3)):
        values = [of_run.get(split, {}).get(name) for of_run in metrics]
        known = [v for v in values if v is not None and v == v]
        best: tuple[int, ...] = ()
        if rising is not None and name in rising and len(set(known)) > 1:
            chosen = max(known) if rising[name] else min(known)
            best = tuple(place for place, value in enumerate(values) if value == chosen)
        shown = (ABSENT if value is None else value for value in values)
        found.append(Difference(f"{split} {name}", tuple(shown), best, measured=True))
    return found


def labels_differ(configs: Sequence[Records], letters: Sequence[str]) -> str:
    """Return why the scores of runs cannot be compared; empty where they can.

    Args:
        configs: their config.json.
        letters: what they are called.
    """
    spoken: dict[str, list[str]] = {}
    for letter, config in zip(letters, configs, strict=True):
        spoken.setdefault(_labels(config), []).append(letter)
    if len(spoken) < 2:
        return ""
    said = [f"{', '.join(letters)}: {labels}" for labels, letters in spoken.items()]
    return "The runs answer different questions, and their scores are not compared. " + "; ".join(
        said
    )


def _labels(config: Records) -> str:
    task = config.get("pipeline", {}).get("task", "auto")
    labels = [_label(label) for label in config.get("spec", {}).get("labels", ())]
    named = "" if task == "auto" else f" as {show_json(task)}"
    return ", ".join(labels) + named


def _label(label: Mapping[str, Any]) -> str:
    if label.get("parts"):
        return ", ".join(f"{part['name']}: {_label(part)}" for part in label["parts"])
    kinds = {"class": "one of", "multilabel": "any of", "real": "real numbers"}
    kind, classes = kinds.get(label["kind"], label["kind"]), label.get("classes") or ()
    shown = ", ".join(classes[:12]) + (
        f" and {len(classes) - 12} more" if len(classes) > 12 else ""
    )
    shape = [f"of shape {tuple(label['shape'])}"] if label.get("shape") else []
    return " ".join(filter(None, [kind, shown, *shape]))


def _data_facts(config: Records) -> dict[str, Any]:
    pipeline, spec = config.get("pipeline", {}), config.get("spec", {})
    declared = in_module(config["fields"].get("data", {}).get("value") or {}, "")
    kind = str(declared.get("part", "input_fn")).rpartition(".")[2]
    place = declared.get("name") or declared.get("path") or declared.get("load")
    labels = spec.get("labels", ())
    shares = [declared.get(split) for split in ("validation", "test")]
    drawn = any(isinstance(share, float) for share in shares)
    return {
        "source": f"{kind} {show_json(place).lstrip(':')}" if place else kind,
        "generated": f"in place of {config.get('stands_for')}" if config.get("sample") else "no",
        **{f"{split} samples": f"{size:,}" for split, size in spec.get("splits", {}).items()},
        **({"seed of the split": pipeline.get("seed")} if drawn else {}),
        **{f"input {f['name']}": _feature(f) for f in spec.get("features", ())},
        **{f"label {label['name']}": _label(label) for label in labels},
        **{f"classes of {label['name']}": len(label.get("classes") or ()) for label in labels},
    }


def _feature(feature: Mapping[str, Any]) -> str:
    shape = " x ".join(map(str, feature["shape"]))
    return " ".join(filter(None, [feature["kind"], shape, feature["dtype"]]))


def _environment_facts(environment: Records) -> dict[str, Any]:
    names = ("tfpipe", "python", "platform", "processor", "cores", "device", "strategy", "replicas")
    git = environment.get("git") or {}
    changed = " with changes" if git.get("changed") else ""
    return {
        **{name: environment[name] for name in (*names, "precision") if name in environment},
        **environment.get("packages", {}),
        **({"commit": f"{git['commit'][:10]}{changed}"} if "commit" in git else {}),
    }


def _unequal(facts: Sequence[Mapping[str, Any]]) -> list[Difference]:
    names = dict.fromkeys(name for of_run in facts for name in of_run)
    rows = [Difference(n, tuple(of_run.get(n, ABSENT) for of_run in facts)) for n in names]
    return [row for row in rows if any(value != row.values[0] for value in row.values)]
