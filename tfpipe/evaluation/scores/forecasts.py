"""What forecasts are measured by: those that need no model, and the scaled error."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NaiveForecasts:
    """Forecasts of a split that need no model.

    Args:
        by_name: [rows, steps ahead] of each: "the last value", and where a period is known
            "the value 24 before"; NaN where nothing is known of that.
        scale: the mean absolute error that the naive forecast of the next value has in training;
            the seasonal one where a period is known.
    """

    by_name: Mapping[str, np.ndarray]
    scale: float

    def errors(self, labels: np.ndarray) -> dict[str, list[float]]:
        """Return the mean absolute error of each by steps ahead.

        Args:
            labels: [rows, steps ahead] what came.
        """
        return {
            name: np.nanmean(np.abs(forecasts - labels), axis=0).tolist()
            for name, forecasts in self.by_name.items()
        }

    def mase(self, error: float) -> float:
        """Return the mean absolute scaled error of a mean absolute error; NaN without a scale.

        Hyndman and Koehler, "Another look at measures of forecast accuracy", 2006. Below 1 is
        better than the naive forecast is one step ahead.
        """
        return error / self.scale if self.scale > 0 else float("nan")


def naive_forecasts(
    series: np.ndarray, first: np.ndarray, ahead: int, trained: int, period: int | None = None
) -> NaiveForecasts:
    """Return the forecasts that need no model, of windows of a series.

    Args:
        series: [values] all of it.
        first: [rows] the place of the first value that is predicted of each window.
        ahead: how many values are predicted.
        trained: how many values, from the first on, training has seen.
        period: after how many values the series repeats; None where it does not.
    """
    steps = np.arange(ahead)
    by_name = {"the last value": np.repeat(series[first - 1][:, None], ahead, axis=1)}
    if period is not None:
        before = first[:, None] + steps % period - period
        known_before = np.where(before < 0, np.nan, series[before])  # in training's first windows
        by_name[f"the value {period:,} before"] = known_before
    known = series[:trained].astype(np.float64)
    lag = period or 1
    scale = np.abs(known[lag:] - known[:-lag]).mean() if len(known) > lag else 0.0
    return NaiveForecasts(by_name, float(scale))
