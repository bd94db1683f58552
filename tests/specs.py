"""Element specs that many tests build on."""

from collections.abc import Callable

import pytest

from tfpipe.declare.spec import ElementSpec, Feature, Kind, Label

LABELS = {
    "class": Label("label", "class", (), tuple("abcde")),
    "binary": Label("label", "class", (), ("no", "yes")),
    "multilabel": Label("label", "multilabel", (3,), tuple("abc")),
    "regression": Label("label", "real"),
    "regression of two": Label("label", "real", (2,)),
}
MakeSpec = Callable[..., ElementSpec]


@pytest.fixture(scope="session")
def spec_of() -> MakeSpec:
    """Makes a spec of one feature; a label by its name in LABELS, or a number of classes."""

    def make(
        shape: tuple[int, ...] = (16, 16, 3), dtype: str = "uint8", label: str | int = 10
    ) -> ElementSpec:
        kind: Kind = {3: "image", 1: "vector"}.get(len(shape), "array")  # type: ignore[assignment]
        return ElementSpec((Feature("input", shape, dtype, kind),), (label_of(label),))

    return make


def label_of(label: str | int) -> Label:
    return LABELS[label] if isinstance(label, str) else Label("label", "class", (), names(label))


def names(count: int) -> tuple[str, ...]:
    return tuple(str(i) for i in range(count))
