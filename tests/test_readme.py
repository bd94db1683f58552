"""What the README says works: its pipelines run, its commands exist, its files are written."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from searches import made, trial

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.S)
CODE = [text for language, text in BLOCKS if language == "python"]
SHELL = [
    line
    for language, text in BLOCKS
    if not language
    for line in text.splitlines()
    if line.startswith(("tfpipe ", "scripts/"))
]


def block(word: str) -> str:
    (found,) = [text for text in CODE if word in text]
    return found


def test_the_pipeline_of_ones_own_trains_and_exports(tfpipe: Any, tmp_path: Path) -> None:
    text = block("class Ring")
    assert len([line for line in text.splitlines() if line.strip()]) <= 11
    (tmp_path / "ring.py").write_text(text)
    answer = tfpipe("run", "ring.py")
    assert answer.code == 0, answer.err
    assert (tmp_path / "saved_models" / "ring" / "1" / "saved_model.pb").is_file()
    accuracy = re.search(r"test \(200 samples\) .* acc (\S+)", answer.out)
    assert accuracy
    assert float(accuracy[1]) > 0.9


def test_the_first_pipeline_can_run(tfpipe: Any, tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text(block("class Cifar10CNN(Pipeline)"))
    answer = tfpipe("check", "first.py", "--sample", "320")
    assert "parameters  550,570" in answer.out


def test_the_python_verbs_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    text = block("run.history").replace("sample=True", "sample=320, export=False")
    exec(compile(text, "README.md", "exec"), {})  # the README's own words
    assert "epoch 2/2" in capsys.readouterr().out


@pytest.mark.parametrize("line", SHELL)
def test_every_command_is_one(tfpipe: Any, line: str, tmp_path: Path) -> None:
    command, *words = shlex.split(line.partition("  ")[0], comments=True)
    if command == "scripts/test":
        assert (ROOT / command).is_file()
        return
    words = [w for w in words if not w.startswith("[") and w != "a.b=v" and w != "...]"]
    verb = words[0]
    assert tfpipe(verb, "--help").code == 0
    if verb in ("run", "check", "config", "search") and words[1].startswith("pipelines/"):
        target = [str(ROOT / words[1]), *words[2:]]
        if "--best" in words:
            made(ROOT / words[1], trial("00", 0.7), root=tmp_path)
        quick = ["--sample", "320", "epochs=1", "--no-export"] if verb == "run" else []
        target = [w for w in target if w not in ("--sample", "2000")]
        if verb == "search":
            quick = ["--sample", "320", "epochs=1", "--trials", "1"]
        extra = quick or (["--sample", "320"] if verb == "check" else [])
        answer = tfpipe(verb, *target, *extra)
        assert answer.code == 0, answer.err
