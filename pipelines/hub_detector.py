"""A published detector as it is: the objects of COCO's 80 classes in photographs.

    tfpipe predict pipelines/hub_detector.py photo.jpg holidays/
    tfpipe run pipelines/hub_detector.py --sample

The module, an SSD with MobileNetV2, is fetched once, by the package tensorflow-hub (pip install
'tfpipe[hub]'). A folder or an archive of it does as well, and so does any SavedModel that the TF
Object Detection API exports:

    tfpipe predict pipelines/hub_detector.py model.handle=exported/saved_model photo.jpg

How well it does on a set of one's own is measured by tfpipe run with data that has boxes:
'data=VOC("raccoon")' model.label_map=labels.pbtxt
"""

from tfpipe import Pipeline
from tfpipe.data import ImageFiles
from tfpipe.models import HubDetector


class HubDetection(Pipeline):
    """Pictures keep their proportions; one is shown whole, with grey around it."""

    data = ImageFiles(size=(320, 320), classes="coco", fit="letterbox", finds="boxes")
    model = HubDetector("https://tfhub.dev/tensorflow/ssd_mobilenet_v2/2", label_map="coco")
    batch_size = 1
    epochs = 1
