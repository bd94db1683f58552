"""Saved models: loaded with the layers and functions that Keras must know by then."""

from pathlib import Path
from typing import Any


def load_model(path: Path) -> Any:
    """A model from a .keras file, not compiled.

    The file names layers and functions of tfpipe, which Keras knows once their modules are loaded:
    those of texts, and those of TF-Hub.

    Args:
        path: the file.

    Raises:
        ModelError: when it needs a TF-Hub module that is not there.
        TypeError, ValueError: when it needs layers that nobody has registered.
    """
    import keras

    import tfpipe.models.hub_module
    import tfpipe.models.words  # noqa: F401

    return keras.models.load_model(path, compile=False)
