"""Model builders: each reads an element spec and makes a Keras model that gives logits."""

from tfpipe.models.cnn_2_4_6 import CNN_2_4_6
from tfpipe.models.mlp import MLP

__all__ = ["CNN_2_4_6", "MLP"]
