"""The command itself: help, mistakes, exit codes, completion."""

import os
import subprocess
import sys
from datetime import datetime

import pytest

from tfpipe import __version__
from tfpipe.cli import main as module
from tfpipe.cli.main import VERBS
from tfpipe.errors import CheckFailed, Interrupted
from tfpipe.runs.directory import create_run

pytestmark = pytest.mark.usefixtures("job")
SHELLS = ("bash", "zsh", "fish")


def test_help_lists_the_verbs(tfpipe):
    done = tfpipe("--help")
    assert done.code == 0
    for verb, (_, text) in VERBS.items():
        assert f"  {verb} " in done.out
        assert text in " ".join(done.out.split())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(tfpipe, verb):
    for word in ("--help", "-h"):
        done = tfpipe(verb, word)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(f"Usage: tfpipe {verb} ")


def test_the_version(tfpipe):
    assert tfpipe("--version").out == f"tfpipe, version {__version__}\n"


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("rnu", "Error: There is no verb 'rnu'. Did you mean 'run'?"),
        ("confg", "Error: There is no verb 'confg'. Did you mean 'config'?"),
        (
            "zzz",
            "Error: There is no verb 'zzz'. There is: bench, check, compare-models, completion, ",
        ),
    ],
)
def test_an_unknown_verb_is_suggested(tfpipe, verb, said):
    done = tfpipe(verb)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""


def test_an_unknown_option_is_refused(tfpipe):
    done = tfpipe("config", "job.py", "--jsno")
    assert done.code == 2
    assert "No such option" in done.err
    assert "--json" in done.err
    done = tfpipe("run", "job.py", "--epochs", "3")
    assert done.code == 2
    assert done.err.endswith(
        "Error: No such option '--epochs'. A field of the pipeline is set without dashes: "
        "epochs=...\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("config", "jbo.py"),
            "Error: There is no file 'jbo.py'. Did you mean 'job.py'?\n",
        ),
        (
            ("config", "job.py", "epoch=3"),
            "Error: epoch=3: Job has no field 'epoch'. Did you mean 'epochs'?\n",
        ),
        (
            ("config", "job.py::Dep"),
            "Error: job.py has no pipeline 'Dep'. Did you mean 'Deep'?\n",
        ),
        (
            ("runs", "show", "last"),
            "Error: There are no runs in runs. Start one with tfpipe run FILE.\n",
        ),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(tfpipe, words, said):
    done = tfpipe(*words)
    assert (done.code, done.out, done.err) == (2, "", said)


def test_debug_shows_the_traceback_too(tfpipe, monkeypatch):
    monkeypatch.setenv("TFPIPE_DEBUG", "0")  # so that what the command sets is taken back
    done = tfpipe("config", "job.py", "epoch=3", "--debug")
    assert done.code == 2
    assert "Traceback (most recent call last):" in done.err
    assert done.err.endswith("Error: epoch=3: Job has no field 'epoch'. Did you mean 'epochs'?\n")
    assert os.environ["TFPIPE_DEBUG"] == "1"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (CheckFailed("The export differs."), 3, "Error: The export differs.\n"),
        (Interrupted("Stopped; saved."), 130, "Interrupted: Stopped; saved.\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (
            RuntimeError("\nfirst\nsecond"),
            1,
            "Error: RuntimeError: first\nRun it again with --debug for the traceback.\n",
        ),
        (
            KeyError(),
            1,
            "Error: KeyError: KeyError\nRun it again with --debug for the traceback.\n",
        ),
    ],
)
def test_how_errors_end(tfpipe, monkeypatch, error, code, said):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(module.tfpipe, "main", fail)
    done = tfpipe("models")
    assert (done.code, done.err) == (code, said)


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "tfpipe", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"tfpipe, version {__version__}\n"


def test_a_closed_pipe_is_no_error():
    line = f"'{sys.executable}' -m tfpipe models | true"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert done.stderr == ""


# Completion


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_completion_script(tfpipe, shell):
    done = tfpipe("completion", shell)
    assert done.code == 0
    assert "_TFPIPE_COMPLETE" in done.out


def test_an_unknown_shell_is_refused(tfpipe):
    done = tfpipe("completion", "tcsh")
    assert done.code == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in done.err


@pytest.fixture
def complete(tfpipe, monkeypatch):
    """What bash would offer for the last of some words."""

    def offers(*words):
        monkeypatch.setenv("_TFPIPE_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["tfpipe", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        return tfpipe().out.split()

    return offers


def test_verbs_are_completed(complete):
    assert complete("ru") == ["plain,run", "plain,runs"]


def test_files_are_left_to_the_shell(complete):
    assert complete("config", "jo") == ["file,jo"]


def test_classes_of_a_file_are_completed(complete):
    assert complete("config", "job.py::") == ["plain,job.py::Job", "plain,job.py::Deep"]
    assert complete("config", "job.py::D") == ["plain,job.py::Deep"]
    assert complete("config", "nowhere.py::D") == []


def test_overrides_are_completed(complete):
    assert complete("config", "job.py", "model.dr") == ["plain,model.dropout="]
    assert complete("config", "job.py::Deep", "optimizer.l") == ["plain,optimizer.learning_rate="]
    assert complete("config", "nowhere.py", "model.dr") == []


def test_runs_are_completed(complete, tmp_path):
    create_run(tmp_path, "job", datetime(2026, 11, 20)).write_json("config.json", {})
    assert complete("runs", "show", "") == ["plain,last", "plain,job/20261120-000000"]
    assert complete("runs", "show", "j") == ["plain,job/20261120-000000"]
    assert complete("runs", "show", "--root", "nowhere", "j") == []


def test_the_end_of_a_command_does_not_look_through_all_objects_again() -> None:
    # What is registered first is called last.
    script = (
        "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 1000)); "
        "import tfpipe.cli.main"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.stdout == "True\n"
