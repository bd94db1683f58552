"""What comes next in a noisy sine, from its last four values.

Shows: windows over a series, forecasts further ahead than training looked.

The numbers are those of a published course: 1,000 points of sin(0.01 t) with normal noise of 0.2,
the first 600 windows of four for training, 61 parameters, Adam 0.001, batches of 16. Its MSE,
unseeded: 0.078 after 5 epochs, 0.0511 after 50; the noise alone is 0.04. report/forecast.png shows
predictions 1, 4, 16 and 64 steps ahead. This declaration reaches 0.0413 on the last 296 windows
after 50 epochs, 0.1173 after 5 (benchmarks/results.md).

    tfpipe run pipelines/sine_mlp.py
    tfpipe run pipelines/sine_mlp.py epochs=5
"""

from tfpipe import Pipeline, deferred, keras
from tfpipe.data import Generated, Windows
from tfpipe.models import MLP


class SineMLP(Pipeline):
    """10, 1."""

    data = Windows(Generated("sine"), past=4, ahead=1, validation=100, test=296)
    model = MLP(units=(10,))
    optimizer = keras.optimizers.Adam(learning_rate=0.001)
    callbacks = (deferred("callbacks.forecast").Forecast(ahead=(1, 4, 16, 64)),)
    batch_size = 16
    epochs = 50
