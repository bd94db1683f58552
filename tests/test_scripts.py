"""The scripts that people and CI call: what they install, when, and what they then run.

They run for real on a copy of scripts/, with a real interpreter and a real environment. Only what
would need the network or minutes is replaced, through PYTHONPATH: ensurepip, pip and the tools.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Notes the call, then installs a `tfpipe` that shows where and how it was called.
PIP = """
import os, pathlib, signal, sys

if "--version" in sys.argv:
    raise SystemExit
log = pathlib.Path(os.environ["PIP_LOG"])
with log.open("a") as file:
    print(*sys.argv[1:], sep="|", file=file)
mode = os.environ.get("PIP_MODE")
if mode == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if mode == "bootstrap killed":
    os.kill(os.getppid(), signal.SIGKILL)
if mode == "refused":
    raise SystemExit("no matching distribution")
if mode == "held":
    print("pip waits", file=sys.stderr, flush=True)
    with open(os.environ["PIP_GATE"]) as gate:
        gate.readline()
tool = pathlib.Path(sys.prefix, "bin", "tfpipe")
tool.write_text('#!/bin/sh\\npwd\\nprintf "<%s>" "$@"\\nexit "${TFPIPE_EXIT:-0}"\\n')
tool.chmod(0o755)
"""
# Shows how it was called, and fails when it is told to.
TOOL = """
import os, pathlib, sys

name = pathlib.Path(__file__).stem
print(name, os.getcwd(), *sys.argv[1:], sep="|")
sys.exit(name == os.environ.get("FAILING_TOOL"))
"""
# What the scripts may use besides Python.
COMMANDS = ("sh", "cat", "cksum", "readlink")


class Checkout:
    """A copy of scripts/ in a folder of its own, and the few commands that calls of it can see."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        self.bin = folder / "bin"
        self.elsewhere = folder / "else where"
        self.pip_log = folder / "pip.log"
        fakes = folder / "fakes"
        for made in (self.root, self.bin, self.elsewhere, fakes):
            made.mkdir()
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        self.write("pyproject.toml", "[project]\n")
        self.write("constraints.txt", "numpy==2.4.6\n")
        (fakes / "ensurepip.py").touch()
        (fakes / "pip.py").write_text(PIP)
        for tool in ("pytest", "ruff", "mypy"):
            (fakes / f"{tool}.py").write_text(TOOL)
        for command in COMMANDS:
            (self.bin / command).symlink_to(str(shutil.which(command)))
        self.add_python("python3")
        self.environment = {
            "PATH": str(self.bin),
            "PYTHONPATH": str(fakes),
            "PIP_LOG": str(self.pip_log),
        }

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def add_python(self, name: str, pretence: str = "") -> None:
        """A Python on PATH; the script's look at it finds what `pretence` makes it find."""
        command = f"exec '{sys.executable}'"
        if pretence:
            command += f" -c 'import sys; {pretence}; exec(sys.argv[1])' \"$2\""
        else:
            command += ' "$@"'
        python = self.bin / name
        python.write_text(f"#!/bin/sh\n{command}\n")
        python.chmod(0o755)

    def start(self, script: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.root / "scripts" / script, *arguments],
            cwd=self.elsewhere,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(
        self, script: str, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(script, *arguments, **environment)
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @property
    def installs(self) -> list[str]:
        """What each pip was asked to install."""
        if not self.pip_log.exists():
            return []
        return [line.rpartition("|")[2] for line in self.pip_log.read_text().splitlines()]


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def test_the_first_call_installs_and_runs(checkout):
    result = checkout.call("tfpipe", "run", "a file.py", "")
    assert result.returncode == 0
    assert result.stderr == "Setting up .venv (once, about a minute) ...\n"
    assert result.stdout == f"{checkout.elsewhere}\n<run><a file.py><>"
    [command] = checkout.pip_log.read_text().splitlines()
    assert command.startswith("install|-qq|")
    assert f"|-c|{checkout.root}/constraints.txt|-e|{checkout.root}[tf]" in command


def test_the_second_call_starts_no_python_of_its_own(checkout):
    checkout.call("tfpipe")
    (checkout.bin / "python3").unlink()
    result = checkout.call("tfpipe", "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{checkout.elsewhere}\n<--help>"


def test_the_exit_code_is_kept(checkout):
    assert checkout.call("tfpipe", TFPIPE_EXIT="3").returncode == 3
    assert checkout.call("tfpipe", TFPIPE_EXIT="130").returncode == 130


def test_a_symlink_finds_its_checkout(checkout):
    link = checkout.bin / "tfpipe"
    link.symlink_to(os.path.relpath(checkout.root / "scripts" / "tfpipe", checkout.bin))
    result = subprocess.run(
        ["tfpipe", "check"],
        cwd=checkout.elsewhere,
        env=checkout.environment,
        executable=link,
        capture_output=True,
        text=True,
    )
    assert result.stdout == f"{checkout.elsewhere}\n<check>"
    assert (checkout.root / ".venv" / "bin" / "tfpipe").exists()


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_file_installs_again(checkout, name):
    checkout.call("tfpipe")
    checkout.write(name, "# changed\n")
    result = checkout.call("tfpipe")
    assert result.stderr == "Updating .venv to pyproject.toml and constraints.txt ...\n"
    assert checkout.call("tfpipe").stderr == ""
    assert len(checkout.installs) == 2


def test_the_tests_need_more_than_a_run_does(checkout):
    checkout.call("tfpipe")
    checkout.call("test")
    checkout.call("tfpipe")
    assert checkout.installs == [f"{checkout.root}[tf]", f"{checkout.root}[tf,dev]"]


def test_an_update_keeps_the_development_tools(checkout):
    checkout.call("check")
    checkout.write("constraints.txt", "# changed\n")
    checkout.call("tfpipe")
    checkout.call("test")
    assert checkout.installs == [f"{checkout.root}[tf,dev]"] * 2


@pytest.mark.parametrize("mode", ["killed", "bootstrap killed"])
def test_a_killed_install_is_made_anew(checkout, mode):
    assert checkout.call("tfpipe", PIP_MODE=mode).returncode != 0
    leftover = checkout.root / ".venv" / "leftover"
    leftover.touch()
    result = checkout.call("tfpipe")
    assert result.returncode == 0
    assert "Setting up .venv" in result.stderr
    assert not leftover.exists()


def test_a_killed_update_is_made_anew(checkout):
    checkout.call("tfpipe")
    checkout.write("constraints.txt", "# changed\n")
    assert checkout.call("tfpipe", PIP_MODE="killed").returncode == 1
    assert "Setting up .venv" in checkout.call("tfpipe").stderr


def test_an_update_that_pip_refuses_leaves_the_environment(checkout):
    checkout.call("tfpipe")
    checkout.write("constraints.txt", "# changed\n")
    result = checkout.call("tfpipe", PIP_MODE="refused")
    assert result.returncode == 1
    assert result.stdout == ""
    assert "no matching distribution" in result.stderr
    assert f"Could not set up {checkout.root}/.venv: pip failed with exit code 1." in result.stderr
    assert "Updating .venv" in checkout.call("tfpipe").stderr


def test_an_environment_without_pip_is_completed(checkout):
    (checkout.root / ".venv" / "bin").mkdir(parents=True)
    assert checkout.call("tfpipe").returncode == 0
    assert "Setting up .venv" not in checkout.call("tfpipe").stderr


def test_an_environment_made_by_hand_is_kept(checkout):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=checkout.root)
    mine = checkout.root / ".venv" / "mine"
    mine.touch()
    assert checkout.call("tfpipe", PIP_MODE="refused").returncode == 1
    assert "Updating .venv" in checkout.call("tfpipe").stderr
    assert mine.exists()


def test_an_environment_whose_python_has_gone_is_made_anew(checkout):
    checkout.call("tfpipe")
    python = checkout.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert "Setting up .venv" in checkout.call("tfpipe").stderr
    assert checkout.call("tfpipe").stderr == ""


def test_a_moved_checkout_is_made_anew(checkout):
    checkout.call("tfpipe")
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    assert "Setting up .venv" in checkout.call("tfpipe").stderr
    assert checkout.installs[-1] == f"{checkout.root}[tf]"


@pytest.fixture
def gate(tmp_path):
    """What a held pip waits for: a line written to this descriptor."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDWR)  # opened for both, it waits for nobody
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def held(checkout, gate, tmp_path):
    """A first call, whose pip waits at the gate."""
    first = checkout.start("tfpipe", "first", PIP_MODE="held", PIP_GATE=str(tmp_path / "gate"))
    assert first.stderr.readline().startswith("Setting up")
    assert first.stderr.readline() == "pip waits\n"
    return first


def test_two_calls_at_once_install_once(checkout, gate, held):
    second = checkout.start("tfpipe", "second")
    assert second.stderr.readline() == "Waiting for another call that is setting up .venv ...\n"
    os.write(gate, b"go on\n")
    assert held.communicate()[0].endswith("<first>")
    assert second.communicate()[0].endswith("<second>")
    assert len(checkout.installs) == 1


def test_a_pip_that_outlives_its_killed_caller_keeps_others_out(checkout, gate, held):
    children = Path(f"/proc/{held.pid}/task/{held.pid}/children")
    if not children.exists():
        pytest.skip("needs /proc to find the process to kill")
    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    second = checkout.start("tfpipe", "second")
    assert second.stderr.readline().startswith("Waiting for another call")
    os.write(gate, b"go on\n")
    held.communicate()
    out, err = second.communicate()
    assert "Setting up .venv" in err
    assert out.endswith("<second>")


def test_a_python_that_is_too_old_is_named(checkout):
    checkout.add_python("python3", "sys.version_info = (3, 9, 2)")
    result = checkout.call("tfpipe")
    assert (result.returncode, result.stdout) == (1, "")
    assert "tfpipe needs Python 3.11, 3.12 or 3.13 with the venv module" in result.stderr
    assert "python3: it is Python 3.9\n" in result.stderr
    assert not (checkout.root / ".venv").exists()


def test_a_python_without_venv_is_named(checkout):
    checkout.add_python("python3", 'sys.version_info = (3, 12, 1); sys.modules["ensurepip"] = None')
    result = checkout.call("tfpipe")
    assert result.returncode == 1
    assert "python3: it is Python 3.12 without venv: install python3.12-venv\n" in result.stderr


def test_no_python_at_all_is_said(checkout):
    (checkout.bin / "python3").unlink()
    result = checkout.call("tfpipe")
    assert result.returncode == 1
    assert "there is none of them" in result.stderr


def test_another_python_is_found_when_python3_is_too_old(checkout):
    (checkout.bin / "python3").rename(checkout.bin / "python3.12")
    checkout.add_python("python3", "sys.version_info = (3, 9, 2)")
    assert checkout.call("tfpipe").returncode == 0


def test_test_runs_pytest_in_the_checkout(checkout):
    result = checkout.call("test", "-k", "a name")
    assert result.stdout == f"pytest|{checkout.root}|--durations=10|-k|a name\n"
    assert checkout.call("test", FAILING_TOOL="pytest").returncode == 1


def test_all_tests_but_those_for_ci_run_in_a_process_for_each_core(checkout):
    said = "-m|not ci|-n|logical|--maxprocesses=4|--dist=loadfile|--no-loadscope-reorder"
    assert checkout.call("test").stdout == f"pytest|{checkout.root}|--durations=10|{said}\n"


@pytest.mark.parametrize(("failing", "code"), [("", 0), ("ruff", 1), ("mypy", 1)])
def test_check_runs_everything_and_fails_when_anything_does(checkout, failing, code):
    result = checkout.call("check", FAILING_TOOL=failing)
    lines = result.stdout.splitlines()
    ran = [line.split("|")[0::2] for line in lines[:3]]
    assert ran == [["ruff", "check"], ["ruff", "format"], ["mypy"]]
    assert lines[-1] == "Fallen: write it down with scripts/counts.py --lower."
    assert result.returncode == code


def test_check_fails_when_a_count_has_risen(checkout):
    limits = {"private functions used once": 0, "parameters typed Any": 0}
    checkout.write("scripts/counts.json", json.dumps(limits))
    (checkout.root / "tfpipe").mkdir()
    checkout.write("tfpipe/loose.py", "from typing import Any\n\ndef f(x: Any) -> None: ...\n")
    result = checkout.call("check")
    said = "There are more parameters typed Any than before: 333.3, not 0.\n"
    assert result.stdout.endswith(said)
    assert result.returncode == 1


@pytest.mark.parametrize(("check", "test", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)])
def test_ci_runs_all_and_fails_when_any_does(tmp_path, check, test, code):
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    (tmp_path / "scripts").mkdir()
    for name, exit_code in (("check", check), ("test", test)):
        script = tmp_path / "scripts" / name
        script.write_text(f"#!/bin/sh\nexit {exit_code}\n")
        script.chmod(0o755)
    result = subprocess.run([tmp_path / ".ci" / "run"], capture_output=True, text=True, check=False)
    lines = result.stdout.splitlines()
    assert [line.split(" after ")[0] for line in lines] == [
        f"== scripts/check {'failed' if check else 'passed'}",
        f"== scripts/test {'failed' if test else 'passed'}",
        f"== scripts/test -m ci -n logical --maxprocesses=4 {'failed' if test else 'passed'}",
    ]
    assert result.returncode == code


@pytest.mark.parametrize("name", ["scripts/tfpipe", "scripts/test", "scripts/check", ".ci/run"])
def test_the_scripts_are_executable(name):
    assert os.access(ROOT / name, os.X_OK)
