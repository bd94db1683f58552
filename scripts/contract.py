"""Records what tfpipe promises to the outside, so that two trees of it can be compared.

    contract.py record TREE OUT        run the scenarios with the tfpipe of TREE, write into OUT
    contract.py compare BEFORE AFTER   print what differs; exit code 1 when something does

Recorded are help texts, messages for mistakes, JSON output, the files of runs, searches and exports
with their contents, and digests of trained weights: after a run, a run that was killed and resumed,
one in two phases, one on two workers. What a clock, a path or a machine decides is left out.

    contract.py compare BEFORE AFTER --allow scripts/contract_changes.txt

leaves out lines that match a pattern of that file: `FILE-PATTERN: REGULAR EXPRESSION  # why`.
"""

import difflib
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SMALL = """
import numpy as np
import keras as real_keras
from tfpipe import FineTune, Phase, Pipeline, hp, keras
from tfpipe.data import CSV, Arrays, ImageFolder, TextCSV, augment
from tfpipe.models import CNN_2_4_6, MLP, Application, Custom, TextClassifier


def images():
    rng = np.random.default_rng(0)
    y = np.arange(240) % 3
    x = rng.integers(0, 80, (240, 8, 8, 3)) + 60 * y[:, None, None, None]
    return x.astype("uint8"), y


class Small(Pipeline):
    data = Arrays(images, validation=0.2, test=0.2, classes=("dark", "grey", "bright"))
    augment = (augment.flip(), augment.rotate(10))
    model = CNN_2_4_6(convs=2, dropout=0.2, batch_norm=True, units=8)
    optimizer = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)
    batch_size = 16
    epochs = 3


class Phases(Small):
    fine_tune = FineTune(
        phases=(
            Phase(epochs=1, optimizer=keras.optimizers.SGD(0.01)),
            Phase(epochs=2, optimizer=keras.optimizers.SGD(0.001), unfreeze="all"),
        )
    )
    epochs = 3

    def build_model(self):
        base = real_keras.Sequential(
            [real_keras.Input((8, 8, 3)), real_keras.layers.Conv2D(4, 3, name="conv"),
             real_keras.layers.BatchNormalization(), real_keras.layers.GlobalAveragePooling2D()],
            name="base",
        )
        inputs = real_keras.Input((8, 8, 3))
        x = base(real_keras.layers.Rescaling(1 / 255)(inputs))
        return real_keras.Model(inputs, real_keras.layers.Dense(3)(x))


class Table(Pipeline):
    data = CSV("table.csv", label="left", validation=0.2, test=0.2)
    model = MLP(units=(8,))
    epochs = 2


class Texts(Pipeline):
    data = TextCSV("texts.csv", text="text", label="good", validation=0.2, test=0.2)
    model = TextClassifier()
    epochs = 1


class Photos(Small):
    data = ImageFolder("photos", size=(8, 8), validation=0.2, test=0.2)
    model = MLP(units=(8,))
    augment = ()
    epochs = 1


class Compared(Small):
    data = Arrays(
        lambda: (np.repeat(np.repeat(images()[0], 4, 1), 4, 2)[:60], images()[1][:60]),
        validation=0.2,
    )
    model = Application("MobileNetV2", weights=None, alpha=0.35)
    augment = ()
    epochs = 1


class Searched(Small):
    model = CNN_2_4_6(convs=2, dropout=hp.Float(0.2, min=0.0, max=0.5), units=8)
    optimizer = keras.optimizers.SGD(learning_rate=hp.Float(0.01, min=1e-3, max=1e-1, log=True))
    epochs = 2
"""
PHOTOS = """
from pathlib import Path
import numpy as np
from PIL import Image
rng = np.random.default_rng(0)
for number in range(60):
    shade = number % 3
    folder = Path("photos", ("dark", "grey", "bright")[shade])
    folder.mkdir(parents=True, exist_ok=True)
    pixels = rng.integers(0, 80, (9 + number % 4, 10, 3)) + 60 * shade
    Image.fromarray(pixels.astype("uint8")).save(folder / f"{number:02}.png")
"""
DIGEST = """
import hashlib, sys
from pathlib import Path
import numpy as np
state = max(Path(sys.argv[1], "checkpoints").glob("state-*"), key=lambda path: path.name)
digest = hashlib.sha256()
with np.load(state / "arrays.npz") as arrays:
    for name in sorted(arrays.files):
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    print(state.name, len(arrays.files), "arrays", digest.hexdigest())
"""
MISTAKES = (
    ("run", "small.py::Small", "epoch=3"),
    ("run", "small.py::Small", "epochs=many"),
    ("run", "small.py::Small", "model.convs=5"),
    ("run", "small.py::Small", "optimizer=Adm()"),
    ("run", "small.py::Small", "optimizer.learning_rte=1"),
    ("run", "small.py::Small", "loss=keras.losses.SparseCategoricalCrossentrop()"),
    ("run", "small.py::Small", "device=gpu"),
    ("run", "small.py::Small", "batch_size"),
    ("run", "small.py::Smal"),
    ("run", "smal.py"),
    ("run", "table.csv"),
    ("check", "small.py::Table", "data.label=lft"),
    ("check", "small.py::Table", "data.path=tabel.csv"),
    ("check", "small.py::Small", "task=regression"),
    ("resume", "nothing"),
    ("runs", "show", "nothing"),
    ("rum", "small.py"),
    ("run",),
    ("search", "small.py::Small"),
    ("search", "small.py::Searched", "--trials", "0"),
    ("search", "small.py::Searched", "--vary", "model.unit=1..2"),
    ("search", "--resume"),
    ("compare-models", "small.py::Small"),
    ("predict", "small.py::Small", "x.png"),
)
COMMANDS = (
    *("check", "config", "run", "resume", "predict", "search", "compare-models", "runs"),
    *("devices", "models", "completion"),
)
TREES = ("runs", "searches", "saved_models")
# What a clock, a path or the machine decides.
NORMALISED = (
    (r"\d{8}-\d{6}(-\d+)?", "STAMP"),
    (r"\b\d+(\.\d+)?(e-?\d+)? (s|ms|MB|GB|kB|examples/s)\b", "N \\3"),
    (r"\b\d+:\d\d(:\d\d)?\b", "TIME"),
    (
        r"(seconds(?:_per_epoch)?|examples_per_second|input_wait|active_seconds|began|ended)"
        r"(=|\": )[\d.e+-]+",
        "\\1\\2N",
    ),
    (r"(process|pid) \d+", "\\1 N"),
    (r"tfpipe_file_[0-9a-f]{8}", "FILE"),
    (r"\bin \d+:\d+", "in TIME"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"\"(memory_bytes|peak|seconds_total)\": [\d.]+", '"\\1": N'),
    (r"\"worker\": \"[^\"]*-\d+/", '"worker": "MACHINE/'),
    # What TensorFlow's libraries print as they are loaded.
    (r"(?m)^([IWE]\d{4} |WARNING: All log messages|To enable the following instructions).*\n", ""),
)


class Recorder:
    """Runs scenarios in a folder of its own, and writes what they come to."""

    def __init__(self, tree: Path, out: Path) -> None:
        self._tree, self._out = tree.resolve(), out.resolve()
        self._folder = Path(tempfile.mkdtemp(prefix="contract."))
        out.mkdir(parents=True, exist_ok=True)
        (self._folder / "small.py").write_text(SMALL)
        rows = [f"{20 + n % 50},{'FR' if n % 3 else 'DE'},{n % 7 / 2},{n % 2}" for n in range(200)]
        (self._folder / "table.csv").write_text("\n".join(["age,land,x,left", *rows]) + "\n")
        (process := self.python("-c", PHOTOS)).communicate()
        if process.returncode:
            raise RuntimeError("the photos could not be written")
        texts = [f"{'fine good' if n % 2 else 'bad poor'} film {n % 9},{n % 2}" for n in range(200)]
        (self._folder / "texts.csv").write_text("\n".join(["text,good", *texts]) + "\n")

    def python(self, *words: str) -> "subprocess.Popen[str]":
        """Start Python with the tree's tfpipe."""
        environ = os.environ | {"PYTHONPATH": str(self._tree), "COLUMNS": "100", "NO_COLOR": "1"}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self._folder,
            env=environ,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )

    def call(self, *words: str) -> str:
        """What a call of tfpipe prints, and its exit code."""
        process = self.python("-m", "tfpipe", *words)
        out, err = process.communicate()
        return f"$ tfpipe {' '.join(words)}\n{out}--- stderr\n{err}--- exit {process.returncode}\n"

    def write(self, name: str, text: str) -> None:
        """Write a file of the contract, without what differs from one call to the next."""
        text = text.replace(str(self._folder), "FOLDER").replace(str(self._tree), "TREE")
        (self._out / f"{name}.txt").write_text(normalised(text))
        print(name, flush=True)

    def newest(self, pattern: str) -> Path:
        """The newest folder that matches."""
        return max(self._folder.glob(pattern), key=lambda path: path.stat().st_mtime)

    def digest(self, run: Path) -> str:
        """A digest of the arrays in the last state of a run; a run without one is an error."""
        out, err = (process := self.python("-c", DIGEST, str(run))).communicate()
        if process.returncode:
            raise RuntimeError(f"no state of {run} could be read: {err}")
        return out

    def files(self) -> str:
        """The names of all files that were written, and the contents of the small ones."""
        names = [
            str(path.relative_to(self._folder))
            for tree in TREES
            for path in sorted((self._folder / tree).rglob("*"))
            if path.is_file() and "tfevents" not in path.name and "claims" not in path.parts
        ]
        return "\n".join(names) + "\n"


def normalised(text: str) -> str:
    """A text without what a clock, a path or the machine decides."""
    for pattern, instead in NORMALISED:
        text = re.sub(pattern, instead, text)
    return text


def scenarios(recorder: Recorder) -> Iterator[tuple[str, str]]:
    """Each scenario's name and what it printed."""
    yield "help", "".join(recorder.call(*words) for words in (("--help",), ("--version",)))
    for name in COMMANDS:
        yield f"help_{name}", recorder.call(name, "--help")
    yield "mistakes", "".join(recorder.call(*words) for words in MISTAKES)
    for name in ("Small", "Phases", "Table", "Texts", "Searched"):
        yield f"config_{name}", recorder.call("config", f"small.py::{name}", "--json")
    yield "config_text", recorder.call("config", "small.py::Searched", "batch_size=8")
    yield "models", recorder.call("models", "--json")
    yield "check", recorder.call("check", "small.py::Small", "--json")
    yield "check_text", recorder.call("check", "small.py::Table")
    yield "devices", "".join(recorder.call("devices", *words) for words in ((), ("--json",)))
    for name in ("Small", "Phases", "Table", "Texts", "Photos"):
        yield f"run_{name}", recorder.call("run", f"small.py::{name}")
        yield from run_files(recorder, name)
    photos = ("photos/dark/00.png", "photos/grey/01.png", "photos/dark/none.png")
    for form in ((), ("--json",)):
        words = ("predict", "small.Photos", *photos, *form)
        yield f"predict{''.join(form)}", recorder.call(*words)
        yield f"show{''.join(form)}", recorder.call("runs", "show", "small.Photos", *form)
        words = ("resume", "small.Photos", f"epochs={2 + len(form)}", "--no-export", *form)
        yield f"resume{''.join(form)}", recorder.call(*words)
    words = ("run", "small.py::Photos", "--json", "--no-export")
    yield "run_json", recorder.call(*words)
    words = ("compare-models", "small.py::Compared", "--models", "MobileNetV2,VGG16")
    # Of each network its name, accuracy and parameters; the rest is times.
    rows = re.findall(r"(?m)^[A-Z]\w+ +[\d.]+ +[\d,]+ +[\d,]+", recorder.call(*words))
    yield "compare", "\n".join(rows)
    yield "weights_killed", killed(recorder)
    yield "run_workers", recorder.call("run", "small.py::Small", "--workers", "2", "--no-export")
    yield "weights_workers", recorder.digest(recorder.newest("runs/small.Small/*"))
    yield "runs", recorder.call("runs", "--json")
    for tuner in ("random", "grid", "bayesian", "hyperband"):
        # Hyperband stops trials early, and takes no declaration of fewer than three epochs.
        words = ("--tuner", tuner, *(("--trials", "3") if tuner != "hyperband" else ("epochs=3",)))
        yield f"search_{tuner}", recorder.call("search", "small.py::Searched", "--json", *words)
    words = ("search", "small.py::Searched", "--tuner", "random", "--trials", "2", "seed=1")
    yield "search_text", recorder.call(*words)
    yield "files", recorder.files()


def run_files(recorder: Recorder, name: str) -> Iterator[tuple[str, str]]:
    """What the newest run of a pipeline has written."""
    run = recorder.newest(f"runs/small.{name}/*")
    export = recorder.newest(f"saved_models/small.{name}/*")
    yield f"weights_{name}", recorder.digest(run)
    for file in ("config.json", "status.json", "report/report.json"):
        if (run / file).is_file():
            text = json.dumps(json.loads((run / file).read_text()), indent=1)
            yield f"{file.replace('/', '_')}_{name}", text
    yield f"contract_{name}", (export / "assets" / "contract.json").read_text()
    yield f"metrics_{name}", (run / "metrics.csv").read_text().splitlines()[0]


def killed(recorder: Recorder) -> str:
    """The digest of a run that was ended by SIGKILL in its second epoch, and resumed."""
    before = set(recorder._folder.glob("runs/small.Small/*/metrics.csv"))
    process = recorder.python("-m", "tfpipe", "run", "small.py::Small", "--no-export")
    metrics: Path | None = None
    while metrics is None or len(metrics.read_text().splitlines()) < 2:
        time.sleep(0.05)
        new = set(recorder._folder.glob("runs/small.Small/*/metrics.csv")) - before
        metrics = next(iter(new), None)
    process.kill()
    process.communicate()
    if json.loads((metrics.parent / "status.json").read_text())["state"] == "finished":
        raise RuntimeError("the run had finished before it was killed")
    recorder.call("resume", str(metrics.parent), "--no-export")
    return recorder.digest(metrics.parent)


def record(tree: Path, out: Path) -> None:
    """Write the contract of a tree into a folder."""
    recorder = Recorder(tree, out)
    try:
        for name, text in scenarios(recorder):
            recorder.write(name, text)
    finally:
        shutil.rmtree(recorder._folder, ignore_errors=True)


def compare(before: Path, after: Path, allowed: list[tuple[str, str]]) -> int:
    """Print what differs between two contracts and is not allowed to; 1 when anything does."""
    names = sorted({path.name for folder in (before, after) for path in folder.glob("*.txt")})
    different = 0
    for name in names:
        one, other = (
            normalised((folder / name).read_text()).splitlines()
            if (folder / name).is_file()
            else []
            for folder in (before, after)
        )
        patterns = [p for glob, p in allowed if fnmatch.fnmatch(name, glob)]
        lines = [
            line
            for line in difflib.unified_diff(one, other, lineterm="", n=0)
            if line[:1] in "+-"
            and line[:3] not in ("+++", "---")
            and not any(re.search(pattern, line) for pattern in patterns)
        ]
        if lines:
            different += 1
            print(f"== {name}", *lines, sep="\n")
    print(f"{len(names)} files, {different} of them different.")
    return 1 if different else 0


def read_allowed(file: Path) -> list[tuple[str, str]]:
    """The pairs of a file's pattern and a line's pattern that a text lists."""
    lines = (line.partition("  #")[0].strip() for line in file.read_text().splitlines())
    pairs = (line.partition(": ") for line in lines if line and not line.startswith("#"))
    return [(glob, pattern) for glob, _, pattern in pairs]


def main(words: list[str]) -> int:
    """Do what the words say; the exit code."""
    allowed = []
    if "--allow" in words:
        at = words.index("--allow")
        allowed = read_allowed(Path(words[at + 1]))
        words = words[:at] + words[at + 2 :]
    if len(words) == 3 and words[0] == "record":
        record(Path(words[1]), Path(words[2]))
        return 0
    if len(words) == 3 and words[0] == "compare":
        return compare(Path(words[1]), Path(words[2]), allowed)
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
