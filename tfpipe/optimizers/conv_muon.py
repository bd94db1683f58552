"""ConvMuon: gradient descent that moves the kernels of convolutions equally in all directions."""

from typing import TYPE_CHECKING, Any

import keras

from tfpipe.optimizers.lookahead_sgd import LookaheadSGD

if TYPE_CHECKING:
    import tensorflow as tf

_KERNEL_AXES = 4
# Of x -> ax + bx^3 + cx^5, which moves all between 0 and 1 near 1 in a few rounds.
_QUINTIC = (3.4445, -4.7750, 2.0315)


@keras.saving.register_keras_serializable(package="tfpipe")
class ConvMuon(LookaheadSGD):
    """SGD whose steps for kernels of convolutions are orthogonalised momentum.

    Muon (Jordan and others, 2024, "Muon: An optimizer for hidden layers in neural networks").
    Keras's own does so for matrices and leaves the kernels of convolutions to Adam; this one takes
    a kernel as the matrix [height x width x inputs, filters] and moves it by the momentum with all
    singular values near 1. The other weights are those of `LookaheadSGD`. As in Jordan's recipe for
    CIFAR-10 each kernel keeps the norm that it would have with filters of length 1, which changes
    nothing where a batch normalisation follows, and takes the place of weight decay.

    Args:
        learning_rate: of the kernels, and of the others times their `rates`.
        momentum: of the gradients.
        nesterov: whether the step looks ahead along the momentum.
        normalize: whether kernels keep their norm; for convolutions that no normalisation follows,
            set it to False.
        ns_steps: rounds of the Newton-Schulz iteration that finds the singular vectors.
        options: arguments of LookaheadSGD.

    Raises:
        ValueError: for numbers that cannot be.
        ConfigError: for a pattern that fits no weight.
    """

    def __init__(
        self,
        learning_rate: Any = 0.24,  # a number, or a schedule of Keras, which publishes no types
        momentum: float = 0.6,
        nesterov: bool = True,
        normalize: bool = True,
        ns_steps: int = 3,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, momentum, nesterov, **options)
        if ns_steps < 1:
            raise ValueError(f"ns_steps={ns_steps} should be 1 or more.")
        self.normalize, self.ns_steps = normalize, ns_steps

    def move(
        self,
        gradient: "tf.Tensor",
        variable: keras.Variable,
        learning_rate: "tf.Tensor",
        index: int,
    ) -> None:
        if len(variable.shape) != _KERNEL_AXES:
            super().move(gradient, variable, learning_rate, index)
            return
        ops, step = keras.ops, gradient
        if self.momentum:
            velocity = self.momentums[index]
            self.assign(velocity, self.momentum * velocity + gradient)
            step = gradient + self.momentum * velocity if self.nesterov else velocity
        filters = variable.shape[-1]
        matrix = orthogonal(ops.reshape(step, (-1, filters)), self.ns_steps)
        kernel = ops.convert_to_tensor(variable)
        if self.normalize:
            norm = ops.norm(ops.reshape(kernel, (-1,)))
            kernel = kernel * (filters**0.5 / (norm + keras.config.epsilon()))
        self.assign(variable, kernel - learning_rate * ops.reshape(matrix, variable.shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "normalize": self.normalize, "ns_steps": self.ns_steps}


def orthogonal(matrix: "tf.Tensor", rounds: int) -> "tf.Tensor":
    """Return a matrix with the singular vectors of another and singular values near 1.

    Args:
        matrix: [rows, columns].
        rounds: of the Newton-Schulz iteration, in bfloat16 where the model computes in it.
    """
    ops = keras.ops
    x = matrix / (ops.norm(matrix) + keras.config.epsilon())
    if keras.config.dtype_policy().compute_dtype == "bfloat16":
        x = ops.cast(x, "bfloat16")
    tall = matrix.shape[0] > matrix.shape[1]
    x = ops.transpose(x) if tall else x
    a, b, c = _QUINTIC
    for _ in range(rounds):
        square = ops.matmul(x, ops.transpose(x))
        x = a * x + ops.matmul(b * square + c * ops.matmul(square, square), x)
    return ops.cast(ops.transpose(x) if tall else x, matrix.dtype)
