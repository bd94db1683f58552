"""The formats of an export: what each is called, its file, and what it may change."""

from dataclasses import dataclass

from tfpipe.errors import ConfigError, suggest


@dataclass(frozen=True)
class ExportFormat:
    """A format that a SavedModel is converted to.

    Args:
        name: as on the command line.
        file: the artefact's name in the folder of its version.
        extra: the extra of tfpipe that brings what it needs.
        packages: what is imported to write and to run it.
        tolerance: how far an answer may be from the trained model's; None where accuracy decides.
    """

    name: str
    file: str
    extra: str
    packages: tuple[str, ...]
    tolerance: float | None


SAVED_MODEL = "saved_model"
LITERT = ExportFormat("litert", "model.tflite", "litert", ("ai_edge_litert",), 1e-4)
LITERT_INT8 = ExportFormat("litert-int8", "model.tflite", "litert", ("ai_edge_litert",), None)
ONNX = ExportFormat("onnx", "model.onnx", "onnx", ("onnx", "tf2onnx", "onnxruntime"), 1e-4)
CONVERTED = {f.name: f for f in (LITERT, LITERT_INT8, ONNX)}
NAMES = (SAVED_MODEL, *CONVERTED)


def format_named(name: str) -> ExportFormat | None:
    """Return a format, None for SavedModel; raise ConfigError for a name that is none."""
    if name not in NAMES:
        raise ConfigError(f"There is no export format {name!r}. {suggest(name, NAMES)}")
    return CONVERTED.get(name)
