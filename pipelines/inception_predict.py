"""InceptionV3 with its own ImageNet classes: what is in a picture, without any training.

    tfpipe predict pipelines/inception_predict.py photo.jpg holidays/

Pictures are resized so that the shorter side has 299 pixels, and their centre is cut out.
"""

from tfpipe import Pipeline
from tfpipe.data import ImageFiles
from tfpipe.models import InceptionV3


class InceptionPredict(Pipeline):
    data = ImageFiles(size=(299, 299), resize=(299, 299))
    model = InceptionV3(head="imagenet")
