"""Stop a training of broken numbers, or one whose callbacks monitor what is not measured."""

import math
from typing import Any

import keras
import numpy as np

from tfpipe.errors import TrainingError
from tfpipe.training.compile import check_monitors
from tfpipe.training.position import Position


class Guard(keras.callbacks.Callback):
    """Guards the steps: the loss stays finite, and what callbacks monitor is measured.

    Args:
        position: kept up to date here, for all.
        watched: the callbacks whose `monitor` must be measured.
        validated: whether there is validation, so that val_ names will be measured.
    """

    def __init__(
        self,
        position: Position,
        watched: list[Any],
        validated: bool,
        measured_after: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self._position = position
        self._watched = watched
        self._validated = validated
        self._measured_after = measured_after

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        before = self._position.step
        self._position.after(batch)
        if self._watched:
            self._check_monitors(set(logs or {}))
        self._check_loss(float((logs or {}).get("loss", 0.0)), before + 1)
        self._check_rival(float((logs or {}).get("discriminator_loss", 0.0)))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for variable in self.model.trainable_variables:
            if not np.isfinite(np.sum(np.abs(keras.ops.convert_to_numpy(variable)))):
                raise TrainingError(
                    f"The weights {variable.path} are no longer finite numbers after epoch "
                    f"{epoch + 1}, though the loss is: one broken number in the data does that. "
                    "Look for it in the inputs, or lower optimizer.learning_rate."
                )
        if logs is not None:
            rate = self.model.optimizer.learning_rate
            logs["learning_rate"] = float(keras.ops.convert_to_numpy(rate))
            if self._position.phases.declared:
                logs["phase"] = float(self._position.phases.index + 1)

    def _check_loss(self, loss: float, first: int) -> None:
        """Refuse a loss that is no number after a call of steps, of which one is the first."""
        if not math.isfinite(loss):
            last = self._position.step
            steps = f"step {last}" if first >= last else f"one of the steps {first} to {last}"
            rivals = hasattr(self.model, "discriminator")
            what, weight = ("generator's loss", ", or model.weight") if rivals else ("loss", "")
            raise TrainingError(
                f"The {what} became {loss} in epoch {self._position.epoch + 1}, {steps}. The "
                "learning rate is probably too high: try optimizer.learning_rate=... a tenth of "
                f"it{weight}, or look for broken numbers in the data with tfpipe check."
            )

    def _check_rival(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"The discriminator's loss became {loss} in epoch {self._position.epoch + 1}, step "
                f"{self._position.step}, and the generator's is a number still: the discriminator "
                "has broken first. Lower optimizer.learning_rate, or model.weight."
            )

    def _check_monitors(self, names: set[str]) -> None:
        measured = names | {"learning_rate"}
        if self._validated:
            measured |= {f"val_{n}" for n in (*names, *self._measured_after)}
        check_monitors(self._watched, measured)
        self._watched = []
