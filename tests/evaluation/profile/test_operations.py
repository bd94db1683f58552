"""The operations of a trace: whose they are, what they take, and what is inside of what."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from tfpipe.evaluation.profile.operations import Scopes, layer_shares, operations
from tfpipe.evaluation.profile.step import Piece

MILLISECOND = 10**9  # picoseconds


def trained() -> tuple[keras.Model, Scopes]:
    """A model whose layers bear names that TensorFlow's scopes give to others."""
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="dense_1")], name="in")
    layers = [inner, keras.layers.Dense(4, name="dense"), keras.layers.Dense(1, name="dense_1_1")]
    model = keras.Sequential([keras.Input((4,)), *layers], name="out")
    model.compile(keras.optimizers.Adam(name="adam"), "mse")
    batch = (np.zeros((2, 4), "float32"), np.zeros((2, 1), "float32"))
    spec = tf.nest.map_structure(lambda array: tf.TensorSpec(array.shape, array.dtype), batch)
    scopes, step = Scopes(model), Piece(model, model.train_step, spec)
    with scopes.recording():
        scopes.know(step.graph)
    assert not any("call" in vars(layer) for layer in model._flatten_layers())
    names = [operation.name for operation in step.graph.get_operations()]
    assert any("MatMul" in name for name in names)
    for name in names:
        if name.endswith("/MatMul") and "gradient" not in name:
            layer, part = scopes.place(name)
            assert part == "forward"
            assert layer in ("dense", "dense_1", "dense_1_1")
    found = {scopes.place(n) for n in names if n.endswith("MatMul") or "/MatMul_" in n}
    assert {layer for layer, _ in found} == {"dense", "dense_1", "dense_1_1"}
    assert {part for _, part in found} == {"forward", "backward"}
    return model, scopes


def add(
    plane: xplane_pb2.XPlane,
    line: xplane_pb2.XLine,
    name: str,
    begin: float,
    end: float,
    of: str = "",
) -> None:
    number = len(plane.event_metadata) + 1
    plane.event_metadata[number].name = name
    event = line.events.add(metadata_id=number, offset_ps=int(begin * MILLISECOND))
    event.duration_ps = int((end - begin) * MILLISECOND)
    if of:
        plane.stat_metadata[1].name = "tf_op"
        event.stats.add(metadata_id=1, str_value=of)


def test_whose_operations_are_and_what_they_take() -> None:
    _, scopes = trained()
    space = xplane_pb2.XSpace()
    host = space.planes.add(name="/host:CPU")
    line, reading = host.lines.add(name="tf_Compute/1"), host.lines.add(name="tf_data_private/2")
    add(host, line, "ExecutorState::Process", 0, 20)
    add(host, line, "adam/mul:Mul", 0, 4)
    add(host, line, "adam/inside:_MklNativeMul", 1, 2)
    add(host, line, "adam/mul_1:Mul", 4, 5)
    add(host, reading, "Cast:Cast", 0, 15)
    found = operations(space, scopes, 2)
    assert [(o.layer, o.kind, o.part, o.calls) for o in found] == [
        ("", "Cast", "input", 0.5),
        ("Adam", "Mul", "update", 1.5),
    ]
    assert [o.seconds for o in found] == [7.5e-3, 2.5e-3]
    assert sum(o.share for o in found) == 1
    assert layer_shares(found) == {}

    device = space.planes.add(name="/device:GPU:0")
    stream = device.lines.add(name="Stream #1")
    add(device, stream, "volta_sgemm_128x64", 0, 3, "adam/mul:Mul")
    add(device, stream, "memcpy", 3, 9)
    assert [(o.layer, o.kind, o.seconds) for o in operations(space, scopes, 1)] == [
        ("Adam", "Mul", 3e-3)
    ]
