"""The pipelines in docs/ can run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

HEADER = "RowNumber,CustomerId,Surname,Age,Geography,Exited\n"


def pipelines() -> list[tuple[str, str]]:
    """The name and the code of every pipeline in docs/."""
    texts = [file.read_text() for file in sorted((ROOT / "docs").glob("*.md"))]
    blocks = [code for text in texts for code in re.findall(r"```python\n(.*?)```", text, re.S)]
    found = [(re.search(r"class (\w+)\(Pipeline\)", code), code) for code in blocks]
    return [(match[1], code) for match, code in found if match]


def test_there_are_some() -> None:
    assert {name for name, _ in pipelines()} >= {"Churn", "Flowers", "Standardized"}


@pytest.mark.parametrize(("name", "code"), pipelines(), ids=[name for name, _ in pipelines()])
def test_a_pipeline_can_run(tfpipe: Any, name: str, code: str) -> None:
    Path("example.py").write_text(code)
    rows = (f"{i},{1000 + i},N{i},{20 + i % 40},{'FS'[i % 2]},{i % 2}\n" for i in range(200))
    Path("Churn_Modelling.csv").write_text(HEADER + "".join(rows))
    words = (
        ["--sample", "64"] if "Text(" in code or "Pairs(" in code else []
    )  # whose file is not at hand
    if "VOC(" in code:
        words = ["--sample", "64", "data.size=(64, 64)"]
    if "Application(" in code:  # whose weights and images are not at hand
        words = ["--sample", "64", "data.size=(32, 32)", "model.weights=None"]
        words += ["model.name=MobileNet", "model.alpha=0.25"]  # half of the layers
    answer = tfpipe("check", f"example.py::{name}", "--json", *words)
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    if name == "Standardized":
        assert found["parameters"] == 650
        assert found["preprocessing_state"] == 128


def test_what_the_architecture_names_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`((?:\w+/)+\w+\.py|(?:\w+/)+)`", text))
    assert len(named) > 30
    inside = (ROOT / "tfpipe").rglob
    lacking = [n for n in named if not (ROOT / n).exists() and not any(inside(n.rstrip("/")))]
    assert lacking == []
