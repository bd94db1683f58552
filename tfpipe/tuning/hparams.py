"""The search in TensorBoard's HParams page: `tfpipe tensorboard SEARCH`.

The ranges and the metrics stand in the search's tensorboard/ folder, and the values of each trial
in its run's, whose train/ and validation/ folders hold the metrics; `tfpipe.runs.hparams` has them.
"""

from typing import Any

from tfpipe.declare.hp import Float, Int
from tfpipe.runs.hparams import hparams_summary, write_summary
from tfpipe.training.reporting import SETTINGS
from tfpipe.tuning.dimension import Dimension, dimensions_of
from tfpipe.tuning.store import Search

_EXPERIMENT = "0.experiment"


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
    summary = hparams_summary(metadata.EXPERIMENT_TAG, experiment=experiment)
    write_summary(search.directory.tensorboard, _EXPERIMENT, summary, search.began)


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
