"""ConvMuon: orthogonal steps for kernels of convolutions, SGD for all else, and it is saved."""

import keras
import numpy as np
import pytest

from tfpipe.optimizers import ConvMuon, LookaheadSGD
from tfpipe.optimizers.conv_muon import orthogonal


def test_the_singular_values_come_near_one_and_the_vectors_stay() -> None:
    rng = np.random.default_rng(0)
    for shape in ((18, 7), (7, 18)):
        matrix = rng.normal(size=shape).astype(np.float32)
        left, _, right = np.linalg.svd(matrix, full_matrices=False)
        found = left.T @ np.array(orthogonal(matrix, 5)) @ right.T
        values = np.diag(found)
        assert values.min() > 0.6
        assert values.max() < 1.3
        np.testing.assert_allclose(found - np.diag(values), 0, atol=1e-5)


def test_kernels_of_convolutions_take_orthogonal_steps_and_keep_their_norm() -> None:
    rng = np.random.default_rng(1)
    before = rng.normal(size=(3, 3, 2, 5)).astype(np.float32)
    gradients = [rng.normal(size=before.shape).astype(np.float32) for _ in range(2)]
    kernel, plain = keras.Variable(before), keras.Variable(before)
    optimizer, free = ConvMuon(0.1, every=0), ConvMuon(0.1, every=0, normalize=False)
    for gradient in gradients:
        optimizer.apply([gradient], [kernel])
        free.apply([gradient], [plain])

    def moved(weights: np.ndarray, direction: np.ndarray, normalize: bool) -> np.ndarray:
        if normalize:
            weights = weights * (5**0.5 / np.linalg.norm(weights))
        step = np.array(orthogonal(direction.reshape(-1, 5), 3)).reshape(weights.shape)
        return np.asarray(weights - 0.1 * step)

    first, second = gradients
    directions = [first + 0.6 * first, second + 0.6 * (0.6 * first + second)]
    for variable, normalize in ((kernel, True), (plain, False)):
        expected = before
        for direction in directions:
            expected = moved(expected, direction, normalize)
        np.testing.assert_allclose(variable, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(4,), (4, 3)])
def test_other_weights_are_those_of_sgd(shape: tuple[int, ...]) -> None:
    gradient = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    weights = [keras.Variable(np.ones(shape, np.float32), name="bias") for _ in range(2)]
    options = {"momentum": 0.6, "nesterov": True, "rates": {"bias": 2.0}, "total_steps": 8}
    for optimizer, variable in zip(
        (ConvMuon(0.1, **options), LookaheadSGD(0.1, **options)), weights, strict=True
    ):
        for _ in range(8):
            optimizer.apply([gradient], [variable])
    np.testing.assert_array_equal(*weights)


def test_keras_saves_it() -> None:
    optimizer = ConvMuon(0.2, normalize=False, ns_steps=4, rates={"*bias": 3.0}, total_steps=9)
    again = ConvMuon.from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
