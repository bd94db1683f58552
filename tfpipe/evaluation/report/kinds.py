"""Which sections judge the answers of a task, by what it says that they are."""

from collections.abc import Callable

from tfpipe.evaluation.detection.sections import box_sections
from tfpipe.evaluation.images_out.sections import image_sections
from tfpipe.evaluation.report.classes import class_sections
from tfpipe.evaluation.report.judged import Judged
from tfpipe.evaluation.report.numbers import number_sections
from tfpipe.evaluation.report.sections import Section
from tfpipe.evaluation.report.tokens import token_sections
from tfpipe.evaluation.report.yes_no import yes_no_sections
from tfpipe.evaluation.translation.sections import translation_sections

KINDS: dict[str, Callable[[Judged], list[Section]]] = {
    "boxes": box_sections,
    "class": class_sections,
    "image": image_sections,
    "number": number_sections,
    "tokens": token_sections,
    "translation": translation_sections,
    "yes_no": yes_no_sections,
}


def sections_of(judged: Judged) -> list[Section]:
    """Return the sections on answers; none for a kind that nothing here judges."""
    task = judged.task
    build = KINDS.get(task.judged_as or ("class" if task.has_classes else ""))
    if build is None or not len(judged.answered):
        return []
    sections = build(judged)
    return sections + (judged.explainer.sections() if judged.explainer is not None else [])
