"""What must stay quick imports nothing heavy: looked up in sys.modules of a process of its own."""

import subprocess
import sys

import pytest

from tfpipe.cli.main import VERBS

HEAVY = ("tensorflow", "keras", "tensorflow_datasets", "tensorboard", "matplotlib", "sklearn")
CODE = """
import sys
from tfpipe.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    code = ended.code
print(code, [m for m in {heavy} if m in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        *((verb, "--help") for verb in VERBS),
        ("config", "pipelines/cifar10_cnn.py"),
        ("config", "pipelines/cifar10_cnn.py", "optimizer=Adam(1e-3)", "--json"),
        ("models",),
        ("models", "--json"),
        ("runs", "ls"),
        ("runs", "ls", "--help"),
        ("runs", "show", "--help"),
        ("completion", "zsh"),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(words, pytestconfig):
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(heavy=HEAVY), *words],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "0 []\n"
    assert done.stdout


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, tfpipe, tfpipe.data, tfpipe.models\n"
        "[getattr(tfpipe, name) for name in ('Pipeline', 'hp', 'keras', 'deferred', 'errors')]\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
