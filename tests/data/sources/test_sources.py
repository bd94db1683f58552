"""What every source must do, whatever it reads."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from box_sets import Scene, scenes, write_coco, write_tfds, write_voc, write_yolo

from tfpipe.data import (
    COCO,
    CSV,
    TFDS,
    VOC,
    Arrays,
    ImageFolder,
    Sample,
    TextCSV,
    TextFolder,
    TFDSObjects,
    YOLOText,
    augment,
    disk_cache,
)
from tfpipe.data.sources.base import StoredSplits
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import DataError

TRAIN, VALIDATION, TEST = 150, 50, 40  # 200 stored training samples, a quarter held out
BATCH = 32
SHUFFLED: dict[str, Any] = {"batch_size": BATCH, "shuffle": True}

Read = Callable[[Any], list[bytes]]


def arrays(request: pytest.FixtureRequest) -> StoredSplits:
    images = request.getfixturevalue("images")
    return Arrays(lambda: (images(200, 1), images(40, 2)), validation=0.25)


def columns(request: pytest.FixtureRequest) -> StoredSplits:
    def table(size: int, first: int) -> Any:
        number = first + np.arange(size)
        words = [f"word {n % 7}" for n in number]
        return {"size": number / 7, "word": words}, number % 5, 1.0 + number

    return Arrays(lambda: (table(200, 0), table(40, 200)), validation=0.25)


def folder(request: pytest.FixtureRequest) -> Path:
    """An empty folder of the source's own."""
    return cast(Path, request.getfixturevalue("tmp_path_factory").mktemp("source"))


def csv_file(request: pytest.FixtureRequest) -> StoredSplits:
    root = folder(request)

    def write(name: str, size: int, first: int) -> str:
        rows = [f"{n / 7},word {n % 7},{n % 5}" for n in range(first, first + size)]
        file = root / name
        file.write_text("\n".join(["a size,word,label", *rows]))
        return str(file)

    files = {"train": write("train.csv", 200, 0), "test": write("test.csv", 40, 200)}
    return CSV(files, "label", validation=0.25)


def text_csv(request: pytest.FixtureRequest) -> StoredSplits:
    root = folder(request)

    def write(name: str, size: int, first: int) -> str:
        rows = [f'{n % 5 + 1},"Line {n},\nand another."' for n in range(first, first + size)]
        file = root / name
        file.write_text("\n".join(["stars,review", *rows]))
        return str(file)

    files = {"train": write("train.csv", 200, 0), "test": write("test.csv", 40, 200)}
    return TextCSV(files, "review", "stars", label_kind="class", validation=0.25)


def text_folder(request: pytest.FixtureRequest) -> StoredSplits:
    root = folder(request)
    for split, numbers in (("train", range(200)), ("test", range(200, 240))):
        for n in numbers:
            file = root / split / f"class {n % 5}" / f"{n}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"The text of file {n}.")
    return TextFolder(str(root), validation=0.25)


def image_folder(request: pytest.FixtureRequest) -> StoredSplits:
    return ImageFolder(str(request.getfixturevalue("image_folder")), validation=0.25)


def image_folder_on_disk(request: pytest.FixtureRequest) -> StoredSplits:
    token = disk_cache.folder.set(folder(request))
    request.addfinalizer(lambda: disk_cache.folder.reset(token))
    return image_folder(request)


def sample(request: pytest.FixtureRequest) -> StoredSplits:
    feature = Feature("image", (12, 10, 3), "uint8", "image")
    label = Label("label", "class", (), tuple("abcde"))
    return Sample((feature,), label, size=200, validation=0.25)


def tfds(request: pytest.FixtureRequest) -> StoredSplits:
    return TFDS("mnist", validation=0.25, data_dir=request.getfixturevalue("data_dir"))


def of_boxes() -> dict[str, list[Scene]]:
    return {"train": scenes(200, 1), "test": scenes(40, 2)}


BOXES: dict[str, Any] = {"size": (16, 24), "validation": 0.25}


def voc(request: pytest.FixtureRequest) -> StoredSplits:
    return VOC(str(write_voc(folder(request) / "voc", of_boxes())), **BOXES)


def voc_on_disk(request: pytest.FixtureRequest) -> StoredSplits:
    token = disk_cache.folder.set(folder(request))
    request.addfinalizer(lambda: disk_cache.folder.reset(token))
    return voc(request).replace(fit="letterbox")


def coco(request: pytest.FixtureRequest) -> StoredSplits:
    root = write_coco(folder(request) / "coco", of_boxes()) / "annotations"
    train, test = (str(root / f"instances_{name}2017.json") for name in ("train", "test"))
    return COCO(train, test=test, **BOXES)


def yolo_text(request: pytest.FixtureRequest) -> StoredSplits:
    return YOLOText(str(write_yolo(folder(request) / "yolo", of_boxes())), **BOXES)


def tfds_objects(request: pytest.FixtureRequest) -> StoredSplits:
    data_dir = str(write_tfds(folder(request), of_boxes()))
    return TFDSObjects("voc/2007", data_dir=data_dir, **BOXES)


# Each with 200 samples to train on, of which it holds out a quarter, and 40 to test on; no two are
# alike, and they are of 5 or 10 classes in turn, or have boxes.
SOURCES: dict[str, Callable[[pytest.FixtureRequest], StoredSplits]] = {
    "Arrays": arrays,
    "Arrays, a table with weights": columns,
    "CSV": csv_file,
    "TextCSV": text_csv,
    "TextFolder": text_folder,
    "ImageFolder": image_folder,
    "ImageFolder, streamed from disk": image_folder_on_disk,
    "Sample": sample,
    "TFDS": tfds,
    "TFDS, streamed": tfds,
    "VOC": voc,
    "VOC, letterboxed, streamed from disk": voc_on_disk,
    "COCO": coco,
    "YOLOText": yolo_text,
    "TFDSObjects": tfds_objects,
}


@pytest.fixture(params=SOURCES, scope="module")
def source(request: pytest.FixtureRequest) -> StoredSplits:
    """Each source with the same sizes; it is read once, and `replace()` makes a fresh one."""
    return SOURCES[request.param](request)


def has_images(source: StoredSplits) -> bool:
    return any(f.kind == "image" for f in source.element()[0])


def is_class(source: StoredSplits) -> bool:
    return source.element()[1].is_class


@pytest.fixture
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Shuffled batches; streamed where the source's name says so."""
    streamed = "streamed" in request.node.callspec.params["source"]
    return SHUFFLED | {"cache": not streamed}


def batches(source: StoredSplits, split: str = "train", **options: Any) -> list[Any]:
    """Batches of (features by name, labels)."""
    names = [f.name for f in source.element()[0]]
    found = source.input_fn(split, **options).as_numpy_iterator()
    return [(x if isinstance(x, dict) else {names[0]: x}, y) for x, y, *_ in found]


def assert_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert list(one) == list(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_the_same_seed_gives_the_same_order(
    source: StoredSplits, options: dict[str, Any], samples: Read
) -> None:
    first = samples(source.input_fn("train", **options))
    assert samples(source.input_fn("train", **options)) == first
    assert samples(source.replace().input_fn("train", **options)) == first


def test_another_epoch_has_another_order_of_the_same_samples(
    source: StoredSplits, options: dict[str, Any], samples: Read
) -> None:
    epochs = [samples(source.input_fn("train", epoch=e, **options)) for e in (0, 1, 2)]
    assert len({tuple(order) for order in epochs}) == 3
    assert set(epochs[0]) == set(epochs[1]) == set(epochs[2])


def test_another_seed_gives_another_order_and_holds_out_others(
    source: StoredSplits, options: dict[str, Any], samples: Read
) -> None:
    one = samples(source.input_fn("train", seed=1, **options))
    other = samples(source.input_fn("train", seed=2, **options))
    assert one != other
    assert set(one) != set(other)


def test_unshuffled_is_in_stored_order(
    source: StoredSplits, options: dict[str, Any], samples: Read
) -> None:
    plain = options | {"shuffle": False}
    first = samples(source.input_fn("train", **plain))
    assert first == samples(source.input_fn("train", epoch=1, **plain))
    assert first != samples(source.input_fn("train", **options))


def test_an_epoch_sees_each_sample_once(
    source: StoredSplits, options: dict[str, Any], samples: Read
) -> None:
    for split, size in (("train", TRAIN), ("validation", VALIDATION), ("test", TEST)):
        for epoch in (0, 1):
            seen = Counter(samples(source.input_fn(split, epoch=epoch, **options)))
            assert len(seen) == size
            assert set(seen.values()) == {1}


def test_splits_have_no_sample_in_common(
    source: StoredSplits, options: dict[str, Any], samples: Read
) -> None:
    parts = [set(samples(source.input_fn(s, **options))) for s in ("train", "validation", "test")]
    assert len(set.union(*parts)) == TRAIN + VALIDATION + TEST


def test_a_held_out_part_has_the_classes_in_the_same_shares(
    source: StoredSplits, options: dict[str, Any]
) -> None:
    if not is_class(source):
        pytest.skip("has no class for each sample")
    held_out = np.concatenate([y for _, y in batches(source, "validation", **options)])
    counts = np.bincount(held_out)
    assert max(counts) - min(counts) <= 1


def test_a_position_leaves_out_batches(source: StoredSplits, options: dict[str, Any]) -> None:
    changes = (augment.flip(), augment.brightness(0.2)) if has_images(source) else ()
    augmented = options | {"augment": changes}
    whole = batches(source, epoch=1, **augmented)
    fresh = source.replace()
    for position in (2, 5):
        resumed = batches(fresh, epoch=1, position=position, **augmented)
        assert len(resumed) == len(whole) - position
        for (x, y), (own_x, own_y) in zip(whole[position:], resumed, strict=True):
            assert_equal(x, own_x)
            np.testing.assert_array_equal(y, own_y)


def test_declared_steps_go_on_through_the_data_from_epoch_to_epoch(
    source: StoredSplits, options: dict[str, Any], samples: Read
) -> None:
    steps = options | {"batch_size": 30, "steps": 2}
    epochs = [samples(source.input_fn("train", epoch=e, **steps)) for e in range(4)]
    assert {len(order) for order in epochs} == {60}
    seen = [identity for order in epochs for identity in order]
    assert set(Counter(seen[:TRAIN]).values()) == {1}  # the first pass ends within the third epoch
    assert set(Counter(seen[TRAIN:]).values()) == {1}
    last = options | {"batch_size": 30, "steps": 2, "epoch": 3}
    assert samples(source.input_fn("train", position=2, **last)) == []


def test_the_last_batch_is_smaller_or_left_out(
    source: StoredSplits, options: dict[str, Any]
) -> None:
    kept = [len(y) for _, y in batches(source, **options)]
    assert kept == [32, 32, 32, 32, 22]
    dropped = [len(y) for _, y in batches(source, drop_remainder=True, **options)]
    assert dropped == [32, 32, 32, 32]


def test_the_spec_is_true_to_the_elements(source: StoredSplits, options: dict[str, Any]) -> None:
    spec = source.spec()
    assert spec.splits == {"train": TRAIN, "validation": VALIDATION, "test": TEST}
    for split, size in spec.splits.items():
        found = batches(source, split, **options)
        assert sum(len(y) for _, y in found) == size
        for x, y in found:
            assert list(x) == [f.name for f in spec.features]
            for feature in spec.features:
                values = x[feature.name]
                assert values.shape[1:] == feature.shape
                assert values.dtype == (object if feature.dtype == "string" else feature.dtype)
            assert y.shape[1:] == spec.label.shape
            assert y.dtype == spec.label.dtype
            indices = y if is_class(source) else y[..., 4][y[..., 4] >= 0]
            assert 0 <= indices.min() <= indices.max() < len(spec.classes)
    assert source.element() == (spec.features, spec.label)


def test_the_data_set_knows_its_shapes(source: StoredSplits, options: dict[str, Any]) -> None:
    for batch_size, more in ((None, {}), (BATCH, {"drop_remainder": True})):
        x, y, *_ = source.input_fn("train", **options, **more).element_spec
        named = x if isinstance(x, dict) else {source.spec().feature.name: x}
        for feature in source.spec().features:
            assert tuple(named[feature.name].shape) == (batch_size, *feature.shape)
        assert tuple(y.shape) == (batch_size, *source.spec().label.shape)


def test_an_augmented_epoch_has_the_same_labels_and_other_images(
    source: StoredSplits, options: dict[str, Any]
) -> None:
    if not has_images(source):
        pytest.skip("has no images to augment")
    plain = batches(source, **options)
    changed = batches(source, augment=(augment.brightness(0.4),), **options)
    again = batches(source, augment=(augment.brightness(0.4),), **options)
    for (x, y), (other, labels), (same, _) in zip(plain, changed, again, strict=True):
        np.testing.assert_array_equal(y, labels)
        assert_equal(other, same)
        assert not np.array_equal(x["image"], other["image"])


def test_an_unknown_split_is_refused(source: StoredSplits, options: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"has no split 'tset'\. Did you mean 'test'\?"):
        source.input_fn("tset", **options)


def test_a_batch_larger_than_the_training_split_is_refused(
    source: StoredSplits, options: dict[str, Any]
) -> None:
    text = "batch_size=151 is larger than the training split of 150 samples. Use at most 150."
    with pytest.raises(DataError) as caught:
        source.input_fn("train", **options | {"batch_size": 151})
    assert str(caught.value) == text
    assert len(batches(source, "test", **options | {"batch_size": 151})) == 1


def test_a_share_that_leaves_a_split_empty_is_refused(source: StoredSplits) -> None:
    with pytest.raises(DataError) as caught:
        source.replace(validation=200).spec()
    assert str(caught.value) == (
        "The train split is empty: 200 training samples were found. Hold out less, or use more "
        "data."
    )


def test_a_number_takes_the_last_rows(source: StoredSplits, samples: Read) -> None:
    in_order = {"batch_size": 32, "cache": True}
    whole = samples(source.replace(validation=None).input_fn("train", **in_order))
    chosen = source.replace(validation=30)
    assert samples(chosen.input_fn("train", **in_order)) == whole[:-30]
    assert samples(chosen.input_fn("validation", **in_order)) == whole[-30:]


def test_the_classes_are_counted_split_by_split(source: StoredSplits) -> None:
    spec, counts = source.spec(3), source.class_counts(3)
    if not is_class(source):
        assert counts == {}
        return
    assert {split: sum(c.values()) for split, c in counts.items()} == spec.splits
    for split in spec.splits:
        found = np.concatenate([y for _, y in batches(source, split, batch_size=50, seed=3)])
        each = np.bincount(found, minlength=len(spec.classes)).tolist()
        assert counts[split] == dict(zip(spec.classes, each, strict=True))


def test_reading_all_of_it_finds_nothing_wrong(source: StoredSplits) -> None:
    source.verify()
    assert source.notes() == []


def test_validating_on_the_training_split_is_refused(source: StoredSplits) -> None:
    with pytest.raises(DataError, match="training split"):
        source.replace(validation="train").spec()


def test_validating_on_the_test_split_is_said(source: StoredSplits, samples: Read) -> None:
    test = getattr(source, "test")  # noqa: B009 (each source has one of its own)
    chosen = source.replace(validation=test)
    assert chosen.spec().splits == {"train": 200, "validation": 40, "test": 40}
    assert chosen.notes() == [
        f"The test split ({test!r}) was used for validation: early stopping and the choice of the "
        "best epoch have seen it."
    ]
    validation, test = (samples(chosen.input_fn(s, batch_size=8)) for s in ("validation", "test"))
    assert validation == test
    assert source.notes() == []


def test_no_validation_and_no_test(source: StoredSplits) -> None:
    assert source.replace(validation=None, test=None).spec().splits == {"train": 200}


def test_streamed_and_kept_data_have_the_same_members(data_dir: str, samples: Read) -> None:
    source = TFDS("mnist", validation=0.25, data_dir=data_dir)
    for split in ("train", "validation", "test"):
        kept = samples(source.input_fn(split, cache=True, batch_size=32, seed=3))
        streamed = samples(source.input_fn(split, cache=False, batch_size=32, seed=3))
        assert kept == streamed
