"""What to try when training waits for its input."""

from typing import Any

from tfpipe.declare.pipeline import Pipeline, overrides

MUCH = 0.2
_SECONDS = 0.5  # less than this is the start of the input pipeline, not its speed


def input_advice(pipeline: Pipeline, row: Any) -> str:
    """A sentence for an epoch that waited for more than a fifth of its time; empty for others.

    Args:
        pipeline: the declaration.
        row: the epoch (`tfpipe.training.reporting.EpochRow`).
    """
    wait = row.input_wait
    if wait is None or wait <= MUCH or wait * row.seconds < _SECONDS:
        return ""
    tries = []
    if overrides(type(pipeline), "input_fn"):
        tries.append("num_parallel_calls and .prefetch(tf.data.AUTOTUNE) in input_fn")
    if pipeline.cache is not True:
        tries.append("cache=True, which keeps the decoded data in memory")
    if pipeline.augment:
        tries.append("fewer changes in augment")
    tries.append("a larger batch_size")
    listed = ", ".join(tries[:-1]) + (" or " if tries[:-1] else "") + tries[-1]
    return f"{wait:.0%} of epoch {row.epoch} was spent waiting for input: try {listed}."
