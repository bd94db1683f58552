"""Where the states of recurrent layers begin that are carried from batch to batch."""

from typing import Any

import keras

from tfpipe.models.sequence.carried import (
    begin_held_out,
    begin_training,
    carried_layers,
    end_held_out,
)
from tfpipe.training.position import Position


class CarriedState(keras.callbacks.Callback):
    """Begins each epoch with zeros, and each validation with zeros of its own.

    Args:
        position: where training is: an epoch that is taken up in the middle has its state already.
    """

    def __init__(self, position: Position) -> None:
        super().__init__()
        self._position = position

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not self._position.step:
            begin_training(carried_layers(self.model))

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        begin_held_out(carried_layers(self.model))

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        end_held_out(carried_layers(self.model))
