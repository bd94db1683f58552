"""Starting TensorFlow: exactly one of it, without its chatter, the same each time."""

import contextlib
import importlib.metadata
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from tfpipe.errors import DeviceError, MissingDependency

DISTRIBUTIONS = (
    "tensorflow",
    "tensorflow-cpu",
    "tensorflow-rocm",
    "tensorflow-tpu",
    "tensorflow-intel",
    "tf-nightly",
)


def installed() -> dict[str, str]:
    """The installed TensorFlow distributions and their versions."""
    versions = {}
    for name in DISTRIBUTIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def check_installed(versions: Mapping[str, str]) -> tuple[str, str] | None:
    """What is wrong with the installed TensorFlow distributions, and the repair; None when right.

    Args:
        versions: the distributions and their versions, as `installed` gives them.
    """
    if not versions:
        return (
            "TensorFlow is not installed",
            "Install it with: pip install 'tfpipe[tf]' (CPU), or 'tfpipe[cuda]' for an NVIDIA GPU.",
        )
    if len(versions) > 1:
        names, (first, version) = " ".join(versions), next(iter(versions.items()))
        return (
            f"{len(versions)} TensorFlow packages are installed over each other: "
            f"{', '.join(f'{n} {v}' for n, v in versions.items())}",
            f"Repair it with: pip uninstall -y {names} && pip install '{first}=={version}'",
        )
    return None


def start_tensorflow() -> Any:
    """The TensorFlow module, imported once and quietly, which has seen the devices.

    Raises:
        MissingDependency: when no TensorFlow is installed.
        DeviceError: when two are installed over each other, or it does not import.
    """
    tf = import_tensorflow()
    _see_devices(tf)
    return tf


@cache
def _see_devices(tf: Any) -> None:
    """Ask the drivers once in a process, quietly, whoever has imported TensorFlow there."""
    with _quiet():
        tf.config.list_physical_devices()  # the drivers have their say on stderr


def import_tensorflow() -> Any:
    """The TensorFlow module, imported once and quietly, which has asked no driver for a device.

    So its process can be forked: a driver that was asked does not outlive that.

    Raises:
        MissingDependency: when no TensorFlow is installed.
        DeviceError: when two are installed over each other, or it does not import.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    versions = installed()
    if wrong := check_installed(versions):
        raise (DeviceError if versions else MissingDependency)(". ".join(wrong))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import tensorflow as tf
        except ImportError as error:
            raise DeviceError(f"TensorFlow does not import: {error}") from error
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)
    return tf


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what C++ prints on standard error, and show it only when the block fails.

    TensorFlow logs before its own log level applies, so the file descriptor is held back.
    """
    if os.environ.get("TFPIPE_DEBUG"):
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            captured.seek(0)
            os.write(2, captured.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
