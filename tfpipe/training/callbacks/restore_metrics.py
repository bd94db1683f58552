"""Put back the metrics of the epoch that a run was stopped in."""

from typing import Any

import keras

from tfpipe.training import checkpoint


class RestoreMetrics(keras.callbacks.Callback):
    """Puts back the metrics of the epoch that a run was stopped in; an epoch resets them first.

    Args:
        saved: the state that the run goes on from.
    """

    def __init__(self, saved: checkpoint.Checkpoint) -> None:
        super().__init__()
        self._saved: checkpoint.Checkpoint | None = saved

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._saved is not None and self._saved.state.step:
            checkpoint.restore(self.model, self._saved, ("metrics",))
        self._saved = None
