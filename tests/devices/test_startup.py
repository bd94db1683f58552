"""Starting TensorFlow: exactly one of it, and quietly."""

import importlib.metadata
import os
import subprocess
import sys

import pytest

from tfpipe.devices.startup import _quiet, installed, start_tensorflow
from tfpipe.errors import DeviceError, MissingDependency


@pytest.fixture
def distributions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What importlib.metadata finds installed; TensorFlow is not imported yet."""
    found: dict[str, str] = {}

    def version(name: str) -> str:
        if name not in found:
            raise importlib.metadata.PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    return found


def test_none_is_installed(distributions: dict[str, str]) -> None:
    distributions["keras"] = "3.15.1"
    with pytest.raises(MissingDependency) as caught:
        start_tensorflow()
    assert str(caught.value) == (
        "TensorFlow is not installed. Install it with: pip install 'tfpipe[tf]' (CPU), or "
        "'tfpipe[cuda]' for an NVIDIA GPU."
    )


def test_two_are_installed_over_each_other(distributions: dict[str, str]) -> None:
    distributions |= {"tensorflow-cpu": "2.21.0", "tensorflow": "2.21.0"}
    with pytest.raises(DeviceError) as caught:
        start_tensorflow()
    assert str(caught.value) == (
        "2 TensorFlow packages are installed over each other: tensorflow 2.21.0, tensorflow-cpu "
        "2.21.0. Repair it with: pip uninstall -y tensorflow tensorflow-cpu && pip install "
        "'tensorflow==2.21.0'"
    )


class Broken:
    """An importer of packages that lack a library."""

    def find_spec(self, name: str, *_: object) -> None:
        raise ImportError("libfoo.so is missing")


def test_one_that_does_not_import(
    distributions: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    distributions["tensorflow"] = "2.21.0"
    monkeypatch.setattr(sys, "meta_path", [Broken()])
    with pytest.raises(DeviceError, match=r"^TensorFlow does not import: libfoo\.so is missing$"):
        start_tensorflow()


def test_the_one_that_is_installed() -> None:
    assert len(installed()) == 1


def test_a_started_one_is_given_back() -> None:
    assert start_tensorflow() is sys.modules["tensorflow"] is start_tensorflow()


def test_its_chatter_is_kept_from_the_terminal() -> None:
    program = "from tfpipe.devices import start_tensorflow; start_tensorflow().zeros(3)"
    environment = {n: v for n, v in os.environ.items() if n != "TFPIPE_DEBUG"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_what_is_held_back_is_shown_when_it_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with _quiet():
        os.write(2, b"chatter\n")
    assert capfd.readouterr().err == ""

    @_quiet()
    def fail() -> None:
        os.write(2, b"the reason\n")
        raise OSError("failed")

    with pytest.raises(OSError, match="failed"):
        fail()
    assert capfd.readouterr().err == "the reason\n"


def test_debugging_holds_nothing_back(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFPIPE_DEBUG", "1")
    with _quiet():
        os.write(2, b"chatter\n")
    assert capfd.readouterr().err == "chatter\n"
