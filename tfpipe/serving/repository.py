"""The models that are served: their versions, and new ones that take the place of old ones."""

import gc
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tfpipe.errors import ModelError, TfpipeError, suggest
from tfpipe.serving.batching import Batcher
from tfpipe.serving.drift import Drift
from tfpipe.serving.options import ServingOptions
from tfpipe.serving.protocols.tensorflow_api import not_found
from tfpipe.serving.refusals import RequestRefused
from tfpipe.serving.servable import Servable, load
from tfpipe.serving.warm_up import warm_up

LOADING, AVAILABLE, UNLOADING, END = "LOADING", "AVAILABLE", "UNLOADING", "END"
_NAME = re.compile(r"[\w.-]+")
_LABELS = {"latest": -1, "previous": -2}


@dataclass
class LoadedVersion:
    """A version that answers, with what waits for its answers.

    Args:
        servable: the version.
        batcher: answers its requests.
        drift: counts how they differ from what it was trained on.
        leases: how many requests hold it.
        retired: whether no new request gets it.
    """

    servable: Servable
    batcher: Batcher
    drift: Drift
    leases: int = 0
    retired: bool = False


class Model:
    """A model's versions: those that are loaded, and how it went with the others.

    Args:
        name: under which it is served.
        folder: of its versions; or one version itself.
        options: how it is served.
        watch: told (model, rows, seconds) of each batch.
        notify: told in a sentence what changed.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        options: ServingOptions,
        watch: Callable[[str, int, float], None],
        notify: Callable[[str], None],
    ) -> None:
        self.name, self.folder = name, folder
        self._options, self._watch, self._notify = options, watch, notify
        self._lock = threading.Lock()
        self._served: dict[int, LoadedVersion] = {}
        self._refused: dict[int, tuple[float, str]] = {}
        self._loading: set[int] = set()
        self.states: dict[int, tuple[str, str]] = {}

    def look(self) -> None:
        """Load what is new and wanted, and retire what is not wanted any more.

        A version that does not load, or does not answer as it should, is refused and said once;
        what is served then stays.
        """
        there = versions_in(self.folder)
        good = [v for v in sorted(there) if not self._was_refused(v, there[v])]
        wanted = good[-self._options.versions :]
        for version in reversed(wanted):
            if version not in self._served and not self._load(version, there[version]):
                return self.look()  # without it, another one may be wanted
        loaded = [v for v in wanted if v in self._served]
        for version in [*self._served]:
            if loaded and version not in loaded:
                self._retire(version)

    def _was_refused(self, version: int, folder: Path) -> bool:
        """Whether a version was refused, and has not been written anew since."""
        refused = self._refused.get(version)
        return refused is not None and refused[0] == _written(folder)

    def _load(self, version: int, folder: Path) -> bool:
        """Load a version; return whether it is good."""
        self.states[version] = (LOADING, "")
        written, began = _written(folder), time.perf_counter()
        try:
            servable = load(folder, self.name, version)
            warm_up(servable, folder, self._options.max_batch)
            drift = Drift(servable.contract)
        except Exception as known:  # noqa: BLE001 (whatever is in its files, the others go on)
            error = known if isinstance(known, TfpipeError) else damaged(folder, known)
            self._refused[version] = written, str(error)
            self.states[version] = (END, str(error))
            kept = f" Version {max(self._served)} stays." if self._served else ""
            self._notify(f"{self.name} version {version} is refused: {error}{kept}")
            return False

        def watch(rows: int, seconds: float) -> None:
            self._watch(self.name, rows, seconds)

        options = self._options
        batcher = Batcher(options.max_batch, options.max_queue, watch, options.max_pixels)
        with self._lock:
            self._served[version] = LoadedVersion(servable, batcher, drift)
        self.states[version] = (AVAILABLE, "")
        proof = "as its golden samples say" if servable.differences else "no golden samples"
        seconds = time.perf_counter() - began
        self._notify(f"{self.name} version {version} answers ({proof}), loaded in {seconds:.1f} s")
        return True

    def _retire(self, version: int) -> None:
        with self._lock:
            served = self._served.pop(version)
            served.retired = True
            idle = served.leases == 0
        self.states[version] = (UNLOADING, "")
        if idle:
            self._end(version, served)

    def _end(self, version: int, served: LoadedVersion) -> None:
        served.batcher.close()
        self.states[version] = (END, "")
        self._notify(f"{self.name} version {version} is unloaded.")

    @property
    def ready(self) -> bool:
        """Whether a version answers."""
        return bool(self._served)

    @property
    def waiting(self) -> int:
        """How many samples wait."""
        return sum(served.batcher.waiting for served in self._all())

    def drifts(self) -> list[tuple[int, Drift]]:
        """The versions that answer, each with its counts."""
        return [(one.servable.version, one.drift) for one in self._all()]

    def servables(self) -> list[Servable]:
        """The versions that answer, the newest first."""
        return sorted((s.servable for s in self._all()), key=lambda s: -s.version)

    def _all(self) -> list[LoadedVersion]:
        with self._lock:
            return [*self._served.values()]

    @contextmanager
    def lease(self, version: str = "", label: str = "") -> Iterator[LoadedVersion]:
        """Hold a version while a request is answered: it is not unloaded under its hands.

        Args:
            version: its number; the newest one when empty.
            label: `latest`, or `previous` where more than one is served.

        Raises:
            RequestRefused: when it is not served.
        """
        with self._lock:
            number = self._number(version, label)
            served = self._served[number]
            served.leases += 1
        try:
            yield served
        finally:
            with self._lock:
                served.leases -= 1
                over = served.retired and served.leases == 0
            if over:
                self._end(number, served)

    def _number(self, version: str, label: str) -> int:
        loaded = sorted(self._served)
        if label:
            place = _LABELS.get(label)
            if place is None or len(loaded) < -place:
                raise RequestRefused(404, f"Unrecognized servable version label: {label}")
            return loaded[place]
        if version:
            if not version.isdecimal() or int(version) not in self._served:
                raise not_found(self.name, version)
            return int(version)
        if not loaded:
            raise not_found(self.name)
        return loaded[-1]

    def close(self) -> None:
        """Answer what waits, and unload."""
        for served in self._all():
            served.batcher.close()


class Repository:
    """Several models, each looked after for new versions.

    Args:
        models: by name.
        poll: seconds between two looks; 0 for never.
    """

    def __init__(self, models: dict[str, Model], poll: float) -> None:
        self.models = models
        self._poll = poll
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="versions", daemon=True)
        self.stopping = False

    def start(self) -> None:
        """Load the models, and look for new versions from now on.

        Raises:
            ModelError: when a model has no version that can be served.
        """
        gc.disable()  # it takes a quarter of the time in which TensorFlow is imported
        try:
            for model in self.models.values():
                model.look()
                if not model.ready:
                    reasons = [f" {problem}" for _, problem in model.states.values() if problem]
                    raise ModelError(f"{model.folder} has no version to serve.{''.join(reasons)}")
        finally:
            gc.enable()
        gc.freeze()
        if self._poll:
            self._thread.start()

    def _watch(self) -> None:
        states = [{**model.states} for model in self.models.values()]
        while not self._over.wait(self._poll):
            for model in self.models.values():
                model.look()
            before, states = states, [{**model.states} for model in self.models.values()]
            if before != states:
                set_aside()

    @property
    def ready(self) -> bool:
        """Whether every model has a version that answers, and the server is not about to end."""
        return not self.stopping and all(model.ready for model in self.models.values())

    def model(self, name: str) -> Model:
        """Return a model; raise RequestRefused where none has the name."""
        if name not in self.models:
            raise not_found(name)
        return self.models[name]

    def close(self) -> None:
        """Answer what waits, and end."""
        self._over.set()
        for model in self.models.values():
            model.close()


def set_aside() -> None:
    """Have Python's garbage collector look at what is there now once, and not again.

    It looks at all objects every few hundred requests, and TensorFlow and a model are 300,000 of
    them: everybody who asked waited for 140 ms. What unloaded versions leave is collected here.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def versions_in(folder: Path) -> dict[int, Path]:
    """Return the versions of a model by number; a folder that is a version itself is one."""
    if (folder / "saved_model.pb").is_file():
        return {int(folder.name) if folder.name.isdecimal() else 1: folder}
    try:
        return {int(p.name): p for p in folder.iterdir() if p.name.isdecimal() and p.is_dir()}
    except OSError:  # gone for the moment
        return {}


def damaged(folder: Path, error: Exception) -> ModelError:
    """Return what is said of a version whose files do not hold what they should."""
    reason = " ".join(str(error).split())[:300]
    return ModelError(f"{folder} is damaged: {type(error).__name__}: {reason}")


def _written(folder: Path) -> float:
    """Return when a version was written last; 0 for one that is gone."""
    try:
        places = (folder, *(folder / name for name in ("saved_model.pb", "variables", "assets")))
        places = tuple(place for place in places if place.exists())
        return max(place.stat().st_mtime for place in places)
    except OSError:
        return 0.0


def find_models(targets: tuple[str, ...], root: Path) -> dict[str, Path]:
    """Return the folders that people mean by their names.

    Args:
        targets: folders of versions or of one version, names below `root`/saved_models, or
            NAME=FOLDER.
        root: the folder with saved_models/.

    Raises:
        ModelError: when there is none, or two have one name.
    """
    found: dict[str, Path] = {}
    for target in targets:
        own, equals, place = target.partition("=")
        place = place if equals else target
        places = (Path(place).expanduser(), root / place, root / "saved_models" / place)
        folder = next((p for p in places if versions_in(p)), None)
        if folder is None and Path(place).suffix in (".onnx", ".tflite"):
            raise ModelError(
                f"{place} is one file, and SavedModels are served: export the run as one with "
                "tfpipe export RUN, and serve its folder."
            )
        if folder is None:
            known = [p.name for p in (root / "saved_models").glob("*") if versions_in(p)]
            raise ModelError(
                f"There is no exported model {place!r}: expected is a folder with saved_model.pb, "
                f"or one of numbered versions. {suggest(place, known)}".rstrip()
            )
        folder = folder.resolve()
        versions = folder.name.isdecimal() and (folder / "saved_model.pb").is_file()
        name = own if equals else (folder.parent if versions else folder).name
        if not _NAME.fullmatch(name):
            raise ModelError(
                f"{name!r} is no name that an address can have: expected are letters, digits, "
                f"'_', '-' and '.', as in model={place}."
            )
        if name in found:
            raise ModelError(
                f"Two models are called {name!r}: {found[name]} and {folder}. Name one of them, as "
                f"in other={place}."
            )
        found[name] = folder
    return found
