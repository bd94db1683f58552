"""Images as answers: what is measured is what the literature measures."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.tasks import task_for
from tfpipe.tasks.metrics.psnr import PSNR, psnr
from tfpipe.tasks.metrics.ssim import SSIM, ms_ssim, ssim

RNG = np.random.default_rng(0)
TRUE = RNG.integers(0, 256, (2, 40, 44, 3), np.uint8)
AWAY = np.clip(TRUE + RNG.normal(0, 12, TRUE.shape), 0, 255).round().astype(np.uint8)


def spec(scale: int = 1) -> ElementSpec:
    label = Label("target", "image", (0, 0, 3), scale=scale)
    return ElementSpec((Feature("image", (0, 0, 3), "uint8", "image"),), (label,))


def luma(image: np.ndarray) -> np.ndarray:
    """As MATLAB's rgb2ycbcr has it, by the formula of ITU-R BT.601."""
    r, g, b = np.moveaxis(image / 255.0, -1, 0)
    return 16 + 65.481 * r + 128.553 * g + 24.966 * b


@pytest.mark.parametrize("border", [0, 4])
def test_psnr_and_ssim_are_those_of_scikit_image(border: int) -> None:
    inside = slice(border, -border or None)
    found = [m(TRUE, AWAY, border).numpy() for m in (psnr, ssim)]
    for row in range(2):
        a, b = (luma(i[row])[inside, inside] for i in (TRUE, AWAY))
        expected = peak_signal_noise_ratio(a, b, data_range=255)
        assert found[0][row] == pytest.approx(expected, abs=1e-4)
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        expected = structural_similarity(a, b, data_range=255, **options)
        assert found[1][row] == pytest.approx(expected, abs=1e-4)
    colours = psnr(TRUE, AWAY, border, colours=True).numpy()
    a, b = (i[0][inside, inside] for i in (TRUE, AWAY))
    assert colours[0] == pytest.approx(peak_signal_noise_ratio(a, b), abs=1e-4)


def test_metrics_are_means_over_images_however_they_are_batched() -> None:
    one, each = PSNR(border=2), PSNR(border=2)
    together = float(one(TRUE, AWAY))
    for row in range(2):
        each.update_state(TRUE[row : row + 1], AWAY[row : row + 1])
    assert together == pytest.approx(float(each.result()), abs=1e-4)
    assert float(PSNR()(TRUE, TRUE)) == pytest.approx(100)
    assert float(SSIM()(TRUE, TRUE)) == pytest.approx(1)
    again = keras.metrics.deserialize(keras.metrics.serialize(SSIM(border=3, colours=True)))
    assert (again.border, again.colours) == (3, True)


def test_ms_ssim_is_not_known_of_small_images() -> None:
    assert np.isnan(ms_ssim(TRUE, AWAY)).all()
    large = np.tile(TRUE, (1, 5, 5, 1))
    assert ms_ssim(large, large).numpy() == pytest.approx(1)


def test_images_smaller_than_the_window_have_no_ssim() -> None:
    metric = SSIM()
    metric.update_state(TRUE, AWAY)
    whole = float(metric.result())
    small = tf.constant(TRUE[:, :10])
    assert np.isnan(ssim(small, small)).all()
    metric.update_state(small, small)
    assert float(metric.result()) == pytest.approx(whole)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)])
    def of_any_size(images: tf.Tensor) -> tf.Tensor:
        return ssim(images, images)

    assert np.isnan(of_any_size(small)).all()
    assert of_any_size(TRUE).numpy() == pytest.approx(1)


def test_colours_are_compared_where_the_luma_is_given() -> None:
    label = Label("target", "image", (0, 0, 3), colours=True)
    grey = Feature("image", (0, 0, 1), "uint8", "image")
    shown, structure = task_for(ElementSpec((grey,), (label,))).metrics_for()
    assert (shown.colours, structure.colours) == (True, True)


def test_the_task_follows_from_the_labels_and_compares_the_inside() -> None:
    task = task_for(spec(scale=3))
    assert (task.name, task.units, task.border) == ("images", 3, 3)
    outputs = tf.constant(TRUE[:, 6:-6, 6:-6].astype(np.float32)) + 2.0
    assert float(task.loss_for()(TRUE, outputs)) == pytest.approx(2)
    assert float(task.loss_for("mse")(TRUE, outputs)) == pytest.approx(4)
    shown, structure = task.metrics_for()
    inside = TRUE[:, 6:-6, 6:-6]
    assert float(shown(TRUE, outputs)) == pytest.approx(float(PSNR(border=3)(inside, outputs)))
    assert (shown.name, structure.name) == ("psnr", "ssim")
    answers = task.answers([[-3.0, 1.5, 2.5, 300.0]])
    assert answers.dtype == tf.uint8
    assert answers.numpy().tolist() == [[0, 2, 2, 255]]
    kept = task.kept(AWAY, TRUE)
    assert kept.shape == (2, 4)
    assert task.caption(kept[0].numpy(), 0).startswith("PSNR 31")
    assert task.kept_labels(TRUE).size == 0
