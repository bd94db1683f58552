"""scripts/migraphx_bench.py, with a MIGraphX that notes what it is asked."""

import json
import os
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "migraphx_bench.py"


@pytest.mark.parametrize("words", [(), ("--fp16", "--no-tune")])
def test_each_stage_is_timed_apart(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    monkeypatch.delenv("MIOPEN_FIND_ENFORCE", raising=False)
    program = SimpleNamespace(
        compile=lambda target, offload_copy: asked.append(("compile", target, offload_copy)),
        get_parameter_shapes=lambda: {"image": "32x8"},
        run=lambda inputs: asked.append(("run", tuple(inputs))),
    )

    def parse(file: str, default_dim_value: int) -> Any:
        asked.append(("parse", file, default_dim_value, os.environ.get("MIOPEN_FIND_ENFORCE")))
        return program

    fake = SimpleNamespace(
        parse_onnx=parse,
        quantize_fp16=lambda program: asked.append(("fp16",)),
        get_target=lambda name: name,
        generate_argument=lambda shape, seed: (shape, seed),
    )
    monkeypatch.setitem(sys.modules, "migraphx", fake)
    main = runpy.run_path(str(SCRIPT))["main"]
    assert main(["m.onnx", "--batch", "4", "--seconds", "0", *words]) == 0
    tuned = "3" if not words else None
    quantized = [("fp16",)] if words else []
    assert asked[: 2 + len(quantized)] == [
        ("parse", "m.onnx", 4, tuned),
        *quantized,
        ("compile", "gpu", True),
    ]
    assert asked[2 + len(quantized) :] == [("run", ("image",))] * 11
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == {
        "parse_seconds",
        "compile_seconds",
        "warm_up_seconds",
        "milliseconds_a_call",
        "samples_a_second",
    }


def test_without_migraphx_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "migraphx", None)
    monkeypatch.setenv("MIOPEN_FIND_ENFORCE", "1")
    assert runpy.run_path(str(SCRIPT))["main"](["m.onnx"]) == 2
    assert "There is no module `migraphx`: install AMD's package" in capsys.readouterr().err
