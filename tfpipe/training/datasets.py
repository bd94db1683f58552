"""The batches of a split, as training and evaluation take them."""

from typing import Any

import tensorflow as tf

from tfpipe.data.input_fn import RowsInMemory, steps_per_epoch
from tfpipe.data.sources.base import StoredSplits
from tfpipe.declare.pipeline import Pipeline, current_epoch, has_own_input
from tfpipe.declare.spec import ElementSpec
from tfpipe.devices.cluster.strategy import is_multi_worker
from tfpipe.errors import ConfigError, DataError
from tfpipe.training.weights import weighing

Shard = tuple[int, int]


def dataset(
    pipeline: Pipeline, split: str, epoch: int = 0, position: int = 0, shard: Shard = (0, 1)
) -> tf.data.Dataset:
    """Return the batches of a split, from the pipeline's own input_fn where it has one.

    Args:
        pipeline: the declaration, its ranges resolved.
        split: "train", "validation" or "test".
        epoch: which epoch's order.
        position: how many batches to leave out.
        shard: which part of each batch to make, from 0, and of how many; of declared data only.
    """
    batches = _batches(pipeline, split, epoch, position, shard)
    if split == "train" and (weigh := weighing(pipeline)):
        batches = batches.map(weigh, num_parallel_calls=tf.data.AUTOTUNE)
    # Workers divide an own input_fn's batches; by default each might get its own files.
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.with_options(options)


def distributed(
    pipeline: Pipeline,
    split: str,
    strategy: tf.distribute.Strategy,
    epoch: int = 0,
    position: int = 0,
) -> Any:
    """Return the batches of a split as a strategy's replicas take them, each its part.

    Of several workers each makes its own rows alone, which nobody has to tell it: an epoch's order
    is a pure function. An overridden input_fn makes all of them on every worker, and TensorFlow
    gives each its part.

    Args:
        pipeline: the declaration, its ranges resolved.
        split: "train", "validation" or "test".
        strategy: that of the model.
        epoch: which epoch's order.
        position: how many batches to leave out.

    Returns:
        A tf.distribute.DistributedDataset; for one replica a tf.data.Dataset.
    """
    declared = isinstance(pipeline.data, StoredSplits) and not has_own_input(pipeline)
    if not (declared and is_multi_worker(strategy)):
        batches = dataset(pipeline, split, epoch, position)
        return strategy.experimental_distribute_dataset(batches)
    return strategy.distribute_datasets_from_function(
        lambda worker: own_batches(pipeline, split, worker, epoch, position)
    )


def own_batches(
    pipeline: Pipeline,
    split: str,
    worker: tf.distribute.InputContext,
    epoch: int = 0,
    position: int = 0,
) -> tf.data.Dataset:
    """Return a worker's rows of each batch, in one part for each of its replicas.

    Every replica has a part of every batch, be it one without rows, so that no worker ends before
    the others and waits.
    """
    count = worker.num_replicas_in_sync
    own = count // worker.num_input_pipelines
    first = worker.input_pipeline_id * own
    parts = [dataset(pipeline, split, epoch, position, (first + i, count)) for i in range(own)]
    if own == 1:
        return parts[0]
    return tf.data.Dataset.choose_from_datasets(parts, tf.data.Dataset.range(own).repeat())


def _batches(
    pipeline: Pipeline, split: str, epoch: int, position: int, shard: Shard
) -> tf.data.Dataset:
    token = current_epoch.set(epoch)
    try:
        if not has_own_input(pipeline):
            return Pipeline.input_fn(pipeline, split, epoch, position, shard)
        own = pipeline.input_fn(split)
    finally:
        current_epoch.reset(token)
    if not isinstance(own, tf.data.Dataset):
        raise DataError(
            f"{type(pipeline).__name__}.input_fn({split!r}) should return a tf.data.Dataset of "
            f"batches, got {type(own).__name__}."
        )
    if split == "train" and pipeline.steps_per_epoch:
        own = own.repeat().take(pipeline.steps_per_epoch)
    return own.skip(position) if position else own


def rows_in_memory(pipeline: Pipeline, split: str) -> RowsInMemory | None:
    """Return a split's rows where they are in memory; None for an own input_fn and for streams.

    Args:
        pipeline: the declaration, its ranges resolved.
        split: "train", "validation" or "test".
    """
    if has_own_input(pipeline):
        return None
    assert pipeline.data is not None
    rows = pipeline.data.rows_in_memory(split, **pipeline.batch_options(split))
    assert rows is None or isinstance(rows, RowsInMemory)
    return rows


def steps_of(pipeline: Pipeline, spec: ElementSpec, batches: tf.data.Dataset) -> int:
    """Return how many steps an epoch has.

    Args:
        pipeline: the declaration, its ranges resolved.
        spec: the element spec of its data.
        batches: the training batches of an epoch.

    Raises:
        ConfigError: for several steps in one call over an unknown number of batches.
    """
    known = int(batches.cardinality())
    if known > 0:
        return known
    if pipeline.steps_per_execution not in ("auto", 1):
        raise ConfigError(
            f"steps_per_execution={pipeline.steps_per_execution} needs to know how many batches "
            "there are: end input_fn with .apply(tf.data.experimental.assert_cardinality(n)), or "
            'leave it at "auto".'
        )
    return steps_per_epoch(
        spec.splits["train"],
        pipeline.batch_size,
        pipeline.drop_remainder,
        pipeline.steps_per_epoch,
    )
