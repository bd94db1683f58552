"""What one operation of a model makes of an image: its values, and what they were made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Step:
    """An operation, for one image. A layer with an activation inside is two of them.

    Args:
        name: the layer's, with those of the models around it.
        kind: the class of the layer, or the function.
        form: which formula the page shows for it; "plain" for none.
        values: [height, width, channels] or [units] float32, as the model computed them.
        inputs: the steps before it.
        weights: the layer's arrays by name, float32.
        settings: its strides, padding and the like, as JSON has them.
        views: how many variants of the image the model has made of it; the values are of the first.
        followed_by: layers after it that change nothing when the model answers, such as dropout.
    """

    name: str
    kind: str
    form: str
    values: np.ndarray
    inputs: tuple[int, ...] = ()
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    views: int = 1
    followed_by: list[str] = field(default_factory=list)

    @property
    def maps(self) -> int:
        """How many activation maps it has; 0 for what is no maps but a row of numbers."""
        return self.values.shape[2] if self.values.ndim == 3 else 0


def modules(steps: list[Step]) -> list[str]:
    """Return the module of each step: a block of layers up to a pool, or the classifier's head.

    Args:
        steps: of a model, in order.
    """
    found, number, ended = list[str](), 1, False
    for step in steps:
        if step.form == "input":
            found.append("Input")
            continue
        if step.maps == 0:
            found.append("Classifier")
            continue
        number, ended = number + ended, step.form in ("maxpool", "avgpool")
        found.append(f"Module {number}")
    return found
