"""What labels are where nobody says it: one rule for all sources."""

from typing import Any

import pytest

from tfpipe.data.labels import MOST_NUMERALS, LabelType, label_kind, numbered


@pytest.mark.parametrize(
    ("values_type", "shape", "distinct", "kind"),
    [
        ("words", (), (), "class"),
        ("integers", (), (), "class"),
        ("integers", (1,), (), "class"),
        ("integers", (3,), (), "multilabel"),
        ("floats", (), (), "real"),
        ("floats", (3,), (), "real"),
        ("numerals", (), {0.0, 1.0}, "class"),
        ("numerals", (), {0.0, 1.0, 3.0}, "real"),
        ("numerals", (), {1.0, 2.0}, "real"),
        ("numerals", (), {0.0, 0.5, 1.0}, "real"),
        ("numerals", (), {0.0}, "real"),
        ("numerals", (), range(MOST_NUMERALS), "class"),
        ("numerals", (), range(MOST_NUMERALS + 1), "real"),
    ],
)
def test_the_kind_of_labels(
    values_type: LabelType, shape: tuple[int, ...], distinct: Any, kind: str
) -> None:
    assert label_kind(values_type, shape, distinct) == kind


def test_classes_that_nobody_named_are_numbered() -> None:
    assert numbered(3) == ("0", "1", "2")
