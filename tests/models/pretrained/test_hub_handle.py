"""Handles of hub modules: folders, archives and addresses, and what is refused within seconds."""

import hashlib
import os
import socket
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import hub_modules
import keras
import pytest

from tfpipe.errors import MissingDependency, ModelError
from tfpipe.models.pretrained import hub_archive, hub_handle
from tfpipe.models.pretrained.hub_handle import resolve


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of modules."""
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A folder that looks like a module."""
    folder = tmp_path / "module"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"weights")
    return folder


@pytest.fixture
def archive(module: Path, tmp_path: Path) -> Path:
    return hub_modules.packed(module, tmp_path / "module.tar.gz")


def refused(handle: Path | str, fetch: bool = True) -> str:
    with pytest.raises(ModelError) as caught:
        resolve(str(handle), fetch)
    return str(caught.value)


def files(folder: Path) -> dict[str, bytes]:
    found = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


# Folders


def test_a_folder_is_itself(module: Path, tmp_path: Path) -> None:
    assert resolve(str(module)) == module
    assert resolve(str(tmp_path)) == module  # the only module in it


def test_a_folder_without_a_module_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "notes.txt").touch()
    assert refused(tmp_path) == (
        f"handle={str(tmp_path)!r} holds no saved_model.pb, so it is no TF-Hub module. It holds a, "
        "notes.txt."
    )


def test_several_modules_in_a_folder_are_not_guessed_from(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    assert refused(tmp_path).endswith("It holds several modules: one, two.")


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert refused(missing) == (
        f"handle={missing!r}: there is no such folder or archive. Give a module's folder, a "
        ".tar.gz or an address that begins with https://."
    )
    (tmp_path / "model.h5").touch()
    assert "is a file that is no archive. Give a module's folder" in refused(tmp_path / "model.h5")


# Archives


def test_an_archive_is_unpacked_once_into_the_cache(
    archive: Path, module: Path, cache: Path
) -> None:
    found = resolve(str(archive))
    assert found == cache / hashlib.sha256(archive.read_bytes()).hexdigest()
    assert files(found) == files(module)
    before = found.stat().st_ino
    assert resolve(str(archive)).stat().st_ino == before
    assert [p.name for p in cache.iterdir()] == [found.name]  # nothing half made is left


def test_an_archive_of_a_folder_is_found_in_it(module: Path, tmp_path: Path, cache: Path) -> None:
    with tarfile.open(tmp_path / "whole.tgz", "w:gz") as file:
        file.add(module, "mobilenet")
    found = resolve(str(tmp_path / "whole.tgz"))
    assert (found.parent.parent, found.name) == (cache, "mobilenet")


def test_a_changed_archive_is_unpacked_anew(archive: Path, module: Path, cache: Path) -> None:
    first = resolve(str(archive))
    (module / "saved_model.pb").write_bytes(b"another")
    hub_modules.packed(module, archive)
    assert files(resolve(str(archive))) == files(module)
    assert (first / "saved_model.pb").read_bytes() == b"graph"


def test_without_a_declared_cache_archives_go_to_the_users_own(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    assert resolve(str(archive)).parent == tmp_path / "own" / "tfpipe" / "hub"


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


OUTSIDE = "which lies outside of its folder. The archive was not unpacked."
LINK = "which is a link or a device. A module has files and folders alone: the archive was not "


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (member("../evil"), OUTSIDE),
        (member("a/../../evil"), OUTSIDE),
        (member("/tmp/evil"), OUTSIDE),
        (member("..\\evil"), OUTSIDE),
        (member("link", tarfile.SYMTYPE, "/etc/passwd"), LINK),
        (member("hard", tarfile.LNKTYPE, "saved_model.pb"), LINK),
        (member("device", tarfile.CHRTYPE), LINK),
        (member("pipe", tarfile.FIFOTYPE), LINK),
    ],
    ids=lambda value: value.name if isinstance(value, tarfile.TarInfo) else "",
)
def test_an_archive_that_reaches_out_leaves_nothing_behind(
    bad: tarfile.TarInfo, said: str, tmp_path: Path, cache: Path
) -> None:
    path = tmp_path / "bad.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        file.addfile(member("saved_model.pb"))
        file.addfile(bad)
    assert f"{path} holds {bad.name!r}, {said}" in refused(path)
    assert list(cache.iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_an_archive_has_bounds(archive: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_archive, "MOST_FILES", 3)
    too_many = f"{archive} holds more than 3 files or 16 GB, which no module does. Unpack it "
    assert refused(archive) == too_many + "yourself, and give the folder."
    monkeypatch.setattr(hub_archive, "MOST_FILES", 10)
    monkeypatch.setattr(hub_archive, "MOST_BYTES", 1 << 30)
    with tarfile.open(archive, "w:gz") as file:  # says that it is larger than it is
        claims = member("saved_model.pb")
        claims.size = 2 << 30
        file.fileobj.write(claims.tobuf())  # type: ignore[union-attr]
    assert "holds more than 10 files or 1 GB" in refused(archive)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_half_an_archive_is_refused_whole(archive: Path, cache: Path, kept: float) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * kept)])
    assert refused(archive).startswith(f"{archive} is no whole .tar.gz archive: ")
    assert list(cache.iterdir()) == []


def test_a_name_that_comes_twice_is_refused(tmp_path: Path, cache: Path) -> None:
    with tarfile.open(tmp_path / "twice.tar", "w") as file:
        file.addfile(member("saved_model.pb"))
        file.addfile(member("saved_model.pb"))
    assert (
        refused(tmp_path / "twice.tar") == f"{tmp_path / 'twice.tar'} holds saved_model.pb twice."
    )


# Addresses


class Server(ThreadingHTTPServer):
    """Serves one archive at every path but /missing, and counts how often."""

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.asked = content, list[str]()

    def handle_of(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self._begin()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self._begin()
        self.wfile.write(self.server.content)

    def _begin(self) -> None:
        self.send_response(404 if self.path.startswith("/missing") else 200)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def server(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(archive.read_bytes()) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_an_address_is_fetched_once_into_the_cache_of_tensorflow_hub(
    server: Server, module: Path, cache: Path
) -> None:
    handle = server.handle_of("/google/mobilenet/4")
    assert not hub_handle.is_here(handle)
    found = resolve(handle)
    assert found == cache / hashlib.sha1(handle.encode()).hexdigest()
    assert files(found) == files(module)
    assert resolve(handle) == found
    assert server.asked == ["/google/mobilenet/4?tf-hub-format=compressed"]
    assert hub_handle.is_here(handle)
    assert socket.getdefaulttimeout() is None  # put back


def test_the_cache_is_that_of_tensorflow_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub_handle._tensorflow_hub("")
    from tensorflow_hub import compressed_module_resolver

    handle = "https://tfhub.dev/google/mobilenet/4"
    assert compressed_module_resolver._module_dir(handle) == str(hub_handle._kept(handle))
    monkeypatch.delenv("TFHUB_CACHE_DIR")
    assert compressed_module_resolver._module_dir(handle) == str(hub_handle._kept(handle))


def test_an_archive_that_was_fetched_elsewhere_is_found(archive: Path, cache: Path) -> None:
    handle = "https://tfhub.dev/google/mobilenet/4"
    said = refused(handle, fetch=False)
    kept = cache / hashlib.sha1(handle.encode()).hexdigest()
    assert said == (
        f"The TF-Hub module {handle} is not in {cache}.\n"
        f"Fetch {handle}?tf-hub-format=compressed, on another machine if need be, and save it as "
        f"{kept}.tar.gz. Or give its path, or that of its unpacked folder, as the handle."
    )
    cache.mkdir()
    archive.rename(f"{kept}.tar.gz")
    assert hub_handle.is_here(handle)
    assert resolve(handle, fetch=False) == kept


def how(handle: str, cache: Path) -> str:
    kept = cache / hashlib.sha1(handle.encode()).hexdigest()
    address = f"{handle}?tf-hub-format=compressed"
    return f".\nFetch {address}, on another machine if need be, and save it as {kept}.tar.gz."


def test_an_address_that_is_not_there_says_so(server: Server, cache: Path) -> None:
    handle = server.handle_of("/missing/1")
    said = refused(handle)
    assert f"and could not be fetched: HTTP 404 Not Found{how(handle, cache)}" in said


def test_what_is_no_archive_is_refused(server: Server, cache: Path) -> None:
    server.content = b"<html>Not here</html>"
    handle = server.handle_of("/page/1")
    assert f"does not appear to be a valid module.{how(handle, cache)}" in refused(handle)
    assert not any(p.is_dir() for p in cache.iterdir())


def test_a_server_that_never_answers_is_given_up(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hub_handle.SILENCE_SECONDS <= 13
    monkeypatch.setattr(hub_handle, "SILENCE_SECONDS", 0.5)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        handle = f"http://127.0.0.1:{silent.getsockname()[1]}/module/1"
        began = time.monotonic()
        said = refused(handle)
        assert time.monotonic() - began < 3
    assert said.startswith(
        f"The TF-Hub module {handle} is not in {cache}, and could not be fetched: "
    )
    assert "timed out" in said or "no answer within 0.5 s" in said
    assert said.endswith("as the handle.")


def test_a_download_that_breaks_off_is_given_up(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_handle, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(hub_handle, "_unreachable", lambda address: "")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        handle = f"http://127.0.0.1:{silent.getsockname()[1]}/module/1"
        began = time.monotonic()
        said = refused(handle)
        assert time.monotonic() - began < 3
    assert "could not be fetched: timed out" in said or "could not be fetched: The read" in said


def test_a_missing_package_names_what_installs_it(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    handle = "https://tfhub.dev/google/mobilenet/4"
    with pytest.raises(MissingDependency) as caught:
        resolve(handle)
    assert str(caught.value) == (
        f"Fetching {handle} needs the package tensorflow-hub: it is not installed. Install it "
        "with: pip install 'tfpipe[hub]'\n"
        "A folder or a .tar.gz as the handle needs no package."
    )
    monkeypatch.setattr(hub_handle, "_installed", lambda name: name == "tensorflow-cpu")
    with pytest.raises(MissingDependency, match="--no-deps tensorflow-hub\n"):
        resolve(handle)


def test_a_package_that_does_not_import_says_why(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pkg_resources", None)
    for name in [n for n in sys.modules if n.partition(".")[0] == "tensorflow_hub"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingDependency, match="tensorflow-hub: import of pkg_resources halted"):
        resolve(server.handle_of("/module/1"))


def test_beside_another_tensorflow_tf_keras_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = hub_handle._installed
    monkeypatch.setattr(hub_handle, "_installed", lambda name: name != "tf-keras" and real(name))
    for name in [n for n in sys.modules if n.partition(".")[0] in ("tf_keras", "tensorflow_hub")]:
        monkeypatch.delitem(sys.modules, name)
    hub = hub_handle._tensorflow_hub("")
    assert issubclass(hub.KerasLayer, keras.layers.Layer)
    assert "tf_keras" not in sys.modules
    for name in [n for n in sys.modules if n.startswith("tensorflow_hub")]:
        monkeypatch.delitem(sys.modules, name)


def test_local_handles_mean_the_same_everywhere(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert hub_handle.absolute("module") == str(module)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert hub_handle.absolute("~/module") == str(module)
    assert hub_handle.absolute("https://tfhub.dev/x/1") == "https://tfhub.dev/x/1"
    assert os.path.samefile(resolve("~/module"), module)
