"""NASNetMobile on rock, paper, scissors: the head first, then the last layers of the network too.

Shows: fine-tuning in two phases, augmentation of colours, a callback that draws both phases.

| what            | phase 1, epochs 1 to 20          | phase 2, epochs 21 to 30            |
| --------------- | -------------------------------- | ----------------------------------- |
| trained         | the head: 3,171 parameters       | from layer 752 on, too: 70,051      |
| optimizer       | RMSprop 0.001                    | RMSprop 0.0001                      |

NASNetMobile without its head (4,269,716 parameters), average pooling (the last of its 770 layers),
dropout 0.5 and Dense 3 with L2 0.01: 4,272,887 parameters. Batch normalisation keeps its
statistics in both phases; its scale and offset are trained with the layers around.

2,520 images of hands that turn before a camera, and 372 of other hands. The published run chose its
best epoch by the 372. Here a tenth of the 2,520 is held out for that, which leaves 2,268, and the
372 are looked at once, at the end; they are the harder ones. Published: train accuracy 0.81, best
loss on the 372 0.647.

    tfpipe run pipelines/nasnet_rock_paper_scissors.py
    tfpipe run pipelines/nasnet_rock_paper_scissors.py --sample 64
"""

from tfpipe import FineTune, Phase, Pipeline, deferred, keras
from tfpipe.data import TFDS, augment
from tfpipe.models import NASNetMobile


class NASNetRockPaperScissors(Pipeline):
    """NASNetMobile, average pooling, dropout, Dense 3."""

    data = TFDS("rock_paper_scissors", validation=0.1, size=(224, 224))
    augment = (
        augment.flip(vertical=True),
        augment.quarter_turn(),
        augment.zoom(0.2, direction="in"),
        augment.hue(0.08),
        augment.saturation(0.7, 1.3),
        augment.brightness(0.05),
        augment.contrast(0.8, 1.0),
        augment.invert(0.5),
    )
    model = NASNetMobile(dropout=0.5, l2=0.01)
    fine_tune = FineTune(
        phases=(
            Phase(epochs=20, optimizer=keras.optimizers.RMSprop(1e-3)),
            Phase(epochs=10, optimizer=keras.optimizers.RMSprop(1e-4), unfreeze="752:"),
        )
    )
    batch_size = 32
    callbacks = (deferred("callbacks.phase_curves").PhaseCurves(),)
