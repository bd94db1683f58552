"""Writing report.json, report.html and its figures."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfpipe.declare.origins import DEFAULT
from tfpipe.declare.tree import resolve
from tfpipe.evaluation.detection.sections import interval_of as boxes_interval
from tfpipe.evaluation.images_out.painted import painted_section
from tfpipe.evaluation.images_out.sections import interval_of
from tfpipe.evaluation.report.classes import scores_of as class_scores
from tfpipe.evaluation.report.judged import Judged
from tfpipe.evaluation.report.kinds import sections_of
from tfpipe.evaluation.report.network import maps_section, network_section
from tfpipe.evaluation.report.numbers import scores_of as number_scores
from tfpipe.evaluation.report.run import RunPage
from tfpipe.evaluation.report.sections import Section
from tfpipe.evaluation.report.tokens import continuations_section
from tfpipe.evaluation.report.tokens import scores_of as token_scores
from tfpipe.evaluation.samples import chosen
from tfpipe.evaluation.scores.baseline import (
    Baseline,
    constant_class,
    constant_number,
    linear,
)
from tfpipe.evaluation.scores.intervals import interval
from tfpipe.evaluation.scores.tokens import count, counted_baselines
from tfpipe.evaluation.verdict import Measured, by_heart, fit, how_good, painted, what_next
from tfpipe.jobs.report.answers import Answers, judged_outputs
from tfpipe.jobs.report.subject import Subject
from tfpipe.storage import storage, write_whole
from tfpipe.terminal import Terminal
from tfpipe.training.datasets import dataset

_TRAINING = 5000  # samples of the training split that baselines are fitted to


def write_report(
    subject: Subject,
    answers: Answers | None,
    metrics: Mapping[str, Mapping[str, float]],
    folder: Path,
    terminal: Terminal,
) -> dict[str, Any]:
    """Write report.json, report.html and its figures; return what report.json holds.

    Args:
        subject: the model and its data.
        answers: its answers; None where no split is held out.
        metrics: the final ones, by split.
        folder: the report's.
        terminal: told what is slow.

    Raises:
        StorageError: when they cannot be written.
    """
    judged = judged_outputs(subject, answers) if answers is not None else []
    with terminal.waiting("judging the answers"):
        by_output = [(one, sections_of(one)) for one in judged]
    with terminal.waiting("comparing with what is reached without a network"):
        columns = answers.traits.first() if answers is not None else {}
        each = (_measured(subject, one, columns, found) for one, found in by_output)
        measured = [m for m in each if m is not None]
    sections = [section for _, found in by_output for section in found]
    sections += continuations_section(subject.continuations)
    sections += painted_section(subject.pictures)
    sections += _model_sections(subject)
    verdict = _verdict(subject, measured)
    split = answers.split if answers is not None else "train"
    found_boxes = next((s.data for _, found in by_output for s in found if s.key == "boxes"), {})
    if found_boxes:  # which Keras does not measure
        own = {name: found_boxes[name] for name in ("map", "map50")}
        metrics = {**metrics, split: {**metrics.get(split, {}), **own}}
    data: dict[str, Any] = {"metrics": dict(metrics.get(split, {}))}
    for one, found in by_output:
        of_output = {section.key: section.data for section in found if section.key}
        data |= {one.output: of_output} if one.output else of_output
    report = {
        "run": subject.name,
        "split": split,
        "verdict": verdict,
        "baselines": [b._asdict() for m in measured for b in m.baselines],
        split: data,
        **{s.key: s.data for s in sections if s.key in ("network", "continuations")},
    }
    report = _plain(report)
    with storage(folder), terminal.waiting("drawing the report"):
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        write_whole(folder / "report.json", json.dumps(report, indent=1).encode() + b"\n")
        page = RunPage(
            subject.name,
            type(subject.pipeline).__name__,
            subject.facts,
            metrics,
            subject.rows,
            subject.best,
            verdict,
            sections,
            _fields(subject.fields),
            _environment(subject.environment),
            subject.notes,
        )
        write_whole(folder / "report.html", page.html(folder / "figures").encode())
    return report


def _measured(
    subject: Subject,
    judged: Judged,
    columns: Mapping[str, np.ndarray],
    sections: Sequence[Section],
) -> Measured | None:
    """How good answers are in one number, against which baselines; None where there is none."""
    task, split = judged.task, judged.split
    if judged.said is not None:
        said, size = judged.said, len(judged.said.true)
        exact = int(said.exact(said.said).sum())
        by_words = float(said.exact(said.word_by_word).mean())
        baselines = [Baseline("a dictionary, word by word,", by_words)]
        return Measured(split, size, exact / size, interval(exact, size), True, baselines)
    if judged.images is not None:
        likeness, given = judged.answered.answers, judged.images.likeness
        return Measured(
            split,
            len(likeness),
            float(likeness[:, 0].mean()),
            interval_of(likeness, given),
            shares=False,
            baselines=[Baseline(judged.images.baseline, float(given[:, 0].mean()))],
            measure="PSNR in dB",
            rises=True,
        )
    if task.judged_as == "boxes":
        at_50 = next(s.data["map50"] for s in sections if s.key == "boxes")
        around, size = boxes_interval(judged), len(judged.answered)
        return Measured(split, size, at_50, around, False, measure="mAP at 0.5", rises=True)
    if task.judged_as == "tokens":
        return _measured_tokens(subject, judged)
    features, labels = _training(subject, judged.output)
    rows = len(next(iter(columns.values()), ()))
    true = judged.answered.labels.reshape(len(judged.answered), -1)
    of_table = features if columns else {}
    if task.judged_as == "class" or (not task.judged_as and task.has_classes):
        scores = class_scores(judged)
        baselines = [constant_class(scores.classes, labels.reshape(-1).astype(int), scores.labels)]
        if of_table:
            trained, asked = (of_table, labels.reshape(-1)), (columns, scores.labels[:rows])
            baselines += filter(None, [linear(trained, asked, classes=True)])
        measures = (split, len(scores.labels), scores.accuracy, scores.interval, True)
    elif task.judged_as == "number":
        numbers = number_scores(judged)
        flat = labels.reshape(len(labels), -1)
        baselines = [constant_number(flat, true)]
        if judged.naive is not None:
            of_naive = judged.naive.errors(true).items()
            baselines += [Baseline(name, float(np.mean(errors))) for name, errors in of_naive]
        if of_table and flat.shape[1] == 1:
            asked = (columns, true[:rows, 0])
            baselines += filter(None, [linear((of_table, flat[:, 0]), asked, classes=False)])
        measures = (split, len(true), numbers.overall.mae, numbers.mae_interval(), False)
    else:
        return None
    return Measured(*measures, baselines)


def _measured_tokens(subject: Subject, judged: Judged) -> Measured:
    """The perplexity of a text's next tokens, beside what chance and counting reach."""
    scores, split = token_scores(judged), judged.split

    def windows(of: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return ((np.asarray(x), np.asarray(y)) for x, y, *_ in dataset(subject.pipeline, of))

    counted = count(windows("train"), len(judged.task.label.classes))
    return Measured(
        split,
        len(judged.answered),
        scores.perplexity,
        scores.interval(),
        shares=False,
        baselines=counted_baselines(counted, windows(split)),
        measure="perplexity",
    )


def _training(subject: Subject, output: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Features and labels of some training samples, as the model gets them but for augmentation."""
    plain = subject.pipeline.replace(augment=())
    spec, seen = subject.spec, 0
    columns: dict[str, list[np.ndarray]] = {f.name: [] for f in spec.features}
    small = all(f.kind not in ("image", "text") for f in spec.features)
    labels: list[np.ndarray] = []
    for x, y, *_ in dataset(plain, "train"):
        labels.append(np.asarray(y[output] if output else y))
        if small:
            named = x if isinstance(x, dict) else {spec.feature.name: x}
            for name, values in named.items():
                columns[name].append(np.asarray(values))
        seen += len(labels[-1])
        if seen >= _TRAINING:
            break
    joined = {n: np.concatenate(parts) for n, parts in columns.items() if parts}
    return joined, np.concatenate(labels)


def _model_sections(subject: Subject) -> list[Section]:
    import keras

    if not (isinstance(subject.model, keras.Model) and subject.task.keeps_model):
        return []  # of an export nothing is seen inside
    sections = [network_section(subject.model)]
    features = subject.spec.features
    if len(features) == 1 and features[0].kind == "image":
        split = next(s for s in ("test", "validation", "train") if s in subject.spec.splits)
        samples = chosen(dataset(subject.pipeline, split), [0], subject.spec)
        sections += maps_section(subject.model, samples[0][features[0].name])
    return sections


def _verdict(subject: Subject, measured: Sequence[Measured]) -> list[str]:
    if not subject.task.keeps_model:
        return painted(subject.rows)
    names = [f"{name}: " if name else "" for name in subject.outputs]
    sentences = [f"{n}{how_good(m)}" for n, m in zip(names, measured, strict=False)]
    state = "fits"
    if subject.rows:
        state, sentence = fit(subject.comparable, subject.best)
        sentences += filter(None, [sentence, by_heart(subject.comparable)])
    first, field, epochs = measured[0] if measured else None, "epochs", subject.pipeline.epochs
    if (tuned := subject.pipeline.fine_tune) is not None:
        field = f"fine_tune.phases.{len(tuned.phases) - 1}.epochs"
        epochs = resolve(tuned.phases[-1].epochs)
    longer = f"{field}={max(2 * epochs, 5)}"
    return [*sentences, what_next(state, first, longer, generated=subject.generated)]


def _fields(fields: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str, bool]]:
    return [
        (name, _short(entry.get("value")), str(entry.get("origin")), entry.get("origin") == DEFAULT)
        for name, entry in fields.items()
    ]


def _environment(environment: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name, value in environment.items():
        if name == "earlier" or value in (None, "", [], {}):
            continue
        nested = value if isinstance(value, dict) else {}
        found[name] = ", ".join(f"{n} {v}" for n, v in nested.items()) or _short(value)
    return found


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:159]}…"


def _plain(value: Any) -> Any:
    """The same as JSON has it: no number that is none, no array."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inside) for name, inside in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inside) for inside in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
