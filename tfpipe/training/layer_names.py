"""The names that Keras makes up for layers, which begin anew for every job."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from keras.src.backend.common.global_state import get_global_attribute, set_global_attribute

_COUNTERS = "object_name_uids"


def named_from_the_first(build: Callable[[], Any]) -> Any:
    """Return a model whose layers are named as in a new process: conv2d, conv2d_1.

    TensorFlow rewrites a graph in an order that depends on names, and rounds sums by that order:
    the second training in a process would differ in last digits from the same one alone.

    Args:
        build: returns the model; it is asked twice where it takes a layer that was made before.
    """
    before = get_global_attribute(_COUNTERS, defaultdict(int))
    set_global_attribute(_COUNTERS, defaultdict(int))
    try:
        return build()
    except ValueError as error:
        if "unique" not in str(error):
            raise
    set_global_attribute(_COUNTERS, before)
    return build()
