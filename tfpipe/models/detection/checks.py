"""What every detector that is used as it is asks of the data."""

from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.errors import ModelError
from tfpipe.models.inputs import image_feature


def image_of_detector(spec: ElementSpec, builder: str) -> Feature:
    """Return the image that a detector looks at; raise ModelError for other data.

    Args:
        spec: the element spec of the data.
        builder: who asks, for the message.
    """
    feature = image_feature(spec, builder)
    if not spec.finds_boxes:
        raise ModelError(
            f"{builder} finds boxes, and the labels are of kind {spec.label.kind!r}. Use VOC or "
            "another source of boxes, ImageFiles(finds='boxes') to predict alone, or a classifier."
        )
    if feature.any_size or feature.shape[2] != 3:
        raise ModelError(
            f"{builder} reads images of one size and 3 channels; {feature.name!r} has shape "
            f"{feature.shape}. Use data.size=(height, width)."
        )
    return feature
