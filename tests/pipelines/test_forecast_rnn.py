"""The shipped forecasts are better than those that need no model, at every step ahead."""

import json
from pathlib import Path
from typing import Any

import pytest

PIPELINE = Path(__file__).parents[2] / "pipelines" / "forecast_rnn.py"
BEATEN = {
    "SineForecast": ["the last value"],
    "DemandForecast": ["the last value", "the value 7 before"],
}


@pytest.mark.parametrize("name", BEATEN)
def test_the_model_is_better_than_the_naive_forecasts(tfpipe: Any, name: str) -> None:
    answer = tfpipe("run", f"{PIPELINE}::{name}", "epochs=6", "--no-export", "callbacks=()")
    assert answer.code == 0, answer.err
    (file,) = Path("runs").glob("*/*/report/report.json")
    report = json.loads(file.read_text())
    found = report["test"]["horizons"]
    assert list(found["naive"]) == BEATEN[name]
    for errors in found["naive"].values():
        assert all(own < naive for own, naive in zip(found["mae_by_horizon"], errors, strict=True))
    assert found["mase"] < min(found["mase_of_naive"].values())
    assert [b["name"] for b in report["baselines"][1:]] == BEATEN[name]
    last = len(found["mae_by_horizon"])
    errors = [found["mae_by_horizon"], *found["naive"].values()]
    lines = [line.split() for line in answer.out.splitlines()]
    assert [str(last), *(f"{e[-1]:.4f}" for e in errors)] in lines
    assert f"Over all steps the MASE is {found['mase']:.3f}; it is " in answer.out
    if name == "SineForecast":
        again = tfpipe("evaluate", "last", "--split", "validation")
        assert again.code == 0, again.err
        assert "Over all steps the MASE is " in again.out
