"""VGG16 on 20 species of flowers: photographs in folders, their names in a file.

Shows: ready splits in folders, names by folder, pictures that keep their proportions, parts drawn
at random of them to train on.

| what                | here                                                                    |
| ------------------- | ----------------------------------------------------------------------- |
| images              | flowers/{train,valid,test}/<number>/*.jpg, with cat_to_name.json         |
| training            | turned by up to 30 degrees, a random part resized to 224x224, mirrored   |
| validation and test | resized to cover 256x256, of which the middle 224x224                    |
| base                | VGG16 without its head, ImageNet weights, frozen: 14,714,688 parameters  |
| head                | Flatten, Dense 256, dropout 0.5, Dense 20                                |
| parameters          | 21,142,612, of which 6,427,924 are trained                               |
| optimizer           | Adam 0.001, batches of 32, 15 epochs                                     |
| published accuracy  | validation 0.929, test 0.88                                              |

The width of the hidden layer was not published. Folder numbers sort as text, 10 before 2: the names
go by folder, never by position.

    tfpipe run pipelines/flowers_vgg16.py data.path=flowers data.names=cat_to_name.json
    tfpipe run pipelines/flowers_vgg16.py --sample 64 epochs=1
"""

from tfpipe import Pipeline, keras
from tfpipe.data import ImageFolder, augment
from tfpipe.models import VGG16


class FlowersVGG16(Pipeline):
    """VGG16, Flatten, Dense 256, dropout, Dense 20."""

    data = ImageFolder(
        "data/flowers",
        size=(224, 224),
        resize=(256, 256),
        channels=3,
        validation="valid",
        classes=20,
        names="cat_to_name.json",
    )
    augment = (augment.rotate(30), augment.random_resized_crop(), augment.flip())
    model = VGG16(pooling="flatten", head=(256,), dropout=0.5)
    optimizer = keras.optimizers.Adam(1e-3)
    batch_size = 32
    epochs = 15
