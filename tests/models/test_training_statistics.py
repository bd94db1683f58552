"""What is learnt from a training split: moments and words."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from tfpipe.declare.kinds import Training
from tfpipe.declare.spec import Feature
from tfpipe.models.training_statistics import Moments, training_statistics

MakeTraining = Callable[..., Training]


def moments_of(rows: np.ndarray, batch: int) -> Moments:
    moments = Moments()
    for start in range(0, len(rows), batch):
        moments.add(rows[start : start + batch])
    return moments


def table() -> np.ndarray:
    """Columns of very different sizes: small, large with little spread, skewed, constant."""
    rng = np.random.default_rng(0)
    return np.stack(
        [
            rng.normal(0, 1e-3, 1000),
            rng.normal(1e9, 1, 1000),
            rng.exponential(1e5, 1000),
            np.full(1000, 0.1),
            np.zeros(1000),
        ],
        axis=1,
    )


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_moments_equal_numpys_and_scikit_learns(batch: int) -> None:
    rows = table()
    moments, scaler = moments_of(rows, batch), StandardScaler().fit(rows)
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.mean, scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(moments.variance[:3], rows.var(axis=0)[:3], rtol=1e-7)
    np.testing.assert_allclose(np.sqrt(moments.variance), scaler.scale_, rtol=1e-7)


def test_numbers_that_are_all_alike_have_a_variance_of_one() -> None:
    # Added up, 0.1 leaves a variance of rounding errors alone.
    assert moments_of(table(), 7).variance[3:].tolist() == [1.0, 1.0]


def test_missing_numbers_do_not_count() -> None:
    rows = table()[:, :3]
    gaps = rows.copy()
    gaps[::3, 0] = np.nan
    gaps[:500, 2] = np.nan
    moments = moments_of(gaps, 7)
    np.testing.assert_allclose(moments.count, [666, 1000, 500])
    np.testing.assert_allclose(moments.mean, np.nanmean(gaps, axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.variance, np.nanvar(gaps, axis=0), rtol=1e-7)


def test_a_column_that_is_always_missing_stays_as_it_is() -> None:
    moments = moments_of(np.full((10, 1), np.nan), 4)
    assert (moments.mean.tolist(), moments.variance.tolist()) == ([0.0], [1.0])


@pytest.mark.parametrize("shape", [(50,), (50, 3), (50, 4, 4, 1)])
def test_each_place_of_an_array_has_moments(shape: tuple[int, ...]) -> None:
    rows = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    moments = moments_of(rows, 8)
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.variance, rows.var(axis=0), rtol=1e-12)


def test_scaled_numbers_have_scaled_moments() -> None:
    rows = np.random.default_rng(0).integers(0, 256, (50, 3)).astype(np.uint8)
    rows[:, 2] = 7
    scaled = moments_of(rows, 8).scaled(2 / 255, -1.0)
    expected = moments_of(rows * (2 / 255) - 1.0, 8)
    np.testing.assert_allclose(scaled.mean, expected.mean, rtol=1e-9)
    np.testing.assert_allclose(scaled.variance, expected.variance, rtol=1e-9)
    assert scaled.variance[2] == 1.0


def test_words_are_counted_and_sorted(training: MakeTraining) -> None:
    towns = np.array(["Zürich", "Bern", "", "Bern", "[UNK]"], object)
    town = Feature("town", (), "string", "category")
    statistics = training_statistics((town,), training(towns))
    assert statistics.words["town"] == {"Zürich": 1, "Bern": 2, "": 1, "[UNK]": 1}
    assert statistics.categories(town) == ("Bern", "Zürich", "[UNK]")


def test_declared_categories_count_as_declared(training: MakeTraining) -> None:
    town = Feature("town", (), "string", "category", ("Z", "B"))
    assert training_statistics((town,), training(np.array(["C"], object))).categories(town) == (
        "Z",
        "B",
    )


def test_columns_are_told_apart_by_name(training: MakeTraining) -> None:
    columns = {"town": np.array(["a", "b"], object), "age": np.float32([1, 3]), "id": [1, 2]}
    features = (
        Feature("town", (), "string", "category"),
        Feature("age", (), "float32", "number"),
    )
    statistics = training_statistics(features, training(columns))
    assert set(statistics.words) == {"town"}
    assert set(statistics.moments) == {"age"}
    assert (statistics.moments["age"].mean, statistics.moments["age"].variance) == (2.0, 1.0)


def test_nothing_is_learnt_from_nothing() -> None:
    feature = Feature("town", (), "string", "category")
    statistics = training_statistics((feature,), None)
    assert (statistics.moments, statistics.words, statistics.categories(feature)) == ({}, {}, ("",))
