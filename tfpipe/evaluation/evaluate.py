"""The metrics of a model on a whole split."""

from typing import Any

from tfpipe.models.sequence.carried import carried_over


def evaluate(model: Any, batches: Any) -> dict[str, float]:
    """Loss and metrics by name.

    Args:
        model: the compiled keras.Model.
        batches: a tf.data.Dataset of (features, label) batches.
    """
    with carried_over(model):
        metrics = model.evaluate(batches, verbose=0, return_dict=True)
    return {n: float(metrics[n]) for n in sorted(metrics, key=lambda name: (name != "loss", name))}
