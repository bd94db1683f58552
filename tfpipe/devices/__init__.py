"""Finding hardware, starting TensorFlow quietly, and picking a strategy."""

from tfpipe.devices.pick import Picked, pick
from tfpipe.devices.startup import start_tensorflow

__all__ = ["Picked", "pick", "start_tensorflow"]
