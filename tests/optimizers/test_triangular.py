"""Triangular: rises, peaks where it says, falls."""

import keras
import numpy as np
import pytest

from tfpipe.optimizers import Triangular


def test_it_rises_to_the_peak_and_falls_to_the_end() -> None:
    schedule = Triangular(2.0, start=0.2, end=0.1, at=0.25, total_steps=8)
    rates = [float(schedule(step)) for step in range(9)]
    np.testing.assert_allclose(rates[:4], [0.4, 1.2, 2.0, 1.7], rtol=1e-6)
    assert rates.index(max(rates)) == 2
    np.testing.assert_allclose(rates[8], 0.2, rtol=1e-6)
    np.testing.assert_allclose(float(schedule(80)), 0.2, rtol=1e-6)  # after the end


def test_keras_saves_it() -> None:
    schedule = Triangular(2.0, at=0.5, total_steps=10)
    kept = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(kept)
    assert again.get_config() == schedule.get_config()


def test_what_is_refused() -> None:
    message = r"^at=1\.0 should be a share of the training, above 0 and below 1\.$"
    with pytest.raises(ValueError, match=message):
        Triangular(1.0, at=1.0)
    with pytest.raises(ValueError, match=r"^Triangular needs total_steps outside of a pipeline\.$"):
        Triangular(1.0)(0)
