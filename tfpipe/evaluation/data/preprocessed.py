"""What the first layer with weights of a model gets of samples."""

from typing import Any

import numpy as np

from tfpipe.models.parameter_count import parameters


def preprocessed(model: Any, features: Any) -> dict[str, np.ndarray] | str:
    """Return what goes into each layer with weights that stands behind none.

    What preprocessing layers have learnt (means, vocabularies) counts as none.

    Args:
        model: a functional or sequential keras.Model.
        features: a batch as the model takes it.

    Returns:
        [rows, ...] by the layer's name; or a sentence on why it is not known.
    """
    import keras

    model = getattr(model, "_functional", None) or model
    if not hasattr(model, "_operations"):
        return "What the model's layers make of it cannot be seen: it is no functional model."
    behind: set[int] = set()
    first: dict[str, Any] = {}
    for layer in model.layers:
        for node in layer._inbound_nodes[-1:]:
            before = [t for t in node.input_tensors if id(t) not in behind]
            weighty = parameters(layer) > 0
            if weighty and before and len(before) == len(node.input_tensors):
                first[layer.name] = before[0]
            if weighty or len(before) < len(node.input_tensors):
                behind |= {id(tensor) for tensor in node.output_tensors}
    known = {name: t for name, t in first.items() if "string" not in str(t.dtype)}
    if not known:
        return "The model has no layer with weights behind numbers."
    outputs = keras.Model(model.input, list(known.values()))(features, training=False)
    found = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return dict(zip(known, map(np.asarray, found), strict=True))
