"""MobileNetV2 of TensorFlow Hub with its own 1,001 classes: what is in a picture.

    tfpipe predict pipelines/mobilenet_hub.py photo.jpg

The module is fetched once, by the package tensorflow-hub (pip install 'tfpipe[hub]'). A folder or
an archive of it does as well, and needs neither the package nor the network:

    tfpipe predict pipelines/mobilenet_hub.py model.handle=mobilenet.tar.gz photo.jpg

The first of the classes is 'background'. Pixels become 0..1 inside the model, as the module has it.
"""

from tfpipe import Pipeline
from tfpipe.data import ImageFiles
from tfpipe.models import Hub


class MobileNetHub(Pipeline):
    data = ImageFiles(size=(224, 224), classes="imagenet+background")
    model = Hub("https://tfhub.dev/google/tf2-preview/mobilenet_v2/classification/4", head=None)
