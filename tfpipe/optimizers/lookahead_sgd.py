"""LookaheadSGD: gradient descent whose weights return, now and then, to their slow average."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import keras

from tfpipe.errors import ConfigError

if TYPE_CHECKING:
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfpipe")
class LookaheadSGD(keras.optimizers.SGD):
    """SGD with a lookahead average (Zhang et al., 2019, arXiv:1907.08610) and rates by layer.

    Every few steps the slow weights move a part of the way to the weights, and the weights go where
    the slow ones are. How much of the slow weights is kept rises with the cube of the steps that
    are done, as in Jordan, 2024, arXiv:2404.00498: the average is short while much is learnt, and
    long at the end. The slow weights are variables of the optimizer, so that they are saved and
    restored with it, and all of it happens within the step.

    Args:
        learning_rate: the rate, or a schedule such as `Triangular`.
        momentum: of the gradients.
        nesterov: whether the step looks ahead along the momentum.
        every: steps from one average to the next; 0 for no average.
        keep: the share of the slow weights that is kept at the end of the training.
        rates: what the learning rate of some weights is multiplied by: factors by a pattern of
            their paths, such as {"*/beta": 64.0}, the first that fits. Weight decay stays as it is.
        total_steps: steps of the training; None for those of the pipeline that declares it.
        options: arguments of keras.optimizers.SGD.

    Raises:
        ValueError: for numbers that cannot be.
        ConfigError: for a pattern that fits no weight.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,  # a number, or a schedule of Keras, which publishes no types
        momentum: float = 0.0,
        nesterov: bool = False,
        every: int = 5,
        keep: float = 0.95**5,
        rates: Mapping[str, float] | None = None,
        total_steps: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, momentum=momentum, nesterov=nesterov, **options)
        if every < 0 or not 0 <= keep < 1:
            raise ValueError(
                f"every={every} should be a number of steps, or 0 for no average, and keep={keep} "
                "a share below 1."
            )
        if total_steps is not None and total_steps < 1:
            raise ValueError(f"total_steps={total_steps} should be 1 or more.")
        if wrong := [n for n, f in (rates or {}).items() if not isinstance(f, (int, float))]:
            raise ValueError(f"rates[{wrong[0]!r}] should be a number.")
        self.every, self.keep, self.total_steps = every, keep, total_steps
        self.rates = dict(rates or {})
        self._factors: list[float] = []
        self._slow: list[keras.Variable] = []

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        paths = [variable.path for variable in variables]
        for pattern in self.rates:
            if not any(fnmatchcase(path, pattern) for path in paths):
                raise ConfigError(
                    f"optimizer: rates has the pattern {pattern!r}, which fits no weight; there "
                    f"are {', '.join(paths)}."
                )
        self._factors = [
            next((f for p, f in self.rates.items() if fnmatchcase(path, p)), 1.0) for path in paths
        ]
        if self.every:
            self._slow = self.add_optimizer_variables(variables, "slow")

    def update_step(
        self, gradient: "tf.Tensor", variable: keras.Variable, learning_rate: "tf.Tensor"
    ) -> None:
        index = self._get_variable_index(variable)
        self.move(gradient, variable, learning_rate * self._factors[index], index)
        if not self.every:
            return
        if self.total_steps is None:
            raise ValueError("LookaheadSGD needs total_steps outside of a pipeline.")
        # Keras's `iterations` counts updates, and `total_steps` batches.
        slow, steps = self._slow[index], self._iterations + 1
        due = keras.ops.logical_or(steps % self.every == 0, steps == self.total_steps)
        kept = self.keep * (keras.ops.cast(steps, variable.dtype) / self.total_steps) ** 3
        # The first average is the weights themselves: until then the slow ones are zeros.
        kept = keras.ops.where(steps <= self.every, 0.0, kept)
        average = kept * slow + (1.0 - kept) * variable
        self.assign(slow, keras.ops.where(due, average, slow))
        self.assign(variable, keras.ops.where(due, average, variable))

    def move(
        self,
        gradient: "tf.Tensor",
        variable: keras.Variable,
        learning_rate: "tf.Tensor",
        index: int,
    ) -> None:
        """Take the step that comes before the average.

        Args:
            gradient: of the variable.
            variable: to move.
            learning_rate: its own.
            index: which of the optimizer's variables it is.
        """
        super().update_step(gradient, variable, learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "every": self.every,
            "keep": self.keep,
            "rates": self.rates,
            "total_steps": self.total_steps,
        }
