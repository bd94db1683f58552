"""YOLOv3: the objects of COCO in photographs without any training, or those of a folder of yours.

Shows: a detector with weights of Darknet, images that keep their proportions, training in phases.

| what                | here                                                                    |
| ------------------- | ----------------------------------------------------------------------- |
| images              | 416x416, letterboxed                                                    |
| network             | Darknet-53, three grids of 13x13, 26x26, 52x52: 62,001,757 weights      |
| classes             | COCO's 80, in the order of the file                                     |
| found               | scores of at least 0.65; of a class, those that overlap by 0.5 at most  |

The weights are Darknet's own file of 248,007,048 bytes, yolov3.weights in the current folder.

    tfpipe predict pipelines/yolov3.py photo.jpg
    tfpipe predict pipelines/yolov3.py photo.jpg model.weights=FILE model.score=0.4

YOLOv3Raccoon begins with them, and learns to find raccoons: the output convolutions first, then all
that comes after Darknet-53. Without the file a narrow network stands in for it with --sample.

    tfpipe run pipelines/yolov3.py::YOLOv3Raccoon data.path=raccoon
    tfpipe run pipelines/yolov3.py::YOLOv3Raccoon --sample 64
"""

from tfpipe import FineTune, Phase, Pipeline, keras, models
from tfpipe.data import VOC, ImageFiles, augment


class YOLOv3(Pipeline):
    """The published network, which finds what it was trained on."""

    data = ImageFiles(size=(416, 416), classes="coco", fit="letterbox", finds="boxes")
    model = models.YOLOv3("yolov3.weights")


class YOLOv3Raccoon(Pipeline):
    """The published network with outputs of one class, trained in two phases."""

    data = VOC(
        "raccoon", size=(416, 416), fit="letterbox", classes=("raccoon",), validation=20, test=40
    )
    augment = (augment.flip(),)
    model = models.YOLOv3("yolov3.weights", score=0.05)
    fine_tune = FineTune(
        phases=(
            Phase(epochs=10, optimizer=keras.optimizers.Adam(1e-3)),
            Phase(epochs=10, optimizer=keras.optimizers.Adam(1e-4), unfreeze="conv_52"),
        )
    )
    batch_size = 8
