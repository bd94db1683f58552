"""Makes, completes or updates .venv for the scripts beside this file.

    bootstrap.py EXTRAS CHECKSUM

The stamp inside .venv says "installing" from before the first change until after the last one. So
an environment that was left halfway, at whatever point, is recognised and made anew.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
STAMP = ENVIRONMENT / "tfpipe-installed"
INSTALLING = "installing"
ALL_EXTRAS = "tf,dev"


def main(extras: str, checksum: str) -> None:
    with locked() as lock:
        stamp = read_stamp()
        if stamp in (complete(extras, checksum), complete(ALL_EXTRAS, checksum)):
            return  # another call installed it while this one waited
        if stamp.startswith(ALL_EXTRAS):
            extras = ALL_EXTRAS  # an update keeps what the environment has
        usable = is_usable(stamp)
        if usable:
            say("Updating .venv to pyproject.toml and constraints.txt ...")
            write_stamp(INSTALLING)
        else:
            say("Setting up .venv (once, about a minute) ...")
            make_environment(lock)
        try:
            install(extras, lock)
        except subprocess.CalledProcessError as error:
            if usable and error.returncode > 0:
                write_stamp(stamp)  # pip gave up by itself and undid its changes: nothing is broken
            raise
        write_stamp(complete(extras, checksum))


@contextlib.contextmanager
def locked() -> Iterator[int]:
    """Holds the lock, whose file descriptor is given on to what we start.

    The system frees the lock when the last process that holds the descriptor ends. So nobody waits
    for a dead one, and a pip that outlives a killed bootstrap still keeps others out.
    """
    with (ROOT / ".venv.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another call that is setting up .venv ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def complete(extras: str, checksum: str) -> str:
    """The stamp of a finished environment; _environment.sh builds the same line."""
    return f"{extras} {checksum} {place()}"


def place() -> str:
    return f"{os.path.realpath(PYTHON)} {ENVIRONMENT}"


def is_usable(stamp: str) -> bool:
    """Whether pip can work on the environment as it is; one without a stamp was made by hand."""
    if stamp == INSTALLING or (stamp and not stamp.endswith(place())):
        return False
    try:
        pip = subprocess.run([PYTHON, "-P", "-m", "pip", "--version"], capture_output=True)
    except OSError:
        return False
    return pip.returncode == 0


def make_environment(lock: int) -> None:
    ENVIRONMENT.mkdir(exist_ok=True)
    write_stamp(INSTALLING)
    for path in ENVIRONMENT.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != STAMP:
            path.unlink()
    venv.create(ENVIRONMENT, symlinks=True)
    run_module("ensurepip", "--default-pip", lock=lock)


def install(extras: str, lock: int) -> None:
    options = ("-qq", "--no-input", "--disable-pip-version-check")
    constraints = str(ROOT / "constraints.txt")
    project = f"{ROOT}[{extras}]"
    run_module("pip", "install", *options, "-c", constraints, "-e", project, lock=lock)


def run_module(*arguments: str, lock: int) -> None:
    # -P: the caller's folder may hold a file of the same name as a module.
    command = [str(PYTHON), "-P", "-m", *arguments]
    subprocess.run(command, stdout=subprocess.DEVNULL, pass_fds=[lock], check=True)


def read_stamp() -> str:
    try:
        return os.fsdecode(STAMP.read_bytes()).rstrip("\n")
    except FileNotFoundError:
        return ""


def write_stamp(text: str) -> None:
    beside = STAMP.with_suffix(".new")
    beside.write_bytes(os.fsencode(f"{text}\n"))
    beside.replace(STAMP)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        tool = error.cmd[3]
        say(f"Could not set up {ENVIRONMENT}: {tool} failed with exit code {error.returncode}.")
        say("Its message is above. Once that is put right, call this script again.")
        sys.exit(1)
    except OSError as error:
        say(f"Could not set up {ENVIRONMENT}: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("Stopped before .venv was ready. The next call starts it anew.")
        sys.exit(130)
