"""What can go wrong, as a person should read it.

    TfpipeError                    exit 2: the user's input is wrong
    ├── ConfigError (ValueError)       a declaration, an override, a Keras name or argument
    ├── PipelineFileError (ImportError)  a pipeline file that cannot be read as one
    ├── DataError (ValueError)         a data set that is missing, broken or does not fit
    ├── ModelError (ValueError)        a model that cannot be built from these sizes
    ├── DeviceError (RuntimeError)     a device or a TensorFlow that cannot be used
    ├── MissingDependency (ImportError)  a package of an extra that is not installed
    ├── RunError (LookupError)         a run that cannot be found or may not be touched
    ├── StorageError (OSError)         a root, a directory or a disk that cannot be written
    ├── TrainingError (ArithmeticError)  training that went wrong: a loss that is not a number
    ├── OutOfMemory (MemoryError)      a TrainingError: the memory is used up
    ├── CheckFailed (RuntimeError)     exit 3: a self-test failed, such as export parity
    └── Interrupted (RuntimeError)     exit 130: stopped by a person, with the state saved

Every message says what was received, what was expected and how to put it right.
"""

import difflib
import traceback
from collections.abc import Iterable

from tfpipe.text import either, listed


class TfpipeError(Exception):
    """The root of all errors that tfpipe raises on purpose."""

    exit_code = 2


class ConfigError(TfpipeError, ValueError):
    """A declaration, an override, or a Keras name or argument is wrong."""


class PipelineFileError(TfpipeError, ImportError):
    """A pipeline file is missing, does not import, or holds no pipeline that can be chosen."""


class DataError(TfpipeError, ValueError):
    """A data set is missing, unreachable, broken, or does not fit the declaration."""


class ModelError(TfpipeError, ValueError):
    """A model cannot be built from the sizes it was given."""


class DeviceError(TfpipeError, RuntimeError):
    """A device, or TensorFlow itself, cannot be used."""


class MissingDependency(TfpipeError, ImportError):
    """A package that only some users need is not installed."""


class RunError(TfpipeError, LookupError):
    """A run cannot be found, or may not be touched."""


class StorageError(TfpipeError, OSError):
    """A directory or a disk cannot be written."""


class TrainingError(TfpipeError, ArithmeticError):
    """Training cannot go on: its loss is not a finite number."""


class OutOfMemory(TrainingError, MemoryError):
    """The memory of the device, or of the computer, is used up."""


class CheckFailed(TfpipeError, RuntimeError):
    """A self-test failed: what was exported is not what was trained."""

    exit_code = 3


class Interrupted(TfpipeError, RuntimeError):
    """A person stopped the run; its state is saved."""

    exit_code = 130


def suggest(name: str, known: Iterable[str], *, most: int = 12) -> str:
    """A sentence that names what was probably meant, or what there is.

    Args:
        name: what was received.
        known: the names that would have been right.
        most: how many names to list when none is close.

    Example:
        >>> suggest("epoch", ["epochs", "seed"])
        "Did you mean 'epochs'?"
    """
    names = sorted(set(known))
    lowered = {n.lower(): n for n in reversed(names)}
    close = difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.6)
    if close:
        return f"Did you mean {either([repr(lowered[c]) for c in close])}?"
    if not names:
        return ""
    return f"There is: {listed(names, most)}."


def places(error: BaseException) -> list[tuple[str, int]]:
    """Return the file and line of each frame that an error passed, where it was raised last."""
    frames = [(f.filename, f.lineno or 1) for f in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((error.filename, error.lineno or 1))
    return frames
