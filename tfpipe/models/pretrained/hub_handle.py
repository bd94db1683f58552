"""Handles of TF-Hub modules: the folder of an address, of a local folder or of an archive.

    resolve("https://tfhub.dev/google/universal-sentence-encoder/4")   fetched once, then kept
    resolve("modules/mobilenet.tar.gz")                                unpacked once, then kept
    resolve("modules/mobilenet")

Fetched modules lie where the package tensorflow-hub keeps them, so both share one cache:
$TFHUB_CACHE_DIR, or tfhub_modules in the system's temporary folder, under the handle's SHA-1.
"""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import socket
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfpipe.errors import MissingDependency, ModelError
from tfpipe.models.pretrained.hub_archive import ENDINGS, unpack, unpacked

logger = logging.getLogger("tfpipe.models")

# A server that says nothing for so long is given up: 15 s after the start at the latest.
SILENCE_SECONDS = 8.0
_SAVED = ("saved_model.pb", "saved_model.pbtxt")


def is_address(handle: str) -> bool:
    """Whether a handle is to be fetched, and no file here."""
    return handle.startswith(("http://", "https://"))


def is_here(handle: str) -> bool:
    """Whether a handle needs no fetching."""
    return not is_address(handle) or _is_module(_kept(handle)) or _archive_of(handle).is_file()


def absolute(handle: str) -> str:
    """A handle that means the same in any current folder."""
    return handle if is_address(handle) else str(Path(handle).expanduser().resolve())


def resolve(handle: str, fetch: bool = True) -> Path:
    """The folder that holds a module's SavedModel.

    Args:
        handle: an http(s) address, a folder, or a .tar.gz, .tgz or .tar.
        fetch: whether to fetch what is not here.

    Raises:
        ModelError: when it cannot be had, or is no module; says what to put where.
        MissingDependency: when it is to be fetched and tensorflow-hub is not installed.
        StorageError: when it cannot be written.
    """
    return _address(handle, fetch) if is_address(handle) else _local(handle)


def cache_folder() -> Path:
    """Where fetched modules are kept, as tensorflow-hub has it."""
    declared = os.environ.get("TFHUB_CACHE_DIR")
    return Path(declared or Path(tempfile.gettempdir(), "tfhub_modules"))


def _unpacked_folder() -> Path:
    """Where local archives are kept unpacked: in a folder of the user's own where none is given."""
    if os.environ.get("TFHUB_CACHE_DIR"):
        return cache_folder()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "tfpipe", "hub")


def _kept(handle: str) -> Path:
    return cache_folder() / hashlib.sha1(handle.encode(), usedforsecurity=False).hexdigest()


def _archive_of(handle: str) -> Path:
    """Where a person may put the file that was fetched elsewhere."""
    return _kept(handle).with_name(f"{_kept(handle).name}.tar.gz")


def _local(handle: str) -> Path:
    path = Path(handle).expanduser()
    if path.is_dir():
        return _module_in(path, handle)
    if path.is_file():
        if not path.name.endswith(ENDINGS):
            raise ModelError(
                f"handle={handle!r} is a file that is no archive. Give a module's folder, the one "
                "with saved_model.pb in it, or a .tar.gz."
            )
        return _module_in(unpacked(path, _unpacked_folder()), handle)
    raise ModelError(
        f"handle={handle!r}: there is no such folder or archive. Give a module's folder, a .tar.gz "
        "or an address that begins with https://."
    )


def _module_in(folder: Path, handle: str) -> Path:
    """A folder with a SavedModel: this one, or the only one of those in it."""
    inside = [p for p in sorted(folder.iterdir()) if p.is_dir()]
    modules = [p for p in (folder, *inside) if _is_module(p)]
    if modules and (modules[0] == folder or len(modules) == 1):
        return modules[0]
    names = ", ".join(p.name for p in sorted(folder.iterdir())[:6]) or "nothing"
    which = f"several modules: {', '.join(p.name for p in modules[:6])}" if modules else names
    raise ModelError(
        f"handle={handle!r} holds no saved_model.pb, so it is no TF-Hub module. It holds {which}."
    )


def _is_module(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _SAVED)


def _address(handle: str, fetch: bool) -> Path:
    kept, archive = _kept(handle), _archive_of(handle)
    if _is_module(kept):
        return kept
    if archive.is_file():
        return _module_in(unpack(archive, kept), handle)
    if not fetch:
        raise ModelError(f"The TF-Hub module {handle} is not in {kept.parent}.\n{_how(handle)}")
    if importlib.util.find_spec("tensorflow_hub") is None:
        raise _missing(handle, "it is not installed")
    if problem := _unreachable(_compressed(handle)):
        raise _not_fetched(handle, problem)
    return _fetched(handle)


def _fetched(handle: str) -> Path:
    """The folder that tensorflow-hub has fetched a module into."""
    hub = _tensorflow_hub(handle)
    logger.info("Fetching %s", handle)
    try:
        with _time_limit():
            return Path(hub.resolve(handle))
    except urllib.error.HTTPError as error:
        raise _not_fetched(handle, f"HTTP {error.code} {error.reason}") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise _not_fetched(handle, str(getattr(error, "reason", error))) from None


def _not_fetched(handle: str, problem: str) -> ModelError:
    return ModelError(
        f"The TF-Hub module {handle} is not in {cache_folder()}, and could not be fetched: "
        f"{problem}.\n{_how(handle)}"
    )


def _how(handle: str) -> str:
    return (
        f"Fetch {_compressed(handle)}, on another machine if need be, and save it as "
        f"{_archive_of(handle)}. Or give its path, or that of its unpacked folder, as the handle."
    )


def _compressed(handle: str) -> str:
    """The address of a module's archive, as tensorflow-hub asks for it."""
    parts = urllib.parse.urlsplit(handle)
    query = [*urllib.parse.parse_qsl(parts.query), ("tf-hub-format", "compressed")]
    return urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(query)))


def _unreachable(address: str) -> str:
    """Why an address does not answer; empty when it does.

    The look-up of a name heeds no time limit, so the whole probe runs beside and is abandoned.
    """
    answers: list[str] = []
    probe = threading.Thread(target=lambda: answers.append(_ask(address)), daemon=True)
    probe.start()
    probe.join(SILENCE_SECONDS)
    return answers[0] if answers else f"no answer within {SILENCE_SECONDS:g} s"


def _ask(address: str) -> str:
    request = urllib.request.Request(address, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=SILENCE_SECONDS).close()
    except urllib.error.HTTPError as error:
        # Some servers do not answer this question, and give the file all the same.
        return "" if error.code in (403, 405, 501) else f"HTTP {error.code} {error.reason}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))
    return ""


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    """While the block runs, a connection that is silent is given up; tensorflow-hub sets none."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _tensorflow_hub(handle: str) -> Any:
    """The package tensorflow-hub.

    It asks for tf_keras, whose layers we do not use and which would install a second TensorFlow
    beside tensorflow-cpu, -rocm or -tpu. Where that is missing, Keras stands in for it.
    """
    import sys

    import keras

    stands_in = "tf_keras" not in sys.modules and not _installed("tf-keras")
    if stands_in:
        sys.modules["tf_keras"] = keras
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pkg_resources
            import tensorflow_hub
    except ImportError as error:
        raise _missing(handle, str(error)) from None
    finally:
        if stands_in:
            sys.modules.pop("tf_keras", None)
    return tensorflow_hub


def _missing(handle: str, problem: str) -> MissingDependency:
    return MissingDependency(
        f"Fetching {handle} needs the package tensorflow-hub: {problem}. Install it with: "
        f"{_install_command()}\nA folder or a .tar.gz as the handle needs no package."
    )


def _install_command() -> str:
    """What installs tensorflow-hub and leaves the TensorFlow that is there alone."""
    if _installed("tensorflow"):
        return "pip install 'tfpipe[hub]'"
    return "pip install 'setuptools<81' && pip install --no-deps tensorflow-hub"


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
