"""A classifier of ImageNet as a detector: windows slide over a photograph and smaller copies of it.

    tfpipe predict pipelines/classifier_as_detector.py photo.jpg
    tfpipe run pipelines/classifier_as_detector.py --sample

Windows of 200x150 pixels, one every 16, copies smaller by 1.5 each: 777 windows of a picture of
640x480. Those of which the network is sure to 0.98 are kept; of those of a class that overlap by
more than 0.3 the surest. Asked about one window at a time that was published to take 7 to 42 s a
picture; here they are answered in batches (benchmarks/sliding_window.py measures both).

A classifier of one's own, and the classes it was trained on:

    tfpipe predict pipelines/classifier_as_detector.py \\
        model.classifier=runs/NAME/checkpoints/best.keras 'data.classes=["cat", "dog"]' photo.jpg
"""

from tfpipe import Pipeline
from tfpipe.data import ImageFiles
from tfpipe.models import Application, ClassifierAsDetector


class ClassifierDetection(Pipeline):
    data = ImageFiles(size=(480, 640), classes="imagenet", fit="letterbox", finds="boxes")
    model = ClassifierAsDetector(Application("MobileNetV2", head="imagenet"))
    batch_size = 1
    epochs = 1
