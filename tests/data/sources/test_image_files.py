"""ImageFiles and the names of ImageNet's classes."""

from pathlib import Path

import pytest
import tensorflow_datasets as tfds

from tfpipe.data import ImageFiles
from tfpipe.data.images import imagenet
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import ConfigError, DataError


def test_there_are_a_thousand_classes_and_no_two_alike() -> None:
    names = imagenet.classes()
    assert len(names) == len(set(names)) == 1000
    assert names[:3] == ("tench", "goldfish", "great white shark")
    assert names[-1] == "toilet tissue"
    assert (names[134], names[517]) == ("crane bird", "crane")
    assert (names[638], names[639]) == ("maillot", "maillot tank suit")


def test_the_order_is_that_of_the_data_set() -> None:
    folder = Path(tfds.__file__).parent / "datasets" / "imagenet2012"
    assert list(imagenet.ids()) == (folder / "labels.txt").read_text().split()


def test_networks_of_tensorflow_hub_have_the_background_first() -> None:
    assert imagenet.classes(background=True) == ("background", *imagenet.classes())


def test_a_class_is_found_by_its_wordnet_id() -> None:
    assert imagenet.name_of("n01443537") == "goldfish"
    assert imagenet.name_of("n00000000") is None


def test_the_element_is_one_image_and_its_class() -> None:
    (image,), label = ImageFiles(size=(24, 32)).element()
    assert image == Feature("image", (24, 32, 3), "uint8", "image")
    assert label == Label("label", "class", (), imagenet.classes())


def test_a_resized_picture_is_held_as_large_as_it_is_resized() -> None:
    (image,), _ = ImageFiles(size=(224, 224), resize=(256, 256)).element()
    assert (image.shape, image.kept, image.resize) == ((224, 224, 3), (256, 256), (256, 256))


@pytest.mark.parametrize(
    ("classes", "count"),
    [("imagenet", 1000), ("imagenet+background", 1001), ("coco", 80), (("cat", "dog"), 2)],
)
def test_the_classes_are_published_ones_or_your_own(classes: str, count: int) -> None:
    _, label = ImageFiles(classes=classes).element()
    assert len(label.classes) == count


@pytest.mark.parametrize("classes", [("cat",), (), ("cat", "cat")])
def test_classes_that_cannot_be_told_apart_are_refused(classes: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as error:
        ImageFiles(classes=classes)
    assert str(error.value) == (
        "ImageFiles.classes takes at least two names, each once, or one of 'imagenet', "
        f"'imagenet+background', 'coco'; got {classes}."
    )


def test_a_detector_is_shown_all_of_a_picture_and_finds_boxes() -> None:
    source = ImageFiles(size=(64, 96), classes="coco", fit="letterbox", finds="boxes")
    (image,), label = source.element()
    assert image == Feature("image", (64, 96, 3), "uint8", "image", letterbox=True)
    assert (label.kind, label.shape, len(label.classes)) == ("boxes", (100, 6), 80)
    assert ImageFiles(classes=("cat",), finds="boxes").names == ("cat",)
    with pytest.raises(ConfigError, match="takes at least one name, each once"):
        ImageFiles(classes=(), finds="boxes")
    for options, text in (
        ({"fit": "letterbox"}, "ImageFiles.fit='letterbox' keeps all of a picture"),
        ({"finds": "boxes"}, "ImageFiles.finds='boxes' is of all of a picture"),
    ):
        with pytest.raises(ConfigError) as error:
            ImageFiles(size=(64, 64), resize=(72, 72), **options)
        assert str(error.value) == (
            f"{text}, and resize=(72, 72) cuts out its centre. Leave resize out."
        )


def test_a_resize_smaller_than_what_is_cut_out_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"ImageFiles\.resize=\(128, 128\) is smaller than size"):
        ImageFiles(size=(224, 224), resize=(128, 128))


def test_there_is_nothing_to_train_on() -> None:
    for ask in (ImageFiles().spec, lambda: ImageFiles().input_fn("train")):
        with pytest.raises(DataError) as error:
            ask()
        assert str(error.value) == (
            "ImageFiles holds nothing to train on: its declaration only predicts. Use tfpipe "
            "predict FILE PATH... with image files and folders, or declare data to train on, such "
            "as ImageFolder(PATH)."
        )
