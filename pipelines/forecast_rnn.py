"""Two series forecast at several steps at once, and judged beside forecasts that need no model.

Shows: recurrent layers on windows, a period, errors by steps ahead, a loss in the data's units.

"sine" is the series of pipelines/sine_mlp.py, 16 values ahead: the noise alone has a mean absolute
error of 0.16. "demand" is what is asked for on each day of six years, two weeks ahead: it doubles,
has a week and a year, and noise that lasts for days. Mean absolute errors on the test split, the
last 296 and 365 windows:

| class          | parameters | steps ahead | model  | the last value | a period before |
| -------------- | ---------: | ----------: | -----: | -------------: | --------------: |
| SineForecast   |      3,888 |           1 | 0.1567 |         0.2009 |                 |
|                |            |          16 | 0.1858 |         0.2314 |                 |
| DemandForecast |      3,822 |           1 |   76.1 |          253.4 |           129.7 |
|                |            |          14 |  132.4 |          155.3 |           155.3 |

`model.cell=lstm` and `rnn` come to the same within 3%.

    tfpipe run pipelines/forecast_rnn.py::SineForecast
    tfpipe run pipelines/forecast_rnn.py::DemandForecast
"""

import numpy as np

from tfpipe import Pipeline, keras
from tfpipe.data import Generated, Windows
from tfpipe.models import RNNForecaster


class SineForecast(Pipeline):
    """GRU 32, 16 at once."""

    data = Windows(Generated("sine"), past=32, ahead=16, validation=100, test=296)
    model = RNNForecaster(cell="gru", units=32)
    optimizer = keras.optimizers.Adam(learning_rate=0.003)
    callbacks = (keras.callbacks.EarlyStopping(patience=6, restore_best_weights=True),)
    batch_size = 32
    epochs = 40


def demand() -> np.ndarray:
    """Six years of days that grow, with weeks, years, and a noise that lasts."""
    rng = np.random.default_rng(0)
    day = np.arange(6 * 365)
    week = np.array([1.0, 1.02, 1.05, 1.03, 1.1, 0.8, 0.7])[day % 7]
    year = 1 + 0.15 * np.sin(2 * np.pi * day / 365)
    lasting = np.zeros(len(day))
    for d in day[1:]:
        lasting[d] = 0.8 * lasting[d - 1] + rng.normal(0, 0.04)
    noise = np.exp(lasting + rng.normal(0, 0.02, len(day)))
    return 1000 * np.exp(day / 3000) * week * year * noise


class DemandForecast(SineForecast):
    """GRU 32, 14 days at once."""

    data = Windows(demand, past=28, ahead=14, period=7, validation=300, test=365)
    loss = keras.losses.MeanAbsoluteError()
