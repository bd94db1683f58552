"""Chance: McNemar's exact test and the paired bootstrap, against numbers worked by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest

from tfpipe.evaluation.significance import Bootstrap, McNemar, bootstrap, mcnemar


def compared(both: int, only_first: int, only_second: int, neither: int = 0) -> McNemar:
    counts = (both, only_first, only_second, neither)
    first, second = (np.repeat(row, counts) for row in ((1, 1, 0, 0), (1, 0, 1, 0)))
    return mcnemar(first, second)


def test_mcnemar_by_hand() -> None:
    # Of 13 samples that one alone answers right, 3 or fewer are the second's in 1 + 13 + 78 + 286
    # of 2^13 cases, and as many are the first's.
    found = compared(both=5, only_first=10, only_second=3, neither=2)
    assert found == McNemar(20, 15, 8, 10, 3, pytest.approx(2 * 378 / 8192))
    assert not found.significant
    # 1 of 2^10 cases, twice.
    assert compared(0, 0, 10).p_value == pytest.approx(2 / 1024)


@pytest.mark.parametrize(
    ("first", "second"), [(1, 0), (5, 5), (4, 6), (0, 20), (110, 90), (3000, 3100)]
)
def test_mcnemar_is_a_binomial_test_of_the_samples_that_one_alone_has_right(
    first: int, second: int
) -> None:
    expected = binomtest(second, first + second).pvalue
    assert compared(7, first, second).p_value == pytest.approx(expected, rel=1e-6)


def test_models_that_are_never_apart_differ_by_chance() -> None:
    assert compared(3, 0, 0, 4).p_value == 1.0
    assert compared(0, 0, 0, 4).p_value == 1.0


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            compared(9000, 100, 412, 488),
            "B answers 312 of 10,000 more right than A; by chance alone a difference so large "
            "would be seen in less than 1 of 1,000 comparisons.",
        ),
        (
            compared(50, 10, 1),
            "B answers 9 of 61 fewer right than A; by chance alone a difference so large would be "
            "seen in 12 of 1,000 comparisons.",
        ),
        (
            compared(80, 9, 11),
            "B answers 2 of 100 more right than A, which is not more than chance: a difference so "
            "large would be seen in 82 of 100 comparisons.",
        ),
        (
            compared(5, 0, 1),
            "B answers 1 of 6 more right than A, which is not more than chance: a difference so "
            "large would be seen in nearly all comparisons.",
        ),
        (
            compared(10, 5, 5),
            "B answers as many of 20 right as A, 15, though not the same ones: each is right on 5 "
            "where the other is wrong.",
        ),
        (compared(12, 0, 0, 5), "A and B answer the same 12 of 17 right."),
    ],
)
def test_a_verdict_is_a_plain_sentence(found: McNemar, sentence: str) -> None:
    assert found.sentence("A", "B") == sentence


def test_of_several_comparisons_each_has_to_be_so_much_rarer() -> None:
    first, second = np.repeat([1, 0], [10, 1]), np.repeat([0, 1], [10, 1])
    assert mcnemar(first, second).significant  # 12 of 1,000
    assert mcnemar(first, second, comparisons=4).significant
    assert not mcnemar(first, second, comparisons=5).significant


def test_the_bootstrap_by_hand() -> None:
    # Two differences, 0 and 1: a quarter of all resamples has the mean 0, a quarter 1.
    found = bootstrap(np.array([1.0, 1.0]), np.array([1.0, 2.0]))
    assert (found.first, found.second, found.low, found.high) == (1.0, 1.5, 0.0, 1.0)
    assert not found.significant
    # The same difference throughout leaves nothing to chance.
    found = bootstrap(np.zeros(7), np.full(7, -0.25))
    assert (found.low, found.high, found.significant) == (-0.25, -0.25, True)


@pytest.mark.parametrize("samples", [400, 30_000])
def test_an_interval_is_about_two_standard_errors_to_each_side(samples: int) -> None:
    rng = np.random.default_rng(1)
    first = rng.random(samples)
    second = first + rng.normal(0.1, 0.5, samples)
    found = bootstrap(first, second)
    error = np.std(second - first) / np.sqrt(samples)
    middle = found.second - found.first
    assert found.samples == samples
    assert (middle - found.low, found.high - middle) == pytest.approx(
        (1.96 * error, 1.96 * error), rel=0.06
    )
    assert found == bootstrap(first, second)  # seeded
    wider = bootstrap(first, second, comparisons=5)
    assert wider.level == 0.99
    assert (middle - wider.low) == pytest.approx(2.576 * error, rel=0.08)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            Bootstrap(500, 1.25, 1.0, -0.4, -0.1),
            "B's answers are closer than A's by 0.25 on average over 500 samples (95% interval 0.1 "
            "to 0.4), which is more than chance.",
        ),
        (
            Bootstrap(1500, 1.0, 1.25, -0.125, 0.5),
            "B's answers are further off than A's by 0.25 on average over 1,500 samples (95% "
            "interval -0.125 to 0.5), which is not more than chance.",
        ),
        (
            Bootstrap(3, 1.0, 1.0, 0.0, 0.0),
            "B's answers are as far off as A's on 3 samples.",
        ),
    ],
)
def test_a_verdict_on_numbers(found: Bootstrap, sentence: str) -> None:
    assert found.sentence("A", "B") == sentence
