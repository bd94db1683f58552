"""Windows: a series cut into pieces, each with a few values of the past and what comes next."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tfpipe.data.columns import Columns
from tfpipe.data.input_fn import Options
from tfpipe.data.sources.base import Share, StoredSplits, call
from tfpipe.data.splits import Split, share_of
from tfpipe.declare.field_types import Positive, show
from tfpipe.declare.kinds import Source
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np


class Windows(StoredSplits):
    """Windows over a series of numbers: `past` values, and the `ahead` values that follow them.

    A series of n values has n - past - ahead + 1 windows. They keep their order in time: the last
    of them are for testing, those before for validation, the first ones for training. No value
    that is predicted in one split is predicted in another, so with `ahead` above 1 the last
    `ahead - 1` windows before a held-out split are left out.

    Args:
        series: a source with a number for its label, such as Generated("sine"), whose rows of
            "train" are taken in stored order; or a function without arguments that returns a
            one-dimensional array.
        past: how many values a model reads, as one vector named "past".
        ahead: how many values it predicts: a number for 1, a vector for more.
        period: after how many values the series repeats, such as 24 hours or 7 days; the report
            then compares with the value a period before. None where it does not repeat.
        validation: how many windows to hold out, or the share of them; the last ones before the
            test split. None for none.
        test: the same for the test split; the last windows of all.

    Raises:
        ConfigError: when the series is a source that holds rows out itself.
        DataError: for a series that is too short, has other dimensions or lacks a value, and for
            a period that is longer than what comes before the first window.

    Example:
        data = Windows(Generated("sine"), past=4, validation=None, test=396)
    """

    series: Source | Callable[[], Any]
    past: Positive
    ahead: Positive = 1
    period: Positive | None = None
    validation: Share | Positive | None = 0.1
    test: Share | Positive | None = None

    def validate(self) -> None:
        """Refuse a series with splits of its own, which would say nothing here."""
        if not isinstance(self.series, Source):
            return
        for name in ("validation", "test"):
            value = getattr(self.series, name, None)
            if name in self.series._given and value is not None:
                raise ConfigError(
                    f"Windows.series has {name}={value!r}, which would do nothing: say it of the "
                    f"windows instead, as in Windows(..., {name}={value!r})."
                )

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        shape = () if self.ahead == 1 else (self.ahead,)
        return (Feature("past", (self.past,), "float32", "vector"),), Label("next", "real", shape)

    def spec(self, seed: int = 0) -> ElementSpec:
        features, label = self.element()
        return ElementSpec(features, (label,), {n: len(rows) for n, rows in self.parts.items()})

    def _stored_sizes(self) -> dict[str, int]:
        return {"train": len(self.values) - self.past - self.ahead + 1}

    def _plan(self, options: Options) -> dict[str, Split]:
        import numpy as np

        return {n: Split("train", len(r), np.asarray(r)) for n, r in self.parts.items()}

    def _read(self, stored: str) -> Columns:
        import numpy as np

        windows = np.lib.stride_tricks.sliding_window_view(self.values, self.past + self.ahead)
        past, following = windows[:, : self.past], windows[:, self.past :]
        labels = following[:, 0] if self.ahead == 1 else following
        return Columns({"past": past.copy()}, labels.copy())

    @cached_property
    def parts(self) -> dict[str, range]:
        """Which windows belong to which split, by the place of their first value."""
        total = stop = self._stored_sizes()["train"]
        parts: dict[str, range] = {}
        for name, declared in (("test", self.test), ("validation", self.validation)):
            if declared is not None:
                size = declared if isinstance(declared, int) else share_of(max(0, stop), declared)
                parts[name] = range(stop - size, stop)
                stop -= size + self.ahead - 1
        parts["train"] = range(stop)
        if stop < 1 or any(len(rows) < 1 for rows in parts.values()):
            held_out = ", ".join(f"{len(parts[n])} for {n}" for n in parts if n != "train")
            raise DataError(
                f"Windows: {len(self.values)} values give {max(0, total)} windows of {self.past} "
                f"past values and {self.ahead} ahead, which leaves none to train on"
                + (f" beside {held_out}" if held_out else "")
                + ". Use a longer series, shorter windows, or hold out less."
            )
        if self.period is not None and self.period > self.past + parts["train"].stop - 1:
            raise DataError(
                f"Windows: a period of {self.period} is longer than the "
                f"{self.past + parts['train'].stop - 1} values that there are to train on. Use a "
                "longer series, or leave the period out."
            )
        return {n: parts[n] for n in ("train", "validation", "test") if n in parts}

    @cached_property
    def values(self) -> "np.ndarray":
        """The series as float32."""
        import numpy as np

        values = self._of_source() if isinstance(self.series, Source) else self._of_function()
        if values.ndim != 1:
            raise DataError(
                f"Windows: a series is one number after the other, of shape (n,); got shape "
                f"{values.shape}."
            )
        with np.errstate(over="ignore"):
            held = values.astype(np.float32)
        missing = np.flatnonzero(~np.isfinite(held))
        if len(missing):
            first = int(missing[0])
            raise DataError(
                f"Windows: {len(missing)} of the {len(values)} values of the series are no finite "
                f"numbers of float32, the first is {values[first]} at index {first}. Fill the "
                "gaps, scale the series, or take a part of it without any."
            )
        return held

    def _of_source(self) -> "np.ndarray":
        """Return the labels of a source, in stored order."""
        assert isinstance(self.series, Source)
        _, label = self.series.element()
        if label.kind != "real" or not isinstance(self.series, StoredSplits):
            raise DataError(
                f"Windows: a series is a source with a number for its label, stored in order; "
                f"{self.series!r} has {label.name!r}, which is of kind {label.kind!r}."
            )
        return self.series._read_labels("train")

    def _of_function(self) -> "np.ndarray":
        import numpy as np

        assert not isinstance(self.series, Source)
        returned = call("Windows", self.series)
        try:
            return np.asarray(returned, np.float64)
        except (TypeError, ValueError, OverflowError):
            raise DataError(
                f"Windows: {show(self.series)}() should return numbers, one after the other; got "
                f"{type(returned).__name__}."
            ) from None
