"""Multilabel classification: several yes/no answers, a logit for each."""

from math import prod
from typing import TYPE_CHECKING

from tfpipe.declare.spec import Label
from tfpipe.tasks.logits import Sigmoid
from tfpipe.tasks.task import Task

if TYPE_CHECKING:
    import numpy as np


class Multilabel(Sigmoid, Task):
    """Several yes/no answers; the labels are columns of 0 and 1."""

    name = "multilabel"

    @classmethod
    def fits(cls, label: Label) -> bool:
        return label.kind == "multilabel"

    @classmethod
    def is_inferred(cls, label: Label) -> bool:
        return cls.fits(label)

    @classmethod
    def describe(cls, label: Label) -> str:
        return f"{len(label.classes)} yes/no answers"

    @classmethod
    def generate(cls, scores: "np.ndarray", rng: "np.random.Generator") -> "np.ndarray":
        return (scores > 0).astype("int64")

    @property
    def units(self) -> int:
        return prod(self.label.shape)
