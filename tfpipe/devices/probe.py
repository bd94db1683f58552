"""Trying what drivers may refuse, in whatever way."""

from collections.abc import Callable
from typing import Any

from tfpipe.errors import DeviceError


def tried(action: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """What an action gives, or the error of a device that does not work.

    Errors of tfpipe itself pass: they are about what was asked for, not about the device.
    """
    try:
        return action(), None
    except DeviceError:
        raise
    except Exception as error:  # noqa: BLE001 (drivers and clouds: OpError, OSError, ValueError...)
        return None, error


def first_line(error: Exception) -> str:
    """The part of an error that fits in a sentence."""
    lines = (line.strip().rstrip(".") for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)
