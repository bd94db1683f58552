"""Finding pretrained weights, and fetching them, before anything is built."""

import hashlib
import http.server
import socket
import socketserver
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tfpipe.errors import ModelError
from tfpipe.models.pretrained import weight_fetching
from tfpipe.models.pretrained.weight_files import (
    Variant,
    WeightsFile,
    imagenet_file,
    models_folder,
    published,
)
from tfpipe.models.pretrained.weights import find

HOST = "https://storage.googleapis.com/tensorflow/keras-applications/"
HDF5 = b"\x89HDF\r\n\x1a\n"
CONTENT = HDF5 + bytes(range(256)) * 4_000


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A KERAS_HOME of the test's own, and no network."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return tmp_path / "keras" / "models"


# The table


class Anything:
    """Stands in for Keras's layers and tensors, so that a network costs nothing."""

    shape = (None, 32, 32, 8)

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self

    def __add__(self, other: Any) -> Any:
        return self

    __radd__ = __mul__ = __rmul__ = __truediv__ = __add__


class Asked(Exception):
    """Keras has asked for a file."""


def asked_by_keras(monkeypatch: pytest.MonkeyPatch, variant: Variant) -> tuple[str, str, str]:
    """The name, address and checksum that Keras itself hands to `get_file`."""
    import keras

    build = getattr(keras.applications, variant.network)
    module = import_module(build.__module__)
    nothing = Anything()

    def asked(name: str, origin: str, file_hash: str = "", cache_subdir: str = "") -> None:
        assert cache_subdir == "models"
        raise Asked(name, origin, file_hash)

    # ResNet's variants are built by another module.
    modules = {module, import_module("keras.src.applications.resnet")}
    for each in modules:
        for name in ("layers", "Functional", "Sequential", "Head"):
            if hasattr(each, name):
                monkeypatch.setattr(each, name, nothing)
    shared = module.imagenet_utils
    monkeypatch.setattr(shared, "correct_pad", lambda *_: ((0, 1), (0, 1)))
    monkeypatch.setattr(shared.file_utils, "get_file", asked)
    for name in ("LayerScale", "StochasticDepth", "CustomScaleLayer"):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, nothing)
    options: dict[str, Any] = {"include_top": variant.top, "weights": "imagenet"}
    if variant.size:
        options |= {"alpha": variant.alpha, "input_shape": (variant.size, variant.size, 3)}
    with pytest.raises(Asked) as found:
        build(**options)
    return found.value.args  # type: ignore[return-value]


def test_every_file_is_the_one_that_keras_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for variant, file in published().items():
        with monkeypatch.context() as patch:
            asked = asked_by_keras(patch, variant)
        assert (file.name, file.address, file.digest) == asked
        size = variant.size and (variant.size, variant.size)
        where = {"top": variant.top, "alpha": variant.alpha, "size": size}
        assert imagenet_file(variant.network, **where) == file


def test_the_table_has_every_network_of_keras() -> None:
    import keras

    there = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {variant.network for variant in published()} == there


def test_a_size_without_weights_of_its_own_takes_those_of_224() -> None:
    for size in (None, (32, 32), (224, 192), (96, 96)):
        assert imagenet_file("MobileNet", top=True, size=size).name == "mobilenet_1_0_224_tf.h5"
    assert imagenet_file("MobileNetV2", top=False, size=(96, 96)).name.endswith("_1.0_96_no_top.h5")


def test_a_width_without_weights_names_those_that_have_some() -> None:
    with pytest.raises(ModelError) as error:
        imagenet_file("MobileNetV2", top=False, alpha=0.3)
    assert str(error.value) == (
        "There are no ImageNet weights of MobileNetV2 with alpha=0.3, only with alpha 0.35, 0.5, "
        "0.75, 1, 1.3 or 1.4. Use one of those, or weights=PATH for a file of your own, or "
        "weights=None for random weights."
    )


def test_an_unknown_network_is_suggested() -> None:
    with pytest.raises(ModelError) as error:
        imagenet_file("VGG61", top=False)
    assert str(error.value).startswith(
        "There are no ImageNet weights of 'VGG61'. Did you mean 'VGG"
    )


def test_the_folder_is_that_of_keras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert models_folder() == tmp_path / "keras" / "models"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert models_folder() == tmp_path / ".keras" / "models"


# What is there


def put(home: Path, name: str, content: bytes = CONTENT) -> Path:
    home.mkdir(parents=True)
    (home / name).write_bytes(content)
    return home / name


def test_a_file_that_is_there_is_used(home: Path) -> None:
    file = put(home, "mobilenet_2_5_128_tf_no_top.h5")
    assert find("MobileNet", top=False, alpha=0.25, size=(128, 128)) == file


def test_no_tensorflow_is_imported_to_find_out(python: Any) -> None:
    code = (
        "import sys\n"
        "from tfpipe.errors import ModelError\n"
        "from tfpipe.models.pretrained.weights import find\n"
        "try: find('VGG16', '/nowhere/vgg.h5', top=False)\n"
        "except ModelError as error: print(error)\n"
        "print([m for m in ('tensorflow', 'keras', 'h5py') if m in sys.modules])"
    )
    assert python("-c", code).end().out == (
        "weights=/nowhere/vgg.h5: there is no such file. There is no folder /nowhere either.\n[]\n"
    )


def test_a_file_with_another_checksum_is_refused_and_left_alone(home: Path) -> None:
    file = put(home, "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5")
    with pytest.raises(ModelError) as error:
        find("VGG16", top=False)
    found = hashlib.md5(CONTENT).hexdigest()
    assert str(error.value) == (
        f"{file} has the md5 {found}, and the published one 6d6bbae143d832006294945121d1f1fc: "
        "probably a download that broke off, or a file of another version. It was left as it is. "
        f"Move it away to have it fetched again from {HOST}vgg16/{file.name}, or use it all the "
        f"same with weights={file}."
    )
    assert file.read_bytes() == CONTENT
    assert find("VGG16", str(file), top=False) == file


def test_a_page_of_a_web_site_is_no_file_of_weights(home: Path) -> None:
    file = put(home, "mobilenet_1_0_224_tf.h5", b"<html>Please log in</html>")
    with pytest.raises(ModelError, match=r"mobilenet_1_0_224_tf\.h5 is no HDF5 file: probably"):
        find("MobileNet", top=True)
    assert file.read_bytes() == b"<html>Please log in</html>"


def test_a_file_is_not_read_again_unless_it_changed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(home, "mobilenet_1_0_224_tf.h5")
    find("MobileNet", top=True)
    monkeypatch.setattr(
        "tfpipe.models.pretrained.weights.what_is_wrong", lambda *_: "was read again"
    )
    assert find("MobileNet", top=True) == file
    file.write_bytes(CONTENT + b"more")
    with pytest.raises(ModelError, match="was read again"):
        find("MobileNet", top=True)


# What is not there


def not_to_be_had(home: Path, why: str) -> str:
    name = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return (
        f"The ImageNet weights of InceptionV3 are not in {home}, and could not be fetched: {why}.\n"
        f"Fetch {HOST}inception_v3/{name}, on another machine if need be, and put it into {home} "
        f"as {name}. Or use weights=PATH for a file of your own, or weights=None for random "
        "weights."
    )


def test_weights_that_cannot_be_had_are_named_with_their_folder(home: Path) -> None:
    with pytest.raises(ModelError) as error:
        find("InceptionV3", top=False)
    assert str(error.value) == not_to_be_had(home, "no network in tests")
    assert list(home.iterdir()) == []


def test_a_look_up_that_takes_for_ever_is_given_up(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = threading.Event()

    def look_up(*args: Any, **kwargs: Any) -> None:
        gone.wait(30)
        raise OSError("nobody is waiting any more")

    monkeypatch.setattr(urllib.request, "urlopen", look_up)
    monkeypatch.setattr(weight_fetching, "SILENCE_SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(ModelError) as error:
        find("InceptionV3", top=False)
    gone.set()
    assert time.monotonic() - began < 5
    assert str(error.value) == not_to_be_had(home, "no answer within 0.3 s")


def test_a_folder_that_cannot_be_written_is_named(home: Path) -> None:
    home.parent.write_text("a file where the folder should be")
    with pytest.raises(ModelError) as error:
        find("InceptionV3", top=False)
    assert f"could not be fetched: {home} cannot be written (Not a directory)." in str(error.value)


def test_nothing_takes_longer_than_fifteen_seconds() -> None:
    assert weight_fetching.SILENCE_SECONDS <= 13


# Fetching


class Answers(http.server.BaseHTTPRequestHandler):
    """Gives what the path says: /whole, /slow, /short, /page or nothing."""

    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        content = b"<html></html>" if self.path == "/page" else CONTENT
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.path == "/short":
            self.wfile.write(content[:1000])
        elif self.path == "/slow":
            for start in range(0, len(content), len(content) // 8):
                self.wfile.write(content[start : start + len(content) // 8])
                time.sleep(0.1)
        else:
            self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server on this machine."""
    monkeypatch.undo()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answers) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.fixture
def fetched(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Fetches a path of the server; the folder afterwards, without what is whole."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))

    def fetch(path: str, digest: str = "") -> Path:
        file = WeightsFile("w.h5", server + path, digest)
        weight_fetching.fetch(file)
        return file.path

    return fetch


def test_a_file_is_fetched_whole(fetched: Any) -> None:
    path = fetched("/whole", hashlib.sha256(CONTENT).hexdigest())
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_a_slow_download_may_take_its_time(fetched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_fetching, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(weight_fetching, "_BLOCK", 1 << 14)
    began = time.monotonic()
    assert fetched("/slow").read_bytes() == CONTENT
    assert time.monotonic() - began > 0.5


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/missing", "HTTP 404 Not Found"),
        ("/page", "what came from there is no HDF5 file"),
        ("/short", f"it broke off after 1,000 of {len(CONTENT):,} bytes"),
    ],
)
def test_half_a_file_and_another_one_leave_nothing(fetched: Any, path: str, why: str) -> None:
    with pytest.raises(ModelError) as error:
        fetched(path)
    assert str(error.value) == why
    assert list(models_folder().iterdir()) == []


def test_a_file_that_is_not_the_published_one_is_not_kept(fetched: Any) -> None:
    with pytest.raises(ModelError) as error:
        fetched("/whole", "0" * 32)
    found = hashlib.md5(CONTENT).hexdigest()
    assert str(error.value) == (
        f"what came from there has the md5 {found}, and the published one {'0' * 32}"
    )
    assert list(models_folder().iterdir()) == []


def test_a_server_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(weight_fetching, "SILENCE_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        file = WeightsFile("w.h5", f"http://127.0.0.1:{silent.getsockname()[1]}/w.h5")
        began = time.monotonic()
        with pytest.raises(ModelError) as error:
            weight_fetching.fetch(file)
    assert time.monotonic() - began < 5
    assert str(error.value) in ("no answer within 0.5 s", "timed out")
    assert list(models_folder().iterdir()) == []


# A person's own file


def test_a_file_that_is_not_there_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "mobile.weights.h5").write_bytes(CONTENT)
    with pytest.raises(ModelError) as error:
        find("MobileNet", str(tmp_path / "mobil.weights.h5"), top=False)
    assert str(error.value) == (
        f"weights={tmp_path}/mobil.weights.h5: there is no such file. "
        "Did you mean 'mobile.weights.h5'?"
    )


def test_a_misspelt_imagenet_is_suggested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError) as error:
        find("MobileNet", "imagnet", top=False)
    assert str(error.value) == ("weights=imagnet: there is no such file. Did you mean 'imagenet'?")


def test_a_folder_is_no_file_and_what_is_in_it_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as error:
        find("MobileNet", str(tmp_path), top=False)
    assert str(error.value) == (
        f"weights={tmp_path} is a folder, not a file. Expected what Keras saves: .weights.h5, "
        ".keras or .h5."
    )
    (tmp_path / "checkpoints").mkdir()
    best = tmp_path / "checkpoints" / "best.keras"
    best.write_bytes(CONTENT)
    with pytest.raises(ModelError) as error:
        find("MobileNet", str(tmp_path), top=False)
    assert str(error.value) == f"weights={tmp_path} is a folder, not a file. Did you mean {best}?"


@pytest.mark.parametrize(
    ("content", "what"), [(b"", "is empty"), (b"torch", "is no file of weights")]
)
def test_what_is_no_file_of_weights_is_refused(tmp_path: Path, content: bytes, what: str) -> None:
    file = tmp_path / "w.pth"
    file.write_bytes(content)
    with pytest.raises(ModelError) as error:
        find("MobileNet", str(file), top=False)
    assert str(error.value) == (
        f"weights={file} {what}. Expected what Keras saves: .weights.h5, .keras or .h5."
    )


def test_the_kind_of_a_file_is_seen_in_it_and_not_in_its_name(tmp_path: Path) -> None:
    hdf5, archive = tmp_path / "a", tmp_path / "b"
    hdf5.write_bytes(CONTENT)
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("config.json", "{}")
    assert find("MobileNet", str(hdf5), top=False) == hdf5
    assert find("MobileNet", str(archive), top=False) == archive


def test_the_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "w.h5").write_bytes(CONTENT)
    assert find("MobileNet", "~/w.h5", top=False) == tmp_path / "w.h5"
