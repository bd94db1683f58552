"""Versions that come, go, are broken, and are asked for by label."""

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.serving.conftest import Arithmetic, serving
from tfpipe.errors import ModelError
from tfpipe.serving.repository import find_models

ONE = {"instances": [0.0]}


def until(check: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not check():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_new_version_takes_over_without_a_failed_request(sums: Path, tmp_path: Path) -> None:
    folder, said = tmp_path / "sums", []
    shutil.copytree(sums, folder)
    with serving({"sums": folder}, said) as client:
        answers: list[tuple[int, Any]] = []
        over = threading.Event()

        def ask() -> None:
            while not over.is_set():
                answers.append(client.predict(ONE))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(answers) > 20)
        # A folder that is being written is not looked at before it is whole.
        Arithmetic(plus=3.0).save(tmp_path / "writing")
        (tmp_path / "writing").rename(folder / "2")
        until(lambda: answers[-1][1] == {"predictions": [3.0]})
        over.set()
        for thread in threads:
            thread.join()
        assert {status for status, _ in answers} == {200}
        assert {json.dumps(found) for _, found in answers} == {
            '{"predictions": [2.0]}',
            '{"predictions": [3.0]}',
        }
        until(lambda: client.repository.models["sums"].states[1][0] == "END")

        # A broken one is refused, said once, and the one before it stays.
        shutil.copytree(folder / "2", tmp_path / "broken")
        values = tmp_path / "broken/variables/variables.data-00000-of-00001"
        values.write_bytes(values.read_bytes()[:2])
        (tmp_path / "broken").rename(folder / "3")
        until(lambda: any("version 3 is refused" in text for text in said))
        time.sleep(0.2)
        (refused,) = [text for text in said if "version 3 is refused" in text]
        assert refused.endswith(" Version 2 stays.")
        assert "cannot be loaded: " in refused
        status, found, _ = client.ask("/v1/models/sums/versions/3")
        (state,) = found["model_version_status"]
        assert (status, state["state"], state["status"]["error_code"]) == (200, "END", "UNKNOWN")
        assert client.predict(ONE) == (200, {"predictions": [3.0]})
        assert client.ask("/readyz")[0] == 200
        # Written anew, it is tried again.
        shutil.rmtree(folder / "3")
        Arithmetic(plus=4.0).save(tmp_path / "again")
        (tmp_path / "again").rename(folder / "3")
        until(lambda: client.predict(ONE)[1] == {"predictions": [4.0]})


def test_two_versions_and_two_models(sums: Path, tmp_path: Path) -> None:
    folder = tmp_path / "both"
    for version, plus in ((7, 1.0), (12, 5.0)):
        Arithmetic(plus).save(folder / str(version))
    with serving({"both": folder, "one": sums / "1"}, versions=2, poll=0) as client:
        for path, value in (
            ("", 5.0),
            ("/versions/7", 1.0),
            ("/versions/12", 5.0),
            ("/labels/latest", 5.0),
            ("/labels/previous", 1.0),
        ):
            status, found, _ = client.ask(f"/v1/models/both{path}:predict", ONE)
            assert (status, found) == (200, {"predictions": [value]}), path
        assert client.predict(ONE, model="one") == (200, {"predictions": [2.0]})
        _, found, _ = client.ask("/v2/models/both")
        assert found["versions"] == ["12", "7"]
        assert client.ask("/v2/models/both/versions/7")[0] == 200


def test_what_is_no_model(sums: Path, tmp_path: Path) -> None:
    (tmp_path / "saved_models" / "mine").mkdir(parents=True)
    shutil.copytree(sums, tmp_path / "saved_models" / "mine", dirs_exist_ok=True)
    assert find_models(("mine",), tmp_path) == {"mine": tmp_path / "saved_models/mine"}
    assert find_models((f"a={sums}", str(sums / "1")), tmp_path).keys() == {"a", "sums"}
    with pytest.raises(ModelError, match=r"no exported model 'min': .* Did you mean 'mine'\?"):
        find_models(("min",), tmp_path)
    with pytest.raises(ModelError, match=r"Two models are called 'sums': .* as in other="):
        find_models((str(sums), str(sums / "1")), tmp_path)
    broken = tmp_path / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"m\.onnx is one file, and SavedModels are"):
        find_models(("m.onnx",), tmp_path)
    with pytest.raises(ModelError, match=r"'a b' is no name that an address can have: expected"):
        find_models((f"a b={sums}",), tmp_path)
    with (
        pytest.raises(ModelError, match=r"has no version to serve\. .*cannot be loaded"),
        serving({"broken": broken.parent}),
    ):
        pass


HOSTILE = {
    "deep": "[" * 100_000,
    "a list": "[]",
    "inputs": '{"inputs": [7]}',
    "label": '{"label": [7]}',
    "training": '{"training": [7]}',
}


def test_a_contract_that_is_none_is_refused_and_others_go_on(sums: Path, tmp_path: Path) -> None:
    """Whatever is written there, the version before stays, and later ones are taken."""
    folder, said = tmp_path / "sums", []
    shutil.copytree(sums, folder)
    with serving({"sums": folder}, said) as client:
        for version, text in enumerate(HOSTILE.values(), 2):
            shutil.copytree(sums / "1", tmp_path / "next")
            (tmp_path / "next/assets").mkdir(exist_ok=True)
            (tmp_path / "next/assets/contract.json").write_text(text)
            (tmp_path / "next").rename(folder / str(version))
            until(lambda v=version: any(f"version {v} is refused" in text for text in said))
        shutil.copytree(sums / "1", tmp_path / "good")
        (tmp_path / "good").rename(folder / "90")
        until(lambda: any("version 90 answers" in text for text in said))
        assert client.predict(ONE) == (200, {"predictions": [2.0]})
    for version in range(2, 7):
        (text,) = [text for text in said if f"version {version} is refused" in text]
        assert text.endswith("Version 1 stays.")
