"""Pictures that a model is asked about: in which order, frames of clips, what is drawn of them."""

import io
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError
from tfpipe.jobs.predict import images
from tfpipe.jobs.predict.answering import TrainedModel
from tfpipe.jobs.predict.figures import Figures, caption, in_order
from tfpipe.jobs.predict.paths import in_natural_order
from tfpipe.jobs.predict.predictor import Predictor
from tfpipe.tasks import task_for

PARTS = (Label("hue", "class", (), ("red", "green", "blue")), Label("light", "real"))
FEATURE = Feature("image", (4, 4, 3), "uint8", "image")


def hue(image: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
    mean = tf.reduce_mean(tf.cast(image, tf.float32), [1, 2])
    return {"hue": mean, "light": tf.reduce_mean(mean, 1, keepdims=True)}


@pytest.fixture
def hues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Predictor:
    """A model that names the colour of a picture, and says how bright it is."""
    monkeypatch.chdir(tmp_path)
    spec = ElementSpec((FEATURE,), (Label("labels", "several", parts=PARTS),))
    task = task_for(spec)
    return Predictor("hues", lambda: TrainedModel(hue, task, spec), task, spec)  # type: ignore[arg-type]


def paint(path: str, *colours: int) -> None:
    pixels = np.full((4, 4, 3), colours, np.uint8)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(tf.io.encode_png(pixels).numpy())


def test_numbered_files_are_in_natural_order_where_all_are() -> None:
    frames = [f"clip/f{n}.png" for n in (1, 10, 2)]
    mixed = ["a/10.png", "a/9.png", "a/b.png"]
    others = ["c/x10.png", "c/y9.png"]
    plain = [f"{n}.jpg" for n in (100, 11, 2)]
    given = [*frames, *mixed, *others, *plain]
    assert in_natural_order(given) == [
        *("clip/f1.png", "clip/f2.png", "clip/f10.png"),
        *mixed,
        *others,
        *("2.jpg", "11.jpg", "100.jpg"),
    ]


def test_patterns_folders_and_piped_paths(hues: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    paint("a/f2.png", 200, 0, 0)
    paint("a/f10.png", 0, 200, 0)
    paint("b/deep/z.png", 0, 0, 200)
    raw = io.BufferedReader(io.BytesIO(b"a/f2.png\n\nb\nno.png\n"))  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(raw))
    answers = [*hues.answers(["**/*.png", "[ab]", "-"], top=1)]
    frames = ["a/f2.png", "a/f10.png"]
    every = [*frames, "b/deep/z.png"]
    assert [a.file for a in answers] == [*every, *every, "a/f2.png", "b/deep/z.png", "no.png"]
    assert [a.values[0][0] for a in answers[:3]] == ["hue: red", "hue: green", "hue: blue"]
    assert answers[-1].error == "is no file or folder. There is: a, b."
    raw = io.BufferedReader(io.BytesIO(b"\n"))  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(raw))
    assert [(a.file, a.error) for a in hues.answers(["-"])] == [("stdin", "is empty.")]


class Clip:
    """OpenCV's reader of a clip of four frames: blue, green, one that is damaged, red."""

    def __init__(self, file: str) -> None:
        colours = ((9, 0, 0), (0, 9, 0), None, (0, 0, 9))
        self._frames = iter(colours if Path(file).stat().st_size else ())
        self.opened = True

    def get(self, what: int) -> float:
        assert what == 5
        return 0.025

    def grab(self) -> bool:
        self._frame = next(self._frames, "end")
        return self._frame != "end"

    def retrieve(self) -> tuple[bool, Any]:
        sound = self._frame is not None
        return sound, np.full((6, 8, 3), self._frame, np.uint8) if sound else None

    def release(self) -> None:
        self.opened = False


def test_frames_of_a_clip_are_told_by_their_time(
    hues: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    cv2: Any = ModuleType("cv2")
    cv2.VideoCapture, cv2.CAP_PROP_FPS = Clip, 5
    monkeypatch.setitem(sys.modules, "cv2", cv2)
    Path("clip.MP4").write_bytes(b"any")
    Path("none.avi").touch()
    answers = [*hues.answers(["clip.MP4", "none.avi"], top=1)]
    assert [(a.file, a.error or a.values[0][0]) for a in answers] == [
        ("clip.MP4 at 0:00.00", "hue: blue"),
        ("clip.MP4 at 0:40.00", "hue: green"),
        ("clip.MP4 at 1:20.00", "is a frame that is damaged"),
        ("clip.MP4 at 2:00.00", "hue: red"),
        ("none.avi", "is no clip that OpenCV can read"),
    ]
    every = [a.file for a in hues.answers(["clip.MP4"], every=3)]
    assert every == ["clip.MP4 at 0:00.00", "clip.MP4 at 2:00.00"]


def test_a_clip_without_opencv_says_what_installs_it(
    hues: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    Path("clip.mp4").write_bytes(b"any")
    (answer,) = hues.answers(["clip.mp4"])
    assert answer.error == (
        "is a clip, which OpenCV reads. Install it with: pip install 'tfpipe[video]'"
    )


def test_signs_are_cut_out_of_files_and_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hues: Predictor
) -> None:
    """A model that says how light the middle is gets the ink in it, wherever that was."""
    label = Label("place", "class", (), ("middle", "edge"))
    spec = ElementSpec((Feature("image", (28, 28, 1), "uint8", "image"),), (label,))

    def places(image: tf.Tensor, training: bool) -> tf.Tensor:
        return tf.cast(255 - 2 * tf.cast(image[:, 13, 13], tf.int32), tf.float32)

    task = task_for(spec)
    ready = Predictor("signs", lambda: TrainedModel(places, task, spec), task, spec, decodes=True)  # type: ignore[arg-type]
    sheet = np.full((90, 120, 3), 240, np.uint8)
    sheet[60:80, 90:110] = 20
    Image.fromarray(sheet).save("sheet.png")
    Path("broken.png").write_bytes(b"\x89PNG and no more")
    Path("clip.mp4").write_bytes(b"any")
    monkeypatch.setattr(images, "frames", lambda file, every: [(f"{file} at 0:00.00", 255 - sheet)])
    files = ["sheet.png", "clip.mp4", "broken.png"]
    answers = [*ready.answers(files, images=True, signs=True)]
    assert [a.values[0][0] for a in answers[:2]] == ["middle", "middle"]
    assert [a.image.max() for a in answers[:2] if a.image is not None] == [255, 255]
    assert answers[2].error == "is truncated or damaged (PNG)"
    (as_it_is,) = ready.answers(["sheet.png"], images=True)
    assert as_it_is.image is not None
    assert as_it_is.image[0, 0, 0] == 240
    with pytest.raises(ConfigError) as refused:
        next(hues.answers(files, signs=True))
    assert str(refused.value) == (
        "--signs is for models of grey pictures, and hues reads image of shape (4, 4, 3)."
    )


def test_bars_of_all_classes_are_in_their_order() -> None:
    task = task_for(ElementSpec((FEATURE,), (PARTS[0],)))
    said = (("blue", 0.7), ("red", 0.2), ("green", 0.1))
    assert in_order(said, task) == (("red", 0.2), ("green", 0.1), ("blue", 0.7))
    assert in_order(said[:2], task) == said[:2]
    assert in_order((("light", 3.0),), task_for(ElementSpec((FEATURE,), (PARTS[1],)))) == (
        ("light", 3.0),
    )


def test_figures_have_a_caption_and_a_name_that_is_no_path(hues: Predictor) -> None:
    paint("in/../$x$ é/cat.png", 200, 0, 0)
    paint("b.png", 0, 90, 0)
    Path("broken.png").touch()
    files = ["in/../$x$ é/cat.png", "b.png", "broken.png"]
    answers = [*hues.answers(files, images=True)]
    assert caption(answers[0], hues.outputs) == "hue: red 100%, light: 66.6667"
    alone, sheet = Figures(Path("alone"), 1, hues), Figures(Path("sheets"), 25, hues)
    for figures in (alone, sheet):
        figures.add(answers)
        figures.end()
    assert (alone.written, sheet.written) == (2, 1)
    assert sorted(p.name for p in Path("alone").iterdir()) == [
        "0001_in_x_cat_png.png",
        "0002_b_png.png",
    ]
    (page,) = Path("sheets").iterdir()
    assert page.name == "page_0001.png"
    for path in (*Path("alone").iterdir(), page):
        with Image.open(path) as image:
            colours = {c for _, c in image.convert("RGB").getcolors(1 << 20) or ()}
        assert (53, 114, 176) in colours  # of the bars
    with Image.open("alone/0001_in_x_cat_png.png") as image:
        assert (200, 0, 0) in {c for _, c in image.convert("RGB").getcolors(1 << 20) or ()}


def test_figures_are_of_pictures(tmp_path: Path) -> None:
    spec = ElementSpec((Feature("n", (), "float32", "number"),), (Label("y", "real"),))
    rows = Predictor("rows", lambda: pytest.fail("It is loaded."), task_for(spec), spec)
    with pytest.raises(ConfigError) as error:
        Figures(tmp_path / "figures", 1, rows)
    assert str(error.value) == "--figures draws pictures, and rows reads n (number)."
    assert not (tmp_path / "figures").exists()
