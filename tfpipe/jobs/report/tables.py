"""The tables that the terminal shows of a model's answers."""

import math
from collections.abc import Mapping
from typing import Any

from rich.markup import escape

from tfpipe.errors import MissingDependency
from tfpipe.evaluation.report.classes import scores_of as class_scores
from tfpipe.evaluation.report.judged import Judged
from tfpipe.evaluation.report.numbers import horizons
from tfpipe.evaluation.translation.bleu import check_sacrebleu
from tfpipe.jobs.report.answers import Answers, naive_of
from tfpipe.jobs.report.subject import Subject
from tfpipe.terminal import Terminal
from tfpipe.text import number

CLASSES_SHOWN = 20


def report_tables(report: Mapping[str, Any], terminal: Terminal) -> None:
    """Show what a report says of answers of a kind of its own.

    Args:
        report: as `write_report` returns it.
        terminal: where to.
    """
    split, found = report["split"], report[report["split"]]
    if "tokens" in found:
        _perplexity_table(report, terminal)
    if "translation" in found:
        _translation_table(split, found["translation"], terminal)
    if "images" in found:
        _images_table(split, found["images"], report["baselines"][0]["name"], terminal)
    if "boxes" in found:
        _boxes_table(split, found["boxes"], terminal)


def answer_tables(subject: Subject, answers: Answers, terminal: Terminal) -> None:
    """Show how each class did, of outputs that have few of them, and forecasts by steps ahead."""
    naive = naive_of(subject, answers.split)
    for output, task in subject.outputs.items():
        if task.has_classes and len(task.label.classes) <= CLASSES_SHOWN:
            answered = answers.predictions[answers.split].outputs[output]
            scores = class_scores(Judged(task, answered, answers.split))
            taken = {
                true: f"{said} ({times:,})" for true, said, times in scores.confused(10**6)[::-1]
            }
            rows = [
                (
                    row.name,
                    f"{row.samples:,}",
                    "" if math.isnan(row.recall) else f"{row.recall:.1%}",
                    taken.get(row.name, ""),
                )
                for row in scores.by_class
            ]
            terminal.say()
            terminal.table((output or "class", "samples", "right", "most often taken for"), rows)
        elif task.judged_as == "number" and naive is not None:
            answered = answers.predictions[answers.split].outputs[output]
            found = horizons(Judged(task, answered, answers.split, naive=naive))
            errors = {"mean absolute error": found.errors, **found.naive}
            steps = [(str(h), *(number(e[h - 1]) for e in errors.values())) for h in found.shown]
            terminal.say()
            terminal.table(("steps ahead", *errors), steps)
            terminal.say(found.scaled)


def _perplexity_table(report: Mapping[str, Any], terminal: Terminal) -> None:
    """The perplexity of a text's next tokens beside what is reached without a network."""
    split = report["split"]
    baselines = [(b["name"], number(b["score"])) for b in report["baselines"]]
    own = ("the model", number(report[split]["tokens"]["perplexity"]))
    terminal.say()
    terminal.table((split, "perplexity"), [own, *baselines])
    for line in report.get("continuations", {}).get("lines", ())[-1:]:
        text = f"{line['prompt']}{line['continuation']}"
        terminal.say()
        terminal.say(f"after epoch {line['epoch']}: [bold]{escape(text)}[/]")


def _images_table(split: str, found: Mapping[str, Any], baseline: str, terminal: Terminal) -> None:
    """How near images are to what they should be, beside what was given."""
    rows = [
        (
            name,
            f"{part['psnr']:.2f}",
            f"{part['ssim']:.4f}",
            "" if part["ms_ssim"] is None else f"{part['ms_ssim']:.4f}",
        )
        for name, part in (("the model", found["model"]), (baseline, found["baseline"]))
    ]
    terminal.say()
    terminal.table((f"images of {split}", "PSNR in dB", "SSIM", "MS-SSIM"), rows)


def _boxes_table(split: str, found: Mapping[str, Any], terminal: Terminal) -> None:
    """How well the objects of each class are found."""
    rows = [
        (name, f"{part['objects']:,}", *(_precision(part[n]) for n in ("map", "map50")))
        for name, part in found["by_class"].items()
    ]
    objects = sum(part["objects"] for part in found["by_class"].values())
    if len(rows) > CLASSES_SHOWN:  # those with most objects
        most = sorted(found["by_class"], key=lambda name: -found["by_class"][name]["objects"])
        rows = [row for row in rows if row[0] in most[:CLASSES_SHOWN]]
    if len(rows) > 1:
        rows.append(("all", f"{objects:,}", *(_precision(found[n]) for n in ("map", "map50"))))
    terminal.say()
    terminal.table((f"boxes of {split}", "objects", "mAP", "mAP at 0.5"), rows)


def _precision(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _translation_table(split: str, found: Mapping[str, Any], terminal: Terminal) -> None:
    """How good translations are."""
    rows = [
        (
            name,
            "not measured" if part["bleu"] is None else f"{part['bleu']:.3f}",
            f"{part['exact']:.1%}",
        )
        for name, part in (("the model", found), ("a dictionary", found["word_by_word"]))
    ]
    terminal.say()
    terminal.table((f"translations of {split}", "BLEU", "word for word"), rows)
    try:
        check_sacrebleu()
    except MissingDependency as error:
        terminal.note(str(error))
