"""What the tests of models share: element specs."""

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
        known = isinstance(label, str)
        chosen = LABELS[label] if known else Label("label", "class", (), names(int(label)))
        return ElementSpec((Feature("input", shape, dtype, kind),), chosen)

    return make


def names(count: int) -> tuple[str, ...]:
    return tuple(str(i) for i in range(count))
