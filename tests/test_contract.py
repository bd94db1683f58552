"""The script that compares what two trees of tfpipe promise to the outside."""

import runpy
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "contract.py"


@pytest.fixture(scope="module")
def contract() -> Any:
    return runpy.run_path(str(SCRIPT))


def write(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text)
    return folder


def test_what_a_clock_or_a_machine_decides_is_no_difference(
    contract: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = write(
        tmp_path / "a",
        run='runs/x/20261126-101112\n"seconds_per_epoch": 1.5\n"peak": 3\nI0000 00:00 noise\n',
    )
    after = write(
        tmp_path / "b", run='runs/x/20261127-000000-2\n"seconds_per_epoch": 9\n"peak": 4\n'
    )
    assert contract["compare"](before, after, []) == 0
    assert capsys.readouterr().out == "1 files, 0 of them different.\n"


def test_what_differs_is_printed_unless_it_is_allowed(
    contract: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = write(tmp_path / "a", run="loss 0.5\nold", gone="x")
    after = write(tmp_path / "b", run="loss 0.6\nold")
    assert contract["compare"](before, after, []) == 1
    assert capsys.readouterr().out == (
        "== gone.txt\n-x\n== run.txt\n-loss 0.5\n+loss 0.6\n2 files, 2 of them different.\n"
    )
    allowed = tmp_path / "allowed.txt"
    allowed.write_text("# why\nrun.txt: ^[-+]loss  # another loss\ngone*: x\n")
    assert contract["compare"](before, after, contract["read_allowed"](allowed)) == 0
