"""The search in TensorBoard's HParams page: `tensorboard --logdir SEARCH`.

The ranges and the metrics stand in the search's tensorboard/ folder, and the values of each trial
in its run's, whose train/ and validation/ folders hold the metrics.

An event file is written whole and under a name of its own, so that a TensorBoard that is open
already reads it, and a trial that is resumed replaces what it has said of itself.
"""

import io
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfpipe.declare.hp import Float, Int
from tfpipe.declare.labels import Value
from tfpipe.storage import storage, write_whole
from tfpipe.training.reporting import SETTINGS
from tfpipe.tuning.dimension import Dimension, dimensions_of
from tfpipe.tuning.store import Search

_STARTED, _ENDED, _EXPERIMENT = "1.started", "2.ended", "0.experiment"


def write_config(search: Search) -> None:
    """Write the ranges, and the metrics that the trials so far have measured.

    Nothing is written where the same stands there already.

    Args:
        search: which.

    Raises:
        StorageError: when it cannot be written.
    """
    from tensorboard.plugins.hparams import api_pb2, metadata

    experiment = api_pb2.Experiment(
        name=search.name,
        hparam_infos=[_hparam(dimension) for dimension in dimensions_of(search.space)],
        metric_infos=[_metric(name) for name in _metrics(search)],
        time_created_secs=search.began,
    )
    summary = _summary(metadata.EXPERIMENT_TAG, experiment=experiment)
    _write(search.directory.tensorboard, _EXPERIMENT, summary, search.began)


def trial_started(folder: Path, values: Mapping[str, Value], name: str) -> None:
    """Write the values of a trial; in one that is resumed or gone on with they stand already.

    Args:
        folder: the tensorboard/ folder of its run.
        values: by the names of the ranges.
        name: the trial's, as TensorBoard shows it.

    Raises:
        StorageError: when it cannot be written.
    """
    from tensorboard.plugins.hparams import summary_v2

    for file in _files(folder, _ENDED):
        file.unlink(missing_ok=True)
    if not _files(folder, _STARTED):
        now = time.time()
        summary = summary_v2.hparams_pb(dict(values), trial_id=name, start_time_secs=now)
        _write(folder, _STARTED, summary, now)


def trial_ended(folder: Path, ok: bool) -> None:
    """Write that a trial has ended.

    Args:
        folder: the tensorboard/ folder of its run.
        ok: whether it ended well.

    Raises:
        StorageError: when it cannot be written.
    """
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_SUCCESS if ok else api_pb2.STATUS_FAILURE
    now = time.time()
    ended = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=now)
    summary = _summary(metadata.SESSION_END_INFO_TAG, session_end_info=ended)
    _write(folder, _ENDED, summary, now)


def _hparam(dimension: Dimension) -> Any:
    from tensorboard.plugins.hparams import api_pb2, summary_v2

    domain: Any
    if isinstance(dimension.range, Float):
        domain = summary_v2.RealInterval(dimension.range.min, dimension.range.max)
    elif isinstance(dimension.range, Int):
        domain = summary_v2.IntInterval(dimension.range.min, dimension.range.max)
    else:
        domain = summary_v2.Discrete(dimension.range.labels)
    # Its column is shown from the start.
    info = api_pb2.HParamInfo(name=dimension.name, differs=True)
    domain.update_hparam_info(info)
    return info


def _metrics(search: Search) -> list[str]:
    """The objective, the losses, and what the trials have measured beside them."""
    known = [name for trial in search.trials() for name in trial.metrics]
    names = dict.fromkeys([search.options.objective, "val_loss", "loss", *known])
    return [name for name in names if name not in SETTINGS]


def _metric(name: str) -> Any:
    from tensorboard.plugins.hparams import summary_v2

    plain = name.removeprefix("val_")
    validation = plain != name
    metric = summary_v2.Metric(
        f"epoch_{plain}",
        group="validation" if validation else "train",
        display_name=name,
        dataset_type=summary_v2.Metric.VALIDATION if validation else summary_v2.Metric.TRAINING,
    )
    return metric.as_proto()


def _summary(tag: str, **data: Any) -> Any:
    """A summary that holds nothing but what the HParams page reads.

    TensorBoard's own function for the end of a session loads TensorFlow.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    content = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(**data))
    summary = Summary()
    summary.value.add(tag=tag, metadata=content, tensor=metadata.NULL_TENSOR)
    return summary


def _files(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.glob(f"events.out.tfevents.*.hparams.{kind}"))


def _write(folder: Path, kind: str, summary: Any, moment: float) -> None:
    """Write an event file of one summary, and take away the one of its kind that was there."""
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


def _record(summary: Any, moment: float) -> bytes:
    """The content of an event file: its version, and the summary."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    stream = io.BytesIO()
    writer = RecordWriter(stream)
    version = Event(wall_time=moment, file_version="brain.Event:2")
    for event in (version, Event(wall_time=moment, summary=summary)):
        writer.write(event.SerializeToString())
    return stream.getvalue()
