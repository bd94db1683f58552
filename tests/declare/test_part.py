"""Parts: small frozen values with named, typed fields."""

import copy
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from tfpipe import hp, keras
from tfpipe.data import TFDS, augment
from tfpipe.declare.field_types import DurationField, Positive
from tfpipe.declare.part import Part
from tfpipe.errors import ConfigError
from tfpipe.models import CNN_2_4_6, MLP


class Wall(Part):
    """One required field, and a field of most kinds."""

    material: str
    height: float = 1
    stones: Positive = 3
    drying: DurationField = "10m"  # type: ignore[assignment]
    holes: tuple[Any, ...] = ()
    labels: dict[str, Any] = {}  # noqa: RUF012
    paint: Callable[..., Any] | None = None
    strong: ClassVar[bool] = True


def size(stones):
    return stones


def test_fields_are_given_by_position_or_by_name():
    assert Wall("brick", 2.5) == Wall(material="brick", height=2.5)


def test_fields_have_their_defaults_in_order_of_declaration():
    assert list(Wall.fields()) == [
        "material",
        "height",
        "stones",
        "drying",
        "holes",
        "labels",
        "paint",
    ]
    assert Wall("brick").stones == 3


def test_a_class_variable_is_no_field():
    assert "strong" not in Wall.fields()


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "Wall needs a value for 'material'."),
        (("brick",), {"hight": 2}, "Wall has no field 'hight'. Did you mean 'height'?"),
        (("brick",), {"material": "clay"}, "Wall got 'material' twice: by position and by name."),
        (
            range(8),
            {},
            "Wall takes at most 7 values (material, height, stones, drying, holes, labels, paint), "
            "got 8.",
        ),
        (
            ("brick",),
            {"zzz": 1},
            "Wall has no field 'zzz'. "
            "There is: drying, height, holes, labels, material, paint, stones.",
        ),
    ],
)
def test_what_does_not_fit_the_fields_is_refused(args, kwargs, message):
    with pytest.raises(ConfigError) as error:
        Wall(*args, **kwargs)
    assert str(error.value) == message


def test_a_part_is_frozen():
    wall = Wall("brick")
    with pytest.raises(ConfigError) as error:
        wall.height = 2
    assert str(error.value) == "Wall is frozen: make a changed copy with replace(height=...)."
    with pytest.raises(ConfigError, match=r"^Wall is frozen\.$"):
        del wall.height


def test_replace_changes_a_copy():
    wall = Wall("brick", stones=5)
    assert wall.replace(height=2) == Wall("brick", 2, stones=5)
    assert wall == Wall("brick", stones=5)


def test_replace_refuses_an_unknown_field():
    with pytest.raises(ConfigError, match=r"^Wall has no field 'stone'. Did you mean 'stones'\?$"):
        Wall("brick").replace(stone=5)


def test_a_list_that_was_given_cannot_change_the_part():
    holes = [1, [2]]
    wall = Wall("brick", holes=holes)
    holes[1].append(3)
    assert wall.holes == (1, (2,))


def test_parts_of_different_classes_are_different():
    class Fence(Wall):
        pass

    assert Wall("wood") != Fence("wood")
    assert Wall("wood") != "wood"


def test_equal_parts_have_equal_hashes():
    first = Wall("brick", labels={"a": 1, "b": keras.losses.Huber(delta=1, name="x")})
    second = Wall("brick", labels={"b": keras.losses.Huber(name="x", delta=1.0), "a": True})
    assert first == second
    assert hash(first) == hash(second)
    assert len({first, second, Wall("clay")}) == 2


@pytest.mark.parametrize(
    "declaration",
    [
        "Wall('brick')",
        "Wall('brick', height=2.0)",
        "Wall('brick', drying='90s')",
        "Wall('brick', holes=(1, (2,)), labels={'a': (), 'b': None})",
        "Wall('brick', paint=size)",
        "Wall('brick', height=hp.Float(1.0, min=0.5, max=2.0))",
        "Wall('brick', holes=(hp.Choice('a', values=('a', 'b')), hp.Bool(True)))",
        "Wall('brick', holes=(keras.layers.Dense(units=3, activation='relu'),))",
        "TFDS('cifar10', validation=0.05)",
        "CNN_2_4_6(dropout=(0.2, 0.3, 0.3), batch_norm=True, l2=0.0001)",
        "MLP(units=())",
        "hp.Int(64, min=16, max=256, step=16)",
    ],
)
def test_repr_is_the_declaration(declaration):
    names = {"Wall": Wall, "size": size, "keras": keras, "hp": hp}
    names |= {"TFDS": TFDS, "CNN_2_4_6": CNN_2_4_6, "MLP": MLP}
    value = eval(declaration, names)
    assert repr(value) == declaration
    assert eval(repr(value), names) == value


def test_repr_leaves_out_what_is_default():
    assert repr(Wall("brick", height=1.0, stones=3, drying="600s")) == "Wall('brick')"
    assert repr(augment.flip(horizontal=True)) == "flip()"


def test_a_part_can_be_copied_and_pickled():
    part = CNN_2_4_6(dropout=hp.Float(0.2, min=0.0, max=0.5))
    assert copy.deepcopy(part) == part
    assert pickle.loads(pickle.dumps(part)) == part


def test_a_subclass_adds_fields_and_changes_defaults():
    class Tower(Wall):
        height = 30.0
        bells: int = 1

    assert list(Tower.fields())[-1] == "bells"
    assert Tower("brick").height == 30.0
    assert repr(Tower("brick")) == "Tower('brick')"


def test_validate_sees_more_than_one_field():
    with pytest.raises(
        ConfigError,
        match=r"^CNN_2_4_6.dropout has 2 rates; 6 convolutions are 3 blocks: give one number, or 3",
    ):
        CNN_2_4_6(convs=6, dropout=(0.1, 0.2))


def test_a_field_whose_type_is_unknown_is_refused():
    class Door(Part):
        width: "Metres" = 1  # noqa: F821

    with pytest.raises(ConfigError) as error:
        Door()
    assert str(error.value) == "Door has a field of an unknown type: name 'Metres' is not defined."
