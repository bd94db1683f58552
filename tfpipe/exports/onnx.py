"""ONNX: one file that other runtimes read, among them ONNX Runtime and AMD's MIGraphX."""

import base64
import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from tfpipe.errors import ModelError

OPSET = 18


def convert(saved_model: Path, file: Path) -> None:
    """Write a SavedModel's `serving_default` as an ONNX file.

    Args:
        saved_model: its folder.
        file: what to write.

    Raises:
        ModelError: when it needs what ONNX's own operations cannot do, such as splitting text.
    """
    import onnx
    import tensorflow as tf
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    with _quiet():
        from tf2onnx import tf_loader
        from tf2onnx.convert import _convert_common

        saved = SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
        definition = saved.meta_graphs[0].signature_def["serving_default"]
        try:
            graph, inputs, outputs, tables, renamed = tf_loader.from_saved_model(
                str(saved_model),
                None,
                None,
                "serve",
                ["serving_default"],
                return_initialized_tables=True,
                return_tensors_to_rename=True,
            )
            # The loader writes names in lower case and without signs; callers know the signature's.
            names = {simple(name): name for name in (*definition.inputs, *definition.outputs)}
            renamed = {tensor: names.get(simple(name), name) for tensor, name in renamed.items()}
            tf.compat.v1.reset_default_graph()
            model, _ = _convert_common(
                graph,
                name=saved_model.name,
                opset=OPSET,
                input_names=inputs,
                output_names=outputs,
                initialized_tables=tables,
                tensors_to_rename=renamed,
            )
            onnx.checker.check_model(model)
        except Exception as error:  # noqa: BLE001 (the converter's are of many kinds)
            reason = " ".join(str(error).split())[:300]
            raise ModelError(
                f"ONNX cannot hold this model: {reason}. Text is split by operations that ONNX "
                "lacks; export it as a SavedModel."
            ) from None
    onnx.save_model(model, str(file))


def simple(name: str) -> str:
    """Return a name's letters and digits alone, in lower case."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converter's remarks from the terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)


def attach(file: Path, assets: Mapping[str, bytes]) -> None:
    """Put assets into the metadata of an ONNX file, in base64.

    Args:
        file: the .onnx file.
        assets: contents by name.
    """
    import onnx

    model = onnx.load_model(str(file))
    for name, content in assets.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = name, base64.b64encode(content).decode()
    onnx.save_model(model, str(file))
