"""What a chief and its workers send each other: Keras Tuner's messages, and ours beside them.

Keras Tuner's CreateTrial and EndTrial carry a trial's number and status. They round what is
measured to single precision and leave out why a trial failed, so our record of it is what counts:
the chief writes it into the shared folder before CreateTrial answers, and it travels with EndTrial
as JSON in the call's metadata, for only the owner of a trial may change it.

/tfpipe.Search/Describe   which search this is
/tfpipe.Search/Alive      a worker is there; which of its trials are not its own any more
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from tfpipe.devices.startup import start_tensorflow
from tfpipe.errors import ConfigError
from tfpipe.tuning.stored import Search, Trial

VERSION = 1  # of what is said; both sides must have the same
SERVICE = "tfpipe.Search"
DESCRIBE, ALIVE = f"/{SERVICE}/Describe", f"/{SERVICE}/Alive"

_RECORD, _IDENTITY = "tfpipe-trial-bin", "tfpipe-search"  # a name in -bin may hold any bytes
_MOST, _MOST_METADATA = 4 << 20, 256 << 10  # bytes
_ADDRESS = re.compile(r"(?:(\[[0-9a-fA-F:.]+\]|[^\s:,/\[\]]+):)?(\d{1,5})")
_TRIAL = TypeAdapter(Trial)

# Of both sides.
OPTIONS = (
    ("grpc.max_send_message_length", _MOST),
    ("grpc.max_receive_message_length", _MOST),
    ("grpc.max_metadata_size", _MOST_METADATA),
    ("grpc.absolute_max_metadata_size", _MOST_METADATA),
)


def address(text: str, option: str) -> str:
    """HOST:PORT of what a person wrote; a port alone is one of this machine.

    Args:
        text: PORT or HOST:PORT.
        option: where it was written, such as "--chief".

    Raises:
        ConfigError: when it is neither.

    Example:
        >>> address("8000", "--chief")
        '127.0.0.1:8000'
    """
    found = _ADDRESS.fullmatch(text.strip())
    if not found or int(found[2]) > 65535:
        raise ConfigError(
            f"{option} {text} is no address. Write HOST:PORT, such as 10.0.0.5:8000, or for this "
            "machine alone a port, such as 8000."
        )
    return f"{found[1] or '127.0.0.1'}:{int(found[2])}"


def identity(search: Search) -> str:
    """What tells a search from all others, also from one of the same name in another root."""
    return hashlib.sha256(f"{search.name} {search.began!r}".encode()).hexdigest()[:16]


def keras_tuner_messages() -> tuple[Any, Any, Any]:
    """Keras Tuner's modules for its trials, for its requests and answers, and for its service."""
    start_tensorflow()
    from keras_tuner.src import protos
    from keras_tuner.src.engine import conditions

    # Parent.to_proto prints a value of every condition that it writes.
    vars(conditions)["print"] = _nothing
    return protos.get_proto(), protos.get_service(), protos.get_service_grpc()


def _nothing(*values: Any) -> None:
    """In the place of `print`."""


def packed(data: Any) -> bytes:
    """Something as the bytes of its JSON."""
    return json.dumps(data).encode()


def metadata(search: str, trial: Trial | None = None) -> tuple[tuple[str, str | bytes], ...]:
    """What goes with a call.

    Args:
        search: its identity.
        trial: the record of a trial.
    """
    record = () if trial is None else ((_RECORD, packed(asdict(trial))),)
    return ((_IDENTITY, search), *record)


def identity_of(received: Iterable[tuple[str, Any]] | None) -> str:
    """The search that a call is about; empty where it does not say."""
    return str(dict(received or ()).get(_IDENTITY, ""))


def trial_of(received: Iterable[tuple[str, Any]] | None) -> Trial:
    """The trial whose record came with a call.

    Raises:
        ValueError: when there is none, or it is none.
    """
    found = dict(received or ()).get(_RECORD)
    if found is None:
        raise ValueError("there is no record of a trial")
    return _TRIAL.validate_python(json.loads(found))
