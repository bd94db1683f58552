"""A trained model that computes in float32 for a while, whatever it was trained in."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


@contextlib.contextmanager
def in_float32(model: "keras.Model") -> Iterator[None]:
    """Let a model compute in float32, and in the end as before.

    Its weights are in float32 anyway. ONNX and LiteRT lack most operations in bfloat16.

    Args:
        model: the trained model.
    """
    import keras

    def compute_in(policies: list["keras.DTypePolicy"]) -> None:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy
            if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None:
                layer.finalize_state()  # which rounds what is subtracted

    layers = list(model._flatten_layers())
    before = [layer.dtype_policy for layer in layers]
    compute_in([keras.DTypePolicy("float32")] * len(layers))
    try:
        yield
    finally:
        compute_in(before)
