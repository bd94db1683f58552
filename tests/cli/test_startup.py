"""What must stay quick imports nothing heavy: looked up in sys.modules of a process of its own."""

import json
from typing import Any

import pytest

from tfpipe.cli.main import VERBS

HEAVY = ("tensorflow", "keras", "tensorflow_datasets", "tensorboard", "matplotlib", "sklearn")
CALLS = [
    ("--help",),
    *((verb, "--help") for verb in VERBS),
    ("config", "pipelines/cifar10_cnn.py"),
    ("config", "pipelines/cifar10_cnn.py", "optimizer=Adam(1e-3)", "--json"),
    ("models",),
    ("models", "--json"),
    ("runs", "ls"),
    ("runs", "ls", "--help"),
    *(("runs", verb, "--help") for verb in ("show", "compare", "rm", "clean")),
    ("completion", "zsh"),
]
# Of each call its exit code, how much it printed, and what is imported since the one before.
CODE = f"""
import contextlib, io, json, sys
from tfpipe.cli.main import main
before = set()
for words in {CALLS}:
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            main(list(words))
    except SystemExit as ended:
        code = ended.code
    after = {{m for m in {HEAVY} if m in sys.modules}}
    print(json.dumps([code, len(out.getvalue()), sorted(after - before)]))
    before = after
"""


@pytest.fixture(scope="module")
def calls(python: Any, pytestconfig: pytest.Config) -> dict[tuple[str, ...], list[Any]]:
    """What became of each of the calls, made one after the other in one process."""
    answer = python("-c", CODE, cwd=pytestconfig.rootpath).end()
    assert (answer.code, answer.err) == (0, "")
    return dict(zip(CALLS, map(json.loads, answer.out.splitlines()), strict=True))


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_nothing_heavy_is_imported(
    calls: dict[tuple[str, ...], list[Any]], words: tuple[str, ...]
) -> None:
    code, printed, heavy = calls[words]
    assert (code, heavy) == (0, [])
    assert printed


def test_importing_the_package_imports_nothing_heavy(python: Any) -> None:
    code = (
        "import sys, tfpipe, tfpipe.data, tfpipe.models\n"
        "[getattr(tfpipe, name) for name in ('Pipeline', 'hp', 'keras', 'deferred', 'errors')]\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    assert python("-c", code).end().out == "[]\n"
