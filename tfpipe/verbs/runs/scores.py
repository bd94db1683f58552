"""Whether the scores of runs differ by more than chance, by the answers that they keep."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tfpipe.declare.codec import from_json
from tfpipe.devices import start_tensorflow
from tfpipe.errors import TfpipeError
from tfpipe.runs.changes import field_changes
from tfpipe.runs.differences import Records
from tfpipe.runs.directory import RunDirectory
from tfpipe.text import counted, listed

if TYPE_CHECKING:
    from tfpipe.evaluation.paired_answers import Paired
    from tfpipe.evaluation.predictions import Predictions
    from tfpipe.evaluation.significance import Bootstrap, McNemar
    from tfpipe.tasks import Task

_SPLITS = ("test", "validation")  # the first that all of them keep answers to is compared


@dataclass(frozen=True)
class Score:
    """Whether a run is better than the first one by more than chance.

    Args:
        first: the letter of the first run.
        second: the letter of the other one.
        output: which of several outputs; empty where there is one.
        split: whose samples were compared.
        pairs: how many samples both answered.
        sizes: how many each of them answered.
        result: what was found; None where nothing could be compared.
        verdict: the same in a sentence, or why there is none.
    """

    first: str
    second: str
    output: str
    split: str
    pairs: int
    sizes: tuple[int, int]
    result: "McNemar | Bootstrap | None"
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        result = None
        if self.result is not None:
            result = {**asdict(self.result), "significant": self.result.significant}
        return {**vars(self), "sizes": list(self.sizes), "result": result}


def compare_scores(
    runs: Sequence[RunDirectory], configs: Sequence[Records], letters: Sequence[str]
) -> tuple[list[Score], list[str]]:
    """Compare the answers that each run keeps with those of the first one, output by output.

    Args:
        runs: two or more, of one kind of label.
        configs: their config.json.
        letters: what they are called.

    Returns:
        What was found, and what a person must not overlook.
    """
    kept = [[s for s in _SPLITS if (r.path / "predictions" / f"{s}.npz").is_file()] for r in runs]
    split = next((s for s in _SPLITS if all(s in splits for splits in kept)), "")
    if not split:
        return [], [_nothing_kept([a for a, s in zip(letters, kept, strict=True) if not s])]
    start_tensorflow()
    from tfpipe.evaluation.paired_answers import pair
    from tfpipe.evaluation.predictions import Predictions
    from tfpipe.tasks import task_for
    from tfpipe.tasks.several import Several

    try:
        task = task_for(from_json(configs[0]["spec"]), configs[0]["pipeline"]["task"])
        answers = [Predictions.load(run.path / "predictions" / f"{split}.npz") for run in runs]
    except TfpipeError as error:
        return [], [f"The answers that are kept cannot be compared: {error}"]
    outputs = task.parts if isinstance(task, Several) else {"": task}
    scores: list[Score] = []
    for config, letter, others in list(zip(configs, letters, answers, strict=True))[1:]:
        for output, part in outputs.items():
            names, both = (letters[0], letter), (answers[0], others)
            paired, result = pair(*both, output), None
            if len(paired):
                result, verdict = _compared(part, both, output, paired, names, len(runs) - 1)
                verdict += _partly(paired, names, split)
            else:
                verdict = (
                    f"{letter} and {letters[0]} have no sample of the {split} split in common, so "
                    "nothing says whether their scores differ by more than chance: "
                    f"{_why_unpaired((configs[0], config), paired)}."
                )
            verdict = f"{output}: {verdict}" if output else verdict
            scores.append(Score(*names, output, split, len(paired), paired.sizes, result, verdict))
    return scores, _notes(len(runs) - 1, answers)


def _compared(
    task: "Task",
    both: "tuple[Predictions, Predictions]",
    output: str,
    paired: "Paired",
    names: tuple[str, str],
    comparisons: int,
) -> "tuple[McNemar | Bootstrap | None, str]":
    """Return what was found of two models, and the same in sentences."""
    from tfpipe.evaluation.paired_answers import compare_answers

    first, second = (answers.outputs[output] for answers in both)
    try:
        result = compare_answers(task, first, second, paired, comparisons)
    except NotImplementedError as error:
        return None, f"{names[1]} and {names[0]} are not compared: {error}"
    if result is None:
        return None, f"{names[1]} and {names[0]} are not compared: no answer is a number."
    verdict = result.sentence(*names)
    if result.samples < len(paired):
        lost = counted(len(paired) - result.samples, "sample")
        verdict += f" {lost} with an answer that is no number left out."
    return result, verdict


def _nothing_kept(lacking: Sequence[str]) -> str:
    unknown = "so nothing says whether the scores differ by more than chance."
    if not lacking:
        return f"There is no split whose answers all of them keep, {unknown}"
    return (
        f"No answers are kept of {listed(lacking)}, {unknown} They are kept at the end of a run, "
        "and by tfpipe evaluate RUN."
    )


def _notes(comparisons: int, answers: "Sequence[Predictions]") -> list[str]:
    notes = []
    if comparisons > 1:
        notes.append(
            f"{comparisons} comparisons are made at once: a difference counts as more than chance "
            f"only where it is {comparisons} times as rare as for one (Bonferroni)."
        )
    if any(found.weights is not None for a in answers for found in a.outputs.values()):
        notes.append("Samples have weights; in the comparison each counts once.")
    return notes


def _partly(paired: "Paired", names: tuple[str, str], split: str) -> str:
    """Say how many samples were compared, where it is not all of them."""
    if paired.sizes == (len(paired), len(paired)):
        return ""
    other = f"; {paired.relabelled:,} more have other labels" if paired.relabelled else ""
    return (
        f" Compared on {counted(len(paired), 'sample')}, those in the {split} split of both: "
        f"{names[0]} has {paired.sizes[0]:,}, {names[1]} {paired.sizes[1]:,}{other}."
    )


def _why_unpaired(configs: tuple[Mapping[str, Any], Mapping[str, Any]], paired: "Paired") -> str:
    """Say what makes the samples of two runs others."""
    if paired.relabelled:
        return f"{paired.relabelled:,} are the same and have other labels"
    if configs[0]["sample"] != configs[1]["sample"]:
        return "the data of one of them was generated"
    changes = field_changes(configs[0]["fields"], configs[1]["fields"])
    deciding = [c for c in changes if c.name.partition(".")[0] in ("data", "seed")]
    if deciding:
        return f"they differ in {listed((f'{c.name} ({c.was} -> {c.now})' for c in deciding), 3)}"
    return "the samples are not the same, although the data is declared alike"
