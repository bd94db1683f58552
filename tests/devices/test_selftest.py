"""The small compiled step, for real."""

from types import SimpleNamespace
from typing import Any

import pytest
import tensorflow as tf

from tfpipe.devices.selftest import run_step


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("name", ["", "/cpu:0"])
def test_a_cpu_computes(monkeypatch: pytest.MonkeyPatch, name: str, xla: bool) -> None:
    strategy = tf.distribute.OneDeviceStrategy(name) if name else tf.distribute.get_strategy()
    compiled: list[bool | None] = []
    function = tf.function

    def noted(*words: Any, jit_compile: bool | None = None) -> Any:
        compiled.append(jit_compile)
        return function(*words, jit_compile=jit_compile)

    monkeypatch.setattr(tf, "function", noted)
    run_step(strategy, xla)  # which raises when the sum is not 512
    assert compiled == [True if xla else None, None]


def test_a_device_that_computes_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = SimpleNamespace(
        run=lambda step: step(), reduce=lambda *_, **__: tf.constant(3.0), num_replicas_in_sync=1
    )
    with pytest.raises(RuntimeError, match=r"^a sum of products is 3, and should be 512$"):
        run_step(broken, False)
