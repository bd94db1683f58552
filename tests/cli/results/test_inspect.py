"""`tfpipe inspect`: a run's page, and what is said where there can be none."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tfpipe as package
from tfpipe.declare.loading import load
from tfpipe.verbs.run import run

Inspect = Callable[..., Any]


@pytest.fixture(scope="module")
def trained(small_job: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run of small images of three classes."""
    root = tmp_path_factory.mktemp("trained")
    (root / "small.py").write_text(small_job)
    run(load(str(root / "small.py"), ("epochs=1",)), export=False, root=root)
    return root


@pytest.fixture
def inspect(tfpipe: Any, trained: Path, tmp_path: Path) -> Inspect:
    """Calls `tfpipe inspect` in a folder that has a copy of the run."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return lambda *words: tfpipe("inspect", *words)


def change_spec(change: Callable[[dict[str, Any]], None]) -> None:
    """Change what a run's records say of its data."""
    [file] = Path("runs").glob("*/*/config.json")
    config = json.loads(file.read_text())
    change(config)
    file.write_text(json.dumps(config))


def refused(answer: Any, *texts: str) -> None:
    assert answer.code == 2
    assert answer.out == "" or "Traceback" not in answer.out
    assert "Traceback" not in answer.err
    for text in texts:
        assert text in " ".join(answer.err.split()), answer.err


def test_images_of_the_data_and_files(inspect: Inspect) -> None:
    answer = inspect("last")
    assert answer.code == 0, answer.err
    assert answer.out.count("test ") == 4
    assert "inspect.html" in answer.out
    [page] = Path("runs").glob("*/*/report/inspect.html")
    assert "<script" in page.read_text()
    # Each class is shown first; then others.
    answer = inspect("last", "--samples", 3, "--json", "--to", "new folder/page.html")
    found = json.loads(answer.out)
    assert {image["truth"] for image in found["images"]} == {"dark", "grey", "bright"}
    assert found["page"] == "new folder/page.html"
    assert found["bytes"] == Path("new folder/page.html").stat().st_size
    hostile = "</script>[b]x.png"
    Path(hostile).parent.mkdir()
    pixels = np.full((20, 30, 3), 200, np.uint8)
    Image.fromarray(pixels).save(hostile)
    Image.fromarray(pixels).save("plain.jpg")
    answer = inspect("last", hostile, "plain.jpg", "--to", "files.html")
    assert answer.code == 0, answer.err
    assert "[b]x.png" in answer.out
    assert "</script>[b]" not in Path("files.html").read_text()
    # What is shown of a file is what predict says of it.
    found = package.inspect("last", ["plain.jpg"], to="files.html")
    [said] = package.predict("last", ["plain.jpg"])
    ((name, probability), *_) = said.outputs[""]
    assert found["images"] == [
        {"name": "plain.jpg", "truth": "", "answer": f"{name} {probability:.0%}"}
    ]


def test_what_cannot_be_shown(inspect: Inspect, tmp_path: Path) -> None:
    refused(inspect("nothing"), "nothing")
    refused(inspect("last", "--samples", 0), "0 samples were asked for. Give 1 to 16, such as 4.")
    Path("broken.png").write_bytes(b"no image")
    Path("notes.txt").write_text("words")
    refused(
        inspect("last", "broken.png", "lacking.png", "notes.txt"),
        "broken.png",
        "lacking.png is no file or folder.",
        "notes.txt",
        "Name image files, such as PNG and JPEG.",
    )
    Path("many").mkdir()
    for i in range(17):
        Image.new("RGB", (8, 8)).save(f"many/{i}.png")
    refused(inspect("last", "many"), "More than 16 images were given")
    Path("file").touch()
    refused(inspect("last", "--to", "file/page.html"), "file")
    refused(inspect("last", "--to", "many"), "is a directory")


def set_spec(**changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        feature = json.dumps(config["spec"])
        for old, new in changes.items():
            assert old in feature, feature
            feature = feature.replace(old, new)
        config["spec"] = json.loads(feature)

    return change


def test_models_that_are_no_small_image_classifiers(inspect: Inspect) -> None:
    [file] = Path("runs").glob("*/*/config.json")
    before = file.read_text()
    name = f"{file.parents[1].name}/{file.parent.name}"
    for changes, texts in (
        ({'"kind": "image"': '"kind": "text"'}, [f"{name} reads", "(text); tfpipe inspect shows"]),
        ({'"kind": "image"': '"kind": "number"'}, ["(number)", f"tfpipe evaluate {name}"]),
        ({"8, 8, 3": "224, 224, 3"}, ["224x224: 50,176 pixels; the limit is 16,384 pixels"]),
        ({"8, 8, 3": "0, 0, 3"}, ["of any size; the limit is"]),
        ({'"kind": "class"': '"kind": "real"'}, ["of the task regression; tfpipe inspect shows"]),
    ):
        change_spec(set_spec(**changes))
        refused(inspect("last"), *texts)
        file.write_text(before)

    def twice(config: dict[str, Any]) -> None:
        config["spec"] = json.loads(json.dumps(config["spec"]))
        features = next(v for v in _lists(config["spec"]) if "image" in json.dumps(v))
        features.append(features[0])

    change_spec(twice)
    refused(inspect("last"), "tfpipe inspect shows models that read one image")
    file.write_text(before)
    (file.parent / "checkpoints" / "best.keras").unlink()
    refused(inspect("last"), "has lost its best model")
    (file.parent / "metrics.csv").unlink()
    refused(inspect("last"), "it was stopped before the end of its first epoch")


def _lists(value: Any) -> Any:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inside:
        if isinstance(item, list):
            yield item
        yield from _lists(item)
