"""HubStyle: a picture in another's style, by a published network in one step."""

from typing import TYPE_CHECKING, ClassVar, Self

from tfpipe.declare.field_types import Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.models.pictures.style_transfer import CONTENT, STYLE, picture_shape

if TYPE_CHECKING:
    import keras

# What takes the place of a module that would have to be fetched, on generated data.
STAND_IN = "(stand-in)"


class HubStyle(ModelBuilder):
    """A module of TensorFlow Hub that paints: it takes a content and a style, values of 0..1.

    It is called once, in the first step; further ones paint the same picture.

    Args:
        handle: an address, fetched once into $TFHUB_CACHE_DIR; or a folder or .tar.gz. The default
            is Ghiasi and others', 2017, arXiv:1705.06830.
        style_size: pixels a side to which the style is resized; the default one has learnt from
            styles of 256.

    Raises:
        ModelError: when the module cannot be had, or takes something else; for other data than
            `Pictures` with a style.

    Example:
        >>> HubStyle("modules/stylization.tar.gz")
        HubStyle('modules/stylization.tar.gz')
    """

    handle: str = "https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2"
    style_size: Positive = 256
    contract: ClassVar[str] = "a picture of the content and one of the style"

    def check(self, spec: ElementSpec) -> None:
        picture_shape(spec, "HubStyle", (CONTENT, STYLE))
        if self.handle != STAND_IN:
            from tfpipe.models.pretrained.hub_handle import resolve

            resolve(self.handle)

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        from tfpipe.models.pictures.painted_by_module import PaintedByModule, painter_of

        self.check(spec)
        shape = picture_shape(spec, "HubStyle", (CONTENT, STYLE))
        painter = painter_of(None if self.handle == STAND_IN else self.handle)
        return PaintedByModule(shape, painter, self.style_size)

    def offline(self) -> tuple[Self, str]:
        from tfpipe.models.pretrained.hub_handle import is_here

        if is_here(self.handle):
            return self, ""
        return self.replace(handle=STAND_IN), (
            f"The colours of the style stood in for the TF-Hub module {self.handle}, which was not "
            "fetched."
        )

    @classmethod
    def example(cls) -> Self:
        return cls(STAND_IN)
