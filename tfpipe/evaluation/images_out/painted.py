"""A picture that was painted, as it was after some epochs, side by side."""

import io
from collections.abc import Sequence
from pathlib import Path

from tfpipe.evaluation.report.sections import Card, Section

_SHOWN = 8
_SIDE = 480  # pixels at the most, of all but the last


def painted_section(files: Sequence[Path]) -> list[Section]:
    """Return the section that shows how a picture came to be; none without files.

    Args:
        files: the picture after each epoch, whose names end in the epoch's number.
    """
    if not files:
        return []
    shown = [*files]
    if len(files) > _SHOWN:  # a picture changes most at the beginning: after 1, 2, 5, 10, 20, ...
        early = [f for f in files[:-1] if str(_epoch(f)).rstrip("0") in ("1", "2", "5")]
        shown = [*early[: _SHOWN - 1], files[-1]]
    cards = tuple(_card(file, file is files[-1]) for file in shown)
    text = ("The picture that was painted, from the first epoch to the last.",)
    return [Section("picture", "The picture", text, cards=(("", cards),))]


def _card(file: Path, whole: bool) -> Card:
    from PIL import Image

    content = file.read_bytes()
    if not whole:
        with Image.open(io.BytesIO(content)) as image:
            image.thumbnail((_SIDE, _SIDE))
            smaller = io.BytesIO()
            image.save(smaller, "PNG")
            content = smaller.getvalue()
    epoch = _epoch(file)
    return Card(
        f"after epoch {epoch}", image=content, image_name=f"the picture after {epoch}", large=True
    )


def _epoch(file: Path) -> int:
    return int(file.stem.rpartition("_")[2])
