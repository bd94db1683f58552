"""Values with a range."""

import pytest

from tfpipe import hp
from tfpipe.declare.tree import resolve
from tfpipe.errors import ConfigError
from tfpipe.models import CNN_2_4_6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hp.Float(0.2, min=0.5, max=0.1), "hp.Float: min=0.5 must be below max=0.1."),
        (lambda: hp.Int(3, min=3, max=3), "hp.Int: min=3 must be below max=3."),
        (
            lambda: hp.Float(0.9, min=0, max=0.5),
            "hp.Float: the value 0.9 is outside its range 0.0 to 0.5.",
        ),
        (
            lambda: hp.Int(0, min=1, max=5),
            "hp.Int: the value 0 is outside its range 1 to 5.",
        ),
        (
            lambda: hp.Float(0.1, min=0, max=1, log=True),
            "hp.Float: log=True needs min above 0, got 0.0.",
        ),
        (
            lambda: hp.Choice("tanh", values=("relu", "gelu")),
            "hp.Choice: 'tanh' is not among its values ('relu', 'gelu').",
        ),
        (
            lambda: hp.Int(2.5, min=1, max=5),
            "Int.value takes a whole number, got 2.5 (float).",
        ),
        (
            lambda: hp.Int(2, min=1, max=5, step=0),
            "Int.step takes a whole number of at least 1 or none, got 0 (int).",
        ),
        (
            lambda: hp.Float(0.1, min=0.1, max=1, step=0.5, log=True),
            "hp.Float: with log=True a step is the factor between tried values, such as 2 or 10: "
            "give one above 1, or leave it out, got 0.5.",
        ),
        (
            lambda: hp.Int(2, min=1, max=8, step=1, log=True),
            "hp.Int: with log=True a step is the factor between tried values, such as 2 or 10: "
            "give one above 1, or leave it out, got 1.",
        ),
        (
            lambda: hp.Float(0.1, min=0, max=0.5, step=0.6),
            "hp.Float: step=0.6 is too large for the range 0.0 to 0.5: only 0.0 would be tried.",
        ),
        (
            lambda: hp.Int(2, min=2, max=7, step=4, log=True),
            "hp.Int: step=4 is too large for the range 2 to 7: only 2 would be tried.",
        ),
        (
            lambda: hp.Float(1.0, min=0, max=float("inf")),
            "hp.Float(1.0, min=0.0, max=inf): its numbers must be finite.",
        ),
        (
            lambda: hp.Float(float("nan"), min=0, max=1),
            "hp.Float(nan, min=0.0, max=1.0): its numbers must be finite.",
        ),
        (
            lambda: hp.Choice("a", values=("a", "b", "a")),
            "hp.Choice: 'a' is given twice among its values.",
        ),
        (lambda: hp.Bool("yes"), "Bool.value takes true or false, got 'yes' (str)."),
        (lambda: hp.Float(0.1, max=0.5), "Float needs a value for 'min'."),
    ],
)
def test_what_is_no_range_is_refused(make, message):
    with pytest.raises(ConfigError) as error:
        make()
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("given", "candidates"),
    [
        (hp.Float(0.2, min=0, max=0.5), [0.2, 0.0, 0.5]),
        (hp.Int(3, min=1, max=5), [3, 1, 5]),
        (hp.Choice("b", values=["a", "b"]), ["b", "a"]),
        (hp.Bool(False), [False, True]),
    ],
)
def test_candidates_begin_with_the_value(given, candidates):
    assert list(given.candidates()) == candidates


def test_a_step_may_reach_the_end_though_binary_numbers_miss_it():
    assert hp.Float(0.1, min=0.1, max=0.3, step=0.2).step == 0.2


def test_equal_values_of_several_types_are_several_values():
    assert len(hp.Choice(1, values=(1, True, 1.0, "1")).values) == 4


def test_a_range_is_a_part():
    given = hp.Int(64, min=16, max=256, step=16)
    assert given.replace(value=32) == hp.Int(32, min=16, max=256, step=16)
    assert repr(given) == "hp.Int(64, min=16, max=256, step=16)"


def test_resolving_leaves_the_values():
    declared = CNN_2_4_6(
        dropout=(0.1, hp.Float(0.2, min=0, max=0.5), 0.3), batch_norm=hp.Bool(True)
    )
    assert resolve(declared) == CNN_2_4_6(dropout=(0.1, 0.2, 0.3), batch_norm=True)


def test_a_choice_may_hold_a_range():
    given = hp.Choice(hp.Int(3, min=1, max=5), values=(hp.Int(3, min=1, max=5), 64))
    assert resolve(given) == 3


def test_type_checkers_see_the_fields_that_there_are():
    import inspect

    from tfpipe.declare import hp, hp_typed
    from tfpipe.declare.part import REQUIRED

    for name in hp.__all__:
        if name == "Range":
            continue
        parameters = inspect.signature(getattr(hp_typed, name)).parameters
        shown = {
            n: REQUIRED if p.default is inspect.Parameter.empty else p.default
            for n, p in parameters.items()
        }
        assert shown == getattr(hp, name).fields()


# What a search may take


@pytest.mark.parametrize(
    ("given", "size", "grid"),
    [
        (hp.Int(3, min=1, max=5), 5, (1, 2, 3, 4, 5)),
        (hp.Int(2, min=2, max=13, step=3), 4, (2, 5, 8, 11)),
        (hp.Int(3, min=2, max=13, step=3), 4, (3, 2, 5, 8, 11)),
        (hp.Int(16, min=16, max=256, step=2, log=True), 5, (16, 32, 64, 128, 256)),
        (hp.Int(5, min=1, max=9, log=True), 9, (1, 2, 3, 4, 5, 7, 8)),
        (hp.Float(0.0, min=0, max=0.5, step=0.1), 6, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)),
        (hp.Float(0.1, min=0.1, max=0.3, step=0.2), 2, (0.1, 0.3)),
        (hp.Float(1e-3, min=1e-4, max=1e-1, step=10, log=True), 4, (1e-4, 1e-3, 1e-2, 1e-1)),
        (hp.Bool(True), 2, (True, False)),
        (hp.Choice("a", values=("a", "b", "c")), 3, ("a", "b", "c")),
    ],
)
def test_the_size_counts_what_a_search_may_take(given, size, grid):
    assert given.size == size
    assert given.grid == (pytest.approx(grid) if isinstance(given, hp.Float) else grid)


def test_a_continuous_range_has_no_size_and_ten_samples_beside_its_value():
    given = hp.Float(0.2, min=0, max=1)
    assert given.size is None
    assert given.grid == pytest.approx(
        (0.2, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95)
    )
