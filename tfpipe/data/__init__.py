"""Where data comes from and how it becomes batches."""

from tfpipe.data import augment
from tfpipe.data.arrays import Arrays
from tfpipe.data.sample import Sample
from tfpipe.data.tfds import TFDS

__all__ = ["TFDS", "Arrays", "Sample", "augment"]
