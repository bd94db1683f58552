"""RNNForecaster: sizes, levels, and what it does not read."""

from collections.abc import Callable

import numpy as np
import pytest

from tfpipe.declare.spec import ElementSpec, Label
from tfpipe.errors import ModelError
from tfpipe.models import RNNForecaster

MakeSpec = Callable[..., ElementSpec]


def series(spec_of: MakeSpec, ahead: int = 5) -> ElementSpec:
    return spec_of((12,), "float32").replace(labels=(Label("next", "real", (ahead,)),))


@pytest.mark.parametrize(
    ("cell", "layers", "parameters"),
    [
        ("rnn", 1, 8 + 64 + 8 + 45),
        ("gru", 1, 3 * (8 + 64 + 16) + 45),
        ("lstm", 1, 4 * (8 + 64 + 8) + 45),
        ("gru", 2, 3 * (8 + 64 + 16) + 3 * (64 + 64 + 16) + 45),
    ],
)
def test_parameters(spec_of: MakeSpec, cell: str, layers: int, parameters: int) -> None:
    model = RNNForecaster(cell=cell, units=8, layers=layers).build(series(spec_of))
    assert model.count_params() == parameters
    assert model.output_shape == (None, 5)


def test_a_series_of_another_level_and_size_is_forecast_alike(spec_of: MakeSpec) -> None:
    past = np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32)
    model = RNNForecaster(units=8).build(series(spec_of))
    np.testing.assert_allclose(model(1000 + 10 * past), 1000 + 10 * model(past), rtol=1e-5)
    # A window in which nothing changes goes on as it was.
    flat = np.full((1, 12), 7.0, np.float32)
    np.testing.assert_allclose(model(flat), np.full((1, 5), 7.0), atol=1e-2)
    plain = RNNForecaster(units=8, normalize=False).build(series(spec_of))
    assert np.abs(plain(1000 + 10 * past) - 1000).min() > 900


def test_layers_and_dropout(spec_of: MakeSpec) -> None:
    model = RNNForecaster(cell="lstm", layers=2, dropout=0.2).build(series(spec_of))
    names = [type(layer).__name__ for layer in model.layers]
    assert names.count("LSTM") == names.count("Dropout") == 2


def test_what_is_no_window_is_refused(spec_of: MakeSpec) -> None:
    with pytest.raises(ModelError) as refused:
        RNNForecaster().build(spec_of((8, 8, 3)))
    assert str(refused.value) == (
        "RNNForecaster reads windows of a series; the data has 'input' (image). Use Windows for a "
        "series, or MLP."
    )
