"""Generated data in place of a source's own: `--sample` trains on it, with no download."""

from typing import ClassVar

from tfpipe.data.columns import Columns
from tfpipe.data.sources.base import HeldOut, StoredSplits
from tfpipe.data.sources.boxes.box_images import BoxImages
from tfpipe.data.sources.boxes.drawn_objects import SampleBoxes, sample_boxes, sample_boxes_of
from tfpipe.data.sources.images.image_files import ImageFiles
from tfpipe.data.sources.images.image_pairs import (
    ImagePairs,
    SampleImagePairs,
    sample_image_pairs_of,
)
from tfpipe.data.sources.images.pictures import Pictures, SamplePictures, sample_pictures_of
from tfpipe.data.sources.pairs import Pairs, SamplePairs, sample_pairs_of
from tfpipe.data.sources.running_text import SampleText, Text, sample_text_of
from tfpipe.declare.field_types import Positive
from tfpipe.declare.kinds import Source
from tfpipe.declare.spec import Feature, Label

# As many as a network of convolutions learns in a minute on two cores: fewer where they are large.
DEFAULT_SIZE = 10_000
_SMALLEST_SIZE = 500
_BYTES = 12_000_000
_PART = 0.1  # held out where the source says no share


class Sample(StoredSplits):
    """Generated samples with the features, label and class names of another source.

    Args:
        features: what the inputs look like.
        label: what is predicted.
        size: how many training samples to make, before validation is held out. The test split,
            where there is one, has a fifth as many.
        seed: the same seed makes the same samples.
        validation: a share of the training samples, "test", or None.
        test: "test", a share of the training samples, or None.
    """

    stands_in: ClassVar[bool] = True
    features: tuple[Feature, ...]
    label: Label
    size: Positive = DEFAULT_SIZE
    seed: int = 0
    validation: HeldOut | None = None
    test: HeldOut | None = "test"

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        return self.features, self.label

    def label_reading(self) -> str:
        return ""  # they are generated

    def _stored_sizes(self) -> dict[str, int]:
        return {"train": self.size, "test": max(1, self.size // 5)}

    def _read(self, stored: str) -> Columns:
        from tfpipe.data.learnable_samples import generate

        size = self._stored_sizes()[stored]
        number = ["train", "test"].index(stored)
        return generate(self.features, self.label, size, self.seed, number)


def sample_of(
    source: Source, size: int | None, seed: int
) -> Sample | SampleBoxes | SampleImagePairs | SamplePairs | SamplePictures | SampleText:
    """Generated data in place of a source's own, with its splits.

    Args:
        source: whose element spec and class names to take; its data is not read where it can be
            described without.
        size: how many training samples; None for 10,000, or what fits in 12 MB, or 500.
        seed: the pipeline's seed.
    """
    if isinstance(source, Pairs):
        return sample_pairs_of(source, size, seed)
    if isinstance(source, Text):
        return sample_text_of(source, size, seed)
    if isinstance(source, Pictures):
        return sample_pictures_of(source, seed)
    if isinstance(source, ImagePairs):
        return sample_image_pairs_of(source, size, seed)
    if isinstance(source, BoxImages):
        return sample_boxes_of(source, size, seed)
    if isinstance(source, ImageFiles) and source.finds == "boxes":
        return sample_boxes(source.size, source.names, size, seed)
    features, label = source.element()
    validation = getattr(source, "validation", 0.1)
    test = getattr(source, "test", "test")
    if isinstance(validation, str):
        validation = "test" if validation == test else _PART
    if isinstance(test, str):
        test = "test"
    # A number of the source's last rows says nothing about so many generated ones.
    validation = _PART if isinstance(validation, int) else validation
    test = _PART if isinstance(test, int) else test
    return Sample(
        features,
        label,
        size=size or default_size(features),
        seed=seed,
        validation=validation,
        test=test,
    )


def default_size(features: tuple[Feature, ...]) -> int:
    """Return how many training samples to make where nobody said."""
    fitting = _BYTES // max(1, sum(f.nbytes for f in features))
    return max(_SMALLEST_SIZE, min(DEFAULT_SIZE, fitting))
