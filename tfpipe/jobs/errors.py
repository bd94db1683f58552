"""Errors of TensorFlow and of Python in our own words, where there are better ones."""

import re
from pathlib import Path

from tfpipe.errors import Interrupted, OutOfMemory, TfpipeError
from tfpipe.storage import disk_full


def as_known(error: BaseException, place: Path) -> BaseException:
    """Return the error itself, or one of ours that says what to do.

    Args:
        error: what training raised.
        place: the directory that was written, for a full disk.
    """
    if isinstance(error, TfpipeError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("Stopped at once; what was saved before is intact.")
    text = str(error)
    if "No space left on device" in text:
        return disk_full(place)
    if type(error).__name__ == "ResourceExhaustedError" or isinstance(error, MemoryError):
        first = next(iter(text.splitlines()), "")
        # without TensorFlow's names of operations and devices
        reason = re.sub(r"\{\{.*?\}\} ?| on /job:.*", "", first)
        return OutOfMemory(
            "The memory ran out. Use a smaller batch_size or model, or precision=bfloat16. "
            f"({reason or 'MemoryError'})"
        )
    return error
