"""The contender `tfpipe run` of small problems: the shipped pipelines, timed."""

from typing import Any

from pipelines.boston_mlp import BostonMLP
from pipelines.churn_mlp import ChurnMLP
from pipelines.digits_mlp import DigitsMLP
from pipelines.playground import Playground
from pipelines.sine_mlp import SineMLP
from pipelines.wine_mlp import WineMLP
from tfpipe import Pipeline


class Timed(Pipeline):
    """Adds what writes down how long training takes."""

    def build_callbacks(self) -> list[Any]:
        from benchmarks.stopwatch import TrainingTime

        return [*super().build_callbacks(), TrainingTime()]


class Boston(Timed, BostonMLP): ...


class Churn(Timed, ChurnMLP): ...


class Digits(Timed, DigitsMLP): ...


class Circle(Timed, Playground): ...


class Sine(Timed, SineMLP): ...


class Wine(Timed, WineMLP): ...
