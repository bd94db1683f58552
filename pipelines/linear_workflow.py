"""One dense unit finds a plane: z = 7x + 6y + 3a + 5, and noise.

Shows: generated data with an exact seed, linear regression, the last rows held out.

The numbers are those of a published course: 1,000 rows from NumPy's seed 1941, four parameters, SGD
0.01, 15 epochs of 25 steps of 32, the last fifth for validation. Least squares, which training
approaches, has a training MSE of 0.3066, a validation MSE of 0.3620, and answers 48.970 to
(2, 3, 4). The course's last loss was 0.310 and its answer between 48.9 and 49.0; without noise it
would be 49. This declaration reaches 0.308 and 48.991 (benchmarks/results.md).

    tfpipe run pipelines/linear_workflow.py
"""

from tfpipe import Pipeline, keras
from tfpipe.data import Generated
from tfpipe.models import Linear


class LinearWorkflow(Pipeline):
    """x, y and a go in as they are, so that the weights are the plane's own numbers."""

    data = Generated("linear", seed=1941, validation=200)
    model = Linear(normalize=False)
    optimizer = keras.optimizers.SGD(learning_rate=0.01)
    batch_size = 32
    epochs = 15
