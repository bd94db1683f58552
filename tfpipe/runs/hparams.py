"""What a run, or a trial of a search, says of itself in TensorBoard's HParams page.

An event file is written whole and under a name of its own, so that a TensorBoard that is open
already reads it, and a run that is resumed replaces what it has said of itself.
"""

import io
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfpipe.declare.labels import Value
from tfpipe.storage import storage, write_whole

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary

_STARTED, _ENDED = "1.started", "2.ended"


def session_started(folder: Path, values: Mapping[str, Value], name: str) -> None:
    """Write the values of a run; in one that is resumed or gone on with they stand already.

    Args:
        folder: its tensorboard/ folder.
        values: by the names of the ranges.
        name: the run's, as TensorBoard shows it.

    Raises:
        StorageError: when it cannot be written.
    """
    from tensorboard.plugins.hparams import summary_v2

    for file in _files(folder, _ENDED):
        file.unlink(missing_ok=True)
    if not is_session(folder):
        now = time.time()
        summary = summary_v2.hparams_pb(dict(values), trial_id=name, start_time_secs=now)
        write_summary(folder, _STARTED, summary, now)


def session_ended(folder: Path, ok: bool) -> None:
    """Write that a run has ended.

    Args:
        folder: its tensorboard/ folder.
        ok: whether it ended well.

    Raises:
        StorageError: when it cannot be written.
    """
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_SUCCESS if ok else api_pb2.STATUS_FAILURE
    now = time.time()
    ended = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=now)
    summary = hparams_summary(metadata.SESSION_END_INFO_TAG, session_end_info=ended)
    write_summary(folder, _ENDED, summary, now)


def is_session(folder: Path) -> bool:
    """Whether a run has written its values."""
    return bool(_files(folder, _STARTED))


def hparams_summary(tag: str, **data: Any) -> "Summary":
    """A summary that holds nothing but what the HParams page reads.

    TensorBoard's own function for the end of a session loads TensorFlow.

    Args:
        tag: of the summary.
        data: the field of `HParamsPluginData` that it holds.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    content = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(**data))
    summary = Summary()
    summary.value.add(tag=tag, metadata=content, tensor=metadata.NULL_TENSOR)
    return summary


def write_summary(folder: Path, kind: str, summary: "Summary", moment: float) -> None:
    """Write an event file of one summary, and take away the one of its kind that was there.

    Args:
        folder: where.
        kind: what the file's name ends with.
        summary: what it says.
        moment: when it was so, in seconds of Unix time.

    Raises:
        StorageError: when it cannot be written.
    """
    before = _files(folder, kind)
    content = _record(summary, moment)
    if before and before[-1].read_bytes() == content:
        return
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads whatever has `tfevents` in its name, and what is being written too.
        part = folder / f"hparams.{kind}.part"
        write_whole(part, content)
        os.replace(part, folder / f"events.out.tfevents.{time.time():017.6f}.hparams.{kind}")
        for file in before:
            file.unlink(missing_ok=True)


def _files(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.glob(f"events.out.tfevents.*.hparams.{kind}"))


def _record(summary: "Summary", moment: float) -> bytes:
    """The content of an event file: its version, and the summary."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    stream = io.BytesIO()
    writer = RecordWriter(stream)
    version = Event(wall_time=moment, file_version="brain.Event:2")
    for event in (version, Event(wall_time=moment, summary=summary)):
        writer.write(event.SerializeToString())
    return stream.getvalue()
