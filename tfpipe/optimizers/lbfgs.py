"""LBFGS: steps by SciPy's L-BFGS, for models that paint a picture."""

from collections.abc import Callable
from typing import Any, NoReturn

import keras
import numpy as np

from tfpipe.errors import ConfigError

_PRECISION = 10.0  # times that of a float64, relative to the loss


@keras.saving.register_keras_serializable(package="tfpipe")
class LBFGS(keras.optimizers.Optimizer):
    """A step is one call of SciPy's L-BFGS-B, which begins anew; it keeps nothing between steps.

    It is for models that paint a picture, such as StyleTransfer: a network of many weights, whose
    loss is another in each batch, is nothing for it.

    Args:
        evaluations: of the loss and its gradient in a step.

    Example:
        optimizer = optimizers.LBFGS(evaluations=20)
    """

    def __init__(self, evaluations: int = 20, learning_rate: float = 1.0, **options: Any) -> None:
        super().__init__(learning_rate=learning_rate, **{"name": "lbfgs", **options})
        if self.gradient_accumulation_steps:
            raise ValueError("L-BFGS takes whole steps: leave gradient_accumulation out")
        self.evaluations = evaluations

    def minimize(
        self, function: Callable[[np.ndarray], tuple[float, np.ndarray]], start: np.ndarray
    ) -> np.ndarray:
        """Return where a function of numbers is smaller, as far as a step comes.

        Args:
            function: gives its value and its gradient, [numbers], at a place.
            start: [numbers] the place to begin at.
        """
        from scipy.optimize import fmin_l_bfgs_b

        # SciPy's thresholds are for losses of about 1, and these are of any size.
        place, *_ = fmin_l_bfgs_b(
            function, start, maxfun=self.evaluations, pgtol=0.0, factr=_PRECISION
        )
        self.iterations.assign_add(1)
        return np.asarray(place)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> NoReturn:
        raise ConfigError(
            "optimizers.LBFGS is for models that paint a picture, such as StyleTransfer. Use "
            "keras.optimizers.Adam() for a network."
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "evaluations": self.evaluations}
