"""A photograph in the style of a painting, by a published network in one step.

Shows: a module of TensorFlow Hub that paints.

    tfpipe run pipelines/stylize_hub.py data.content=paris.jpg data.style=starry_night.jpg
    tfpipe run pipelines/stylize_hub.py --sample

The module is fetched once, by the package tensorflow-hub (pip install 'tfpipe[hub]'); a folder or
an archive of it does as well: model.handle=stylization.tar.gz
"""

from tfpipe import Pipeline
from tfpipe.data import Pictures
from tfpipe.models import HubStyle


class StylizeHub(Pipeline):
    """Content of any size, style of 256 pixels a side."""

    data = Pictures("data/content.jpg", style="data/style.jpg")
    model = HubStyle()
    batch_size = 1
    epochs = 1
