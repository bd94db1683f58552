"""Exports that answer with images: of any size, as the run does, in parts as the whole."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tfpipe
from tfpipe import Pipeline
from tfpipe.data import ImagePairs, augment
from tfpipe.data.images.sample_images import sample_images
from tfpipe.errors import ModelError
from tfpipe.models import EDSR
from tfpipe.verbs.predict import predict


class Larger(Pipeline):
    data = ImagePairs("photos", shrink=2, crop=24, crops=2, validation=2, test=2)
    augment = (augment.flip(),)
    model = EDSR(scale=2, blocks=1, filters=8)
    batch_size = 4
    epochs = 2


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A run and its folder, in which the photographs lie that it was trained on."""
    root = tmp_path_factory.mktemp("run")
    (root / "photos").mkdir()
    for number, image in enumerate(sample_images(8, 40, 3, 0)):
        Image.fromarray(image).save(root / "photos" / f"{number}.png")
    return tfpipe.run(of_photos(root), root=root, quiet=True), root


def of_photos(root: Path) -> Larger:
    return Larger(data=ImagePairs(**{**dict(Larger.data.items()), "path": str(root / "photos")}))


# Importing what is None in sys.modules is an ImportError.
ASK = """
import sys
sys.modules["keras"] = sys.modules["tfpipe"] = None
import tensorflow as tf
ask = tf.saved_model.load(sys.argv[1]).signatures
files = [open(path, "rb").read() for path in sys.argv[2:]]
answers = ask["serving_bytes"](bytes=tf.constant(files))["image_bytes"].numpy()
for path, answer in zip(sys.argv[2:], answers):
    open(path + ".larger.png", "wb").write(answer)
one = tf.io.decode_image(files[0], 3)[None]
same = ask["serving_default"](image=one)["image"].numpy()[0]
print(abs(same.astype(int) - tf.io.decode_png(answers[0]).numpy()).max())
"""


def test_an_export_enlarges_photographs_of_any_size_as_the_run_does(
    trained: tuple[Any, Path],
) -> None:
    run, root = trained
    (export,) = run.exported
    large = np.tile(sample_images(1, 96, 3, 1)[0], (4, 3, 1))[:350, :280]
    Image.fromarray(large).save(root / "large.png")
    Image.fromarray(large[:30, :41]).save(root / "small.jpg", quality=95)
    (root / "3.png").write_bytes((root / "photos" / "3.png").read_bytes())
    files = [str(root / name) for name in ("large.png", "small.jpg", "3.png")]
    asked = [sys.executable, "-c", ASK, str(export), *files]
    output = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=root).stdout
    assert int(output.splitlines()[-1]) == 0
    for target in (run.name, str(export)):
        for file, answer in zip(files, predict(target, files, root=root), strict=True):
            assert answer.answer is not None
            with Image.open(f"{file}.larger.png") as larger, Image.open(file) as given:
                served, (width, height) = np.asarray(larger), given.size
            assert answer.answer.shape == served.shape == (2 * height, 2 * width, 3)
            assert np.abs(served.astype(int) - answer.answer).max() <= 1
    contract = json.loads((export / "assets" / "contract.json").read_text())
    assert (contract["output"], contract["tolerance"]) == ("image", 1.0)
    assert tfpipe.verify(str(export))["differences"].keys() == {"serving_default", "serving_bytes"}
    with pytest.raises(ModelError, match=r"would hold the answers for images of one size alone"):
        tfpipe.export(run.name, root=root, format="onnx")


def test_the_report_compares_with_what_was_given(trained: tuple[Any, Path]) -> None:
    run, _ = trained
    report = json.loads((run.directory / "report" / "report.json").read_text())
    found = report["test"]["images"]
    assert report["baselines"] == [
        {"name": "bicubic enlargement", "score": found["baseline"]["psnr"]}
    ]
    assert run.metrics["test"]["psnr"] == pytest.approx(found["model"]["psnr"], abs=0.05)
    page = (run.directory / "report" / "report.html").read_text()
    assert "Gained least" in page or "All of them" in page
    assert page.count("data:image/png") >= 2
    assert "bicubic enlargement" in page
    boards = [*(run.directory / "tensorboard" / "validation").glob("*tfevents*")]
    assert any(b"answers/1" in board.read_bytes() for board in boards)


def test_images_are_written_and_named(
    trained: tuple[Any, Path], tfpipe: Any, tmp_path: Path
) -> None:
    run, root = trained
    photo = str(root / "photos" / "3.png")
    (tmp_path / "other").mkdir()
    Image.open(photo).save(tmp_path / "other" / "3.bmp")
    (tmp_path / "broken.png").write_bytes(b"none")
    paths = [photo, str(tmp_path / "other" / "3.bmp"), str(tmp_path / "broken.png")]

    def ask(*words: str) -> Any:
        return tfpipe("predict", run.name, "--root", str(root), *words)

    refused = ask(photo)
    assert refused.code == 2
    assert "answers with images: say where to write them, such as --to answers" in refused.err
    answered = ask(*paths, "--to", str(tmp_path / "out"), "--format", "csv")
    assert answered.code == 1
    rows = [line.split(",") for line in answered.out.splitlines()]
    assert rows[0] == ["file", "image", "height", "width", "error"]
    assert [Path(row[1]).name for row in rows[1:]] == ["3.png", "3_2.png", ""]
    assert "is no JPEG, PNG" in answered.out
    first, second = (np.asarray(Image.open(tmp_path / "out" / n)) for n in ("3.png", "3_2.png"))
    np.testing.assert_array_equal(first, second)
    as_json = ask(photo, "--to", str(tmp_path / "out"), "--json")
    (found,) = json.loads(as_json.out)
    assert Path(found["image"]).name == "3_3.png"  # nothing is written over
    refused = ask(photo, "--to", str(tmp_path / "out"), "--figures", str(tmp_path / "figures"))
    assert "--figures draws bars beside pictures. Leave it out." in refused.err
    assert (found["height"], found["width"]) == first.shape[:2]


def test_a_run_is_resumed_bit_for_bit(trained: tuple[Any, Path], tmp_path: Path) -> None:
    whole, root = trained
    pipeline = of_photos(root)
    tfpipe.run(pipeline.replace(epochs=1), root=tmp_path, quiet=True, export=False)
    tfpipe.resume("last", pipeline=pipeline, root=tmp_path, quiet=True, export=False)
    (run,) = (tmp_path / "runs").glob("*/*/checkpoints/state-0002-*")
    states = [run, *(whole.directory / "checkpoints").glob("state-0002-*")]
    arrays = [dict(np.load(io.BytesIO((s / "arrays.npz").read_bytes()))) for s in states]
    differ = [n for n in arrays[1] if not np.array_equal(arrays[0][n], arrays[1][n])]
    described = json.loads((states[1] / "state.json").read_text())["variables"]
    assert [described[int(name)]["path"] for name in differ] == []


def test_a_look_at_pairs_of_many_sizes(trained: tuple[Any, Path], tfpipe: Any) -> None:
    _, root = trained
    Image.fromarray(sample_images(1, 60, 3, 9)[0][:50]).save(root / "photos" / "larger.png")
    pairs = f"ImagePairs({str(root / 'photos')!r}, shrink=2, crop=24)"
    Path("job.py").write_text(
        "from tfpipe import Pipeline\nfrom tfpipe.data import ImagePairs\n"
        "from tfpipe.models import EDSR, MLP\n\n\n"
        f"class Job(Pipeline):\n    data = {pairs}\n    batch_size = 4\n"
        "    model = EDSR(scale=2, blocks=1, filters=8)\n"
    )
    looked = tfpipe("data", "show", "job.py")
    assert looked.code == 0, looked.err
    refused = tfpipe("check", "job.py", "model=MLP()")
    assert "MLP does not answer with an image" in refused.err
    refused = tfpipe("check", "job.py", "augment=(brightness(0.5),)")
    assert "Pairs of images take flip() and quarter_turn()." in refused.err
    refused = tfpipe("check", "job.py", "data.test=nowhere")
    assert "Set data.path, data.test; paths are relative" in refused.err


def test_a_run_on_generated_images_goes_on_with_them(tfpipe: Any) -> None:
    Path("job.py").write_text(
        "from tfpipe import Pipeline\nfrom tfpipe.data import ImagePairs\n"
        "from tfpipe.models import EDSR\n\n\n"
        "class Job(Pipeline):\n    data = ImagePairs('gone', shrink=2, crop=16)\n"
        "    model = EDSR(scale=2, blocks=1, filters=8)\n    batch_size = 4\n    epochs = 1\n"
    )
    answer = tfpipe("run", "job.py", "--sample", "12", "--no-export")
    assert answer.code == 0, answer.err
    (run,) = Path("runs").glob("*/*")
    config = json.loads((run / "config.json").read_text())
    assert (config["sample"], config["sample_size"]) == (True, 12)
    answer = tfpipe("resume", "last", "epochs=2", "--no-export")
    assert answer.code == 0, answer.err
