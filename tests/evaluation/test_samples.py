"""How samples look, and by what a split of them is sliced."""

import io
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.evaluation.samples import chosen, shown
from tfpipe.evaluation.traits import FIRST, Traits, sizes_of

PHOTO = Feature("photo", (4, 6, 3), "uint8", "image")
AGE = Feature("age", (), "float32", "number")
CITY = Feature("city", (), "string", "category")
LABEL = Label("label", "class", (), ("a", "b"))


def test_a_sample_is_a_picture_a_row_a_text_or_a_curve() -> None:
    photo = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    sample = {"photo": photo, "age": np.float32(41.5), "city": np.array(b"K\xc3\xb6ln", object)}
    seen = shown(sample, (PHOTO, AGE, CITY))
    np.testing.assert_array_equal(seen.image, photo)
    assert seen.columns == (("age", "41.5"), ("city", "Köln"))
    picture = Image.open(io.BytesIO(seen.png()))
    assert picture.size == (96, 64), "16 times as large"
    large = shown({"photo": np.zeros((900, 600, 3), np.uint8)}, (PHOTO,))
    assert Image.open(io.BytesIO(large.png())).size == (213, 320)
    reals = shown({"photo": np.array([[[0.0], [0.5]]], np.float32)}, (PHOTO,))
    assert reals.image.tolist() == [[[0], [128]]]
    wide = shown({"photo": np.array([[[-1.0], [3.0]]], np.float32)}, (PHOTO,))
    assert wide.image.tolist() == [[[0], [255]]]
    text = shown({"t": np.array("word " * 200, object)}, (Feature("t", (), "string", "text"),))
    assert (len(text.text), text.text[-1]) == (400, "…")
    series = Feature("s", (20,), "float32", "vector")
    assert shown({"s": np.arange(20.0)}, (series,)).curve.shape == (20, 1)


def test_samples_are_chosen_by_their_row() -> None:
    x = np.arange(10, dtype=np.float32)
    batches = tf.data.Dataset.from_tensor_slices(({"age": x, "city": x}, x)).batch(4)
    spec = ElementSpec((AGE, CITY), (LABEL,))
    found = chosen(batches, [8, 1, 1, 99], spec)
    assert {row: float(sample["age"]) for row, sample in found.items()} == {1: 1.0, 8: 8.0}
    alone = tf.data.Dataset.from_tensor_slices((x, x)).batch(4)
    assert chosen(alone, [5], ElementSpec((AGE,), (LABEL,)))[5]["age"] == 5.0
    assert chosen(alone, [], spec) == {}


def test_traits_of_batches(tmp_path: Path) -> None:
    traits = Traits((AGE, CITY))
    for start in (0, 700):
        city = np.array([b"A", b"B"] * 350, object)
        traits.add({"age": np.arange(start, start + 700.0), "city": city})
    found = traits.traits()
    assert (found["age"][-1], len(found["city"]), found["city"][1]) == (1399.0, 1400, "B")
    assert {name: len(values) for name, values in traits.first().items()} == {
        "age": FIRST,
        "city": FIRST,
    }
    images = Traits((PHOTO,))
    images.add(np.stack([np.zeros((4, 6, 3)), np.full((4, 6, 3), 8)]).astype("uint8"))
    assert images.traits()["brightness"].tolist() == [0.0, 8.0]
    assert images.traits()["contrast"].tolist() == [0.0, 0.0]
    assert images.first() == {}
    files = []
    for width in (2, 3, 3):
        files.append(str(tmp_path / f"{len(files)}.png"))
        Image.new("L", (width, 5)).save(files[-1])
    assert sizes_of(files)["pixels of the file"].tolist() == [10.0, 15.0, 15.0]
    assert sizes_of(files[1:]) == sizes_of(["people.csv:2"]) == sizes_of([]) == {}
    texts = Traits((Feature("t", (), "string", "text"),))
    texts.add(np.array([b"one two", b""], object))
    assert texts.traits()["words"].tolist() == [2, 0]
    vectors = Traits((Feature("v", (2,), "float32", "vector"),))
    vectors.add(np.array([[1.0, 2.0]]))
    assert {name: v.tolist() for name, v in vectors.traits().items()} == {
        "v[0]": [1.0],
        "v[1]": [2.0],
    }
