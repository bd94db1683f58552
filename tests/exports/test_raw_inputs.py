"""Exported models answer for raw rows, raw texts and image files, as they come."""

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

PIPELINES = Path(__file__).parents[2] / "pipelines"

# A customer as the generated ones are: their numbers lie around 0.
CUSTOMER = """{
    "CreditScore": 0.3, "Geography": "France", "Gender": "Male", "Age": 1, "Tenure": -0.5,
    "Balance": 0, "NumOfProducts": 1, "HasCrCard": 1, "IsActiveMember": 0, "EstimatedSalary": 0.2
}"""


@pytest.fixture
def exported(tfpipe: Any) -> Any:
    """Trains a shipped pipeline for an epoch on generated data; gives its SavedModel."""

    def train(name: str) -> Any:
        answer = tfpipe("run", PIPELINES / f"{name}.py", "--sample", "320", "epochs=1")
        assert answer.code == 0, answer.err
        return tf.saved_model.load(f"saved_models/{name}/1").signatures

    return train


def test_one_raw_row_given_as_json(exported: Any) -> None:
    serve = exported("churn_mlp")["serving_default"]

    def ask(**changes: Any) -> np.ndarray:
        row = json.loads(CUSTOMER) | changes
        # A number in JSON may have no point, and the signature takes real numbers.
        columns = {n: [float(v) if isinstance(v, int) else v] for n, v in row.items()}
        answer = serve(**{n: tf.constant(v) for n, v in columns.items()})
        assert answer["class_name"].numpy()[0] in (b"stayed", b"left")
        return np.asarray(answer["probabilities"])[0]

    probabilities = ask()
    assert probabilities.shape == (2,)
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-6)
    assert not np.allclose(ask(Geography="Spain"), probabilities, atol=1e-7)
    np.testing.assert_array_equal(ask(Geography="Atlantis"), ask(Geography="France"))
    assert np.isfinite(ask(Age=float("nan"))).all()  # the mean of the training rows


def test_raw_sentences(exported: Any) -> None:
    serve = exported("imdb_text")["serving_default"]
    texts = ["The movie was great!", "The movie was okay.", "The movie was terrible..."]
    known = ["bade bade fiku", "BADE, bade<br />fiku!", ""]
    answer = serve(text=tf.constant(texts + known))
    probabilities = np.asarray(answer["probabilities"])
    assert probabilities.shape == (6, 2)
    assert set(answer["class_name"].numpy()) <= {b"neg", b"pos"}
    # Capitals, punctuation and line breaks make no difference.
    np.testing.assert_allclose(probabilities[3], probabilities[4], atol=1e-6)


def test_image_files(exported: Any, tfpipe: Any, tmp_path: Path) -> None:
    serve = exported("mnist_mlp")["serving_bytes"]
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    files = [tf.io.encode_png(image), tf.io.encode_jpeg(image)]
    answer = serve(bytes=tf.stack(files))
    assert np.asarray(answer["probabilities"]).shape == (2, 10)
    assert set(answer["class_name"].numpy()) <= {str(i).encode() for i in range(10)}

    upright, turned = tmp_path / "upright.png", tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    Image.fromarray(image).save(upright)
    Image.fromarray(image).rotate(90, expand=True).save(turned, exif=exif)
    answer = serve(bytes=tf.constant([upright.read_bytes(), turned.read_bytes()]))
    served = np.asarray(answer["probabilities"])
    np.testing.assert_allclose(served[0], served[1], atol=1e-6)
    told = json.loads(tfpipe("predict", "last", upright, turned, "--json").out)
    first, second = ([c["probability"] for c in row["classes"]] for row in told)
    np.testing.assert_allclose(first, second, atol=1e-6)
    np.testing.assert_allclose(first, np.sort(served[0])[::-1][: len(first)], atol=1e-5)


SHOP = """
from tfpipe import Pipeline, keras
from tfpipe.data import CSV
from tfpipe.models import MLP


class Shop(Pipeline):
    data = CSV("shop.csv", ("y", "z"), delimiter=";", validation=0.2, test=0.1)
    model = MLP(units=(16,))
    optimizer = keras.optimizers.Adam(0.02)
    epochs = 12
"""


def test_numbers_and_dates_as_the_file_has_them(
    tfpipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person reads in them is learnt: a price, a share, and which days are a weekend."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = ["when;price;share;town;y;z"]
    for minutes, price, share in rng.integers((0, 1000, 0), (500_000, 99_999, 100), (500, 3)):
        day = datetime.datetime(2023, 1, 1) + datetime.timedelta(minutes=int(minutes))
        euros = f"{price / 10:,.1f}".translate(str.maketrans(",.", ".,"))
        y, z = price / 10_000 + 2 * (day.weekday() > 4), share / 100
        line = f"{day:%d.%m.%Y %H:%M};{euros} €;{share} %;{('Oslo', 'Rome')[share % 2]};{y};{z}"
        rows.append(line)
    Path("shop.csv").write_text("\n".join(rows), encoding="utf-8")
    Path("shop.py").write_text(SHOP)
    answer = tfpipe("run", "shop.py")
    assert answer.code == 0, answer.err
    assert "price is read as numbers such as" in answer.out

    serve = tf.saved_model.load("saved_models/shop/1").signatures["serving_default"]

    def ask(**changes: str) -> np.ndarray:
        row = {"when": "18.10.2023 12:00", "price": "5.000,0 €", "share": "50 %", "town": "Oslo"}
        columns = {name: tf.constant([text]) for name, text in (row | changes).items()}
        return np.asarray(serve(**columns)["values"])[0]

    np.testing.assert_allclose(ask(), [5.0, 0.5], atol=1.2)
    assert ask(when="22.10.2023 12:00")[0] - ask()[0] > 1, "a Sunday"
    assert ask(price="9.000,0 €")[0] - ask()[0] > 2.5
    assert ask(share="90 %")[1] - ask()[1] > 0.2
    np.testing.assert_array_equal(ask(price="9000 €"), ask(price=" 9.000,0€ "))
    np.testing.assert_array_equal(ask(price=""), ask(price="cheap"))
    assert np.isfinite(ask(price="", when="", share="", town="")).all()
