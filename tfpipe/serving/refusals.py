"""Why a request is not answered: a status of HTTP and a sentence."""

from collections.abc import Mapping


class RequestRefused(Exception):
    """A request that is not answered with what it asks for.

    Args:
        status: the status of HTTP.
        message: what was received, what was expected.
        headers: headers of the answer.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def wrong(message: str) -> RequestRefused:
    """A request that is not right as it is: 400."""
    return RequestRefused(400, message)


def overloaded() -> RequestRefused:
    """More work than the queue holds: 503, to be tried again."""
    return RequestRefused(503, "The queue is full: try again in a second.", {"Retry-After": "1"})


def too_late() -> RequestRefused:
    """A request that has waited for longer than it may: 504."""
    return RequestRefused(504, "The deadline passed before the model had answered.")
