"""Generated: small published tasks that need no data, because formulas and a seed make it."""

from typing import Literal

from tfpipe.data.columns import Columns
from tfpipe.data.sources.base import HeldOut, StoredSplits
from tfpipe.declare.field_types import Count, Positive
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import ConfigError

Task = Literal["circle", "xor", "gaussians", "spiral", "linear", "sine"]
Input = Literal["x", "y", "x_squared", "y_squared", "xy", "sin_x", "sin_y"]

_SIZES = {"linear": 1000, "sine": 1000}
_POINTS = 500
_ANSWERS = {"linear": "z", "sine": "value"}


class Generated(StoredSplits):
    """Rows of a small task that formulas and a seed make.

    "circle", "xor", "gaussians" and "spiral" are the points of the TensorFlow playground, half of
    them +1 and half of them -1 ("xor": about half). "linear" is z = 7x + 6y + 3a + 5 and noise of
    ±1, with x, y and a in ±5. "sine" is sin(0.01 t) for t = 1, 2, ... with normal noise of 0.2, in
    this order.

    Args:
        task: one of those.
        size: how many rows; as published when None: 500 points, 1,000 rows of the others.
        seed: decides the rows; "linear" is published with 1941. The spiral has nothing random.
        inputs: what is read of a point: its coordinates "x" and "y", and what the playground makes
            of them: "x_squared", "y_squared", "xy", "sin_x", "sin_y". Each is a number by its name.
        labels: what is predicted of a point: "signs" for the real numbers +1 and -1, "classes" for
            the classes "-1" and "+1".
        validation: what to hold out of the training rows: a share, or a number, which takes the
            last ones; or None.
        test: the same for the test split.

    Raises:
        ConfigError: for inputs or labels of points where there are none.

    Example:
        data = Generated("spiral", inputs=("x", "y", "xy", "sin_x", "sin_y"), test=0.5)
    """

    task: Task
    size: Positive | None = None
    seed: Count = 0
    inputs: tuple[Input, ...] = ("x", "y")
    labels: Literal["signs", "classes"] = "signs"
    validation: HeldOut | None = 0.1
    test: HeldOut | None = None

    def validate(self) -> None:
        """Refuse inputs that are none or twice the same, and those of another task."""
        if len(set(self.inputs)) < max(1, len(self.inputs)):
            raise ConfigError(
                f"Generated.inputs takes at least one name, each once; got {self.inputs}."
            )
        for name in ("inputs", "labels"):
            if self.task in _ANSWERS and not self._is_default(name):
                raise ConfigError(
                    f"Generated.{name} is for points: circle, xor, gaussians and spiral. "
                    f"Leave it out for {self.task!r}."
                )

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        names = {"linear": ("x", "y", "a"), "sine": ("t",)}.get(self.task, self.inputs)
        features = tuple(Feature(name, (), "float32", "number") for name in names)
        if self.task in _ANSWERS:
            return features, Label(_ANSWERS[self.task], "real")
        if self.labels == "classes":
            return features, Label("sign", "class", (), ("-1", "+1"))
        return features, Label("sign", "real")

    def _stored_sizes(self) -> dict[str, int]:
        return {"train": self.size or _SIZES.get(self.task, _POINTS)}

    def _read(self, stored: str) -> Columns:
        import numpy as np

        from tfpipe.data.generated_tasks import INPUTS, generate

        inputs, labels = generate(self.task, self._stored_sizes()[stored], self.seed)
        if self.task not in _ANSWERS:
            inputs = {name: INPUTS[name](inputs["x"], inputs["y"]) for name in self.inputs}
        features = {name: values.astype(np.float32) for name, values in inputs.items()}
        if self.labels == "classes":
            return Columns(features, (labels > 0).astype(np.int64))
        return Columns(features, labels.astype(np.float32))
