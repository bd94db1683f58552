"""A data set of TensorFlow Datasets: found, prepared, its splits; or said in seconds why not."""

import contextlib
import logging
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tfpipe.data.sources.base import HeldOut
from tfpipe.errors import DataError, suggest

if TYPE_CHECKING:
    import tensorflow as tf

logger = logging.getLogger("tfpipe.data")


@dataclass(frozen=True)
class PreparedSet:
    """A data set of TensorFlow Datasets, with what is asked of it whatever is read from it.

    Args:
        owner: the source that reads it, for a message: "TFDS('mnist')".
        name: its name, with version or configuration where wanted.
        data_dir: where prepared data lies; None for TFDS_DATA_DIR, else ~/tensorflow_datasets.
        download: whether data that is not prepared may be downloaded.
    """

    owner: str
    name: str
    data_dir: str | None
    download: bool

    @property
    def bare(self) -> str:
        """The data set's name without configuration and version."""
        return self.name.split("/")[0].split(":")[0]

    @cached_property
    def builder(self) -> Any:
        """TFDS's builder; raises DataError where there is none."""
        import tensorflow_datasets as tfds

        if not os.environ.get("TFPIPE_DEBUG"):
            logging.getLogger("absl").setLevel(logging.ERROR)
        try:
            return tfds.builder(self.name, data_dir=self.data_dir)
        except tfds.core.registered.DatasetNotFoundError:
            names = tfds.list_builders(with_community_datasets=False)
            raise DataError(
                f"TensorFlow Datasets has no data set {self.name!r}. {suggest(self.bare, names)}"
            ) from None
        except (ValueError, AssertionError, OSError) as error:
            raise DataError(f"{self.owner}: {_first_line(error)}") from error

    def split(self, text: str) -> Any:
        """Return a split by TFDS's expression; raise DataError for an unknown one."""
        known = self.builder.info.splits
        try:
            return known[text]
        except (KeyError, ValueError):
            close = suggest(text.split("[")[0], known)
            raise DataError(f"{self.name} has no split {text!r}. {close}") from None

    def overlap(self, one: str, other: str) -> bool:
        """Return whether two splits share samples."""
        return any(
            a.filename == b.filename and max(a.skip, b.skip) < min(a.skip + a.take, b.skip + b.take)
            for a in self.split(one).file_instructions
            for b in self.split(other).file_instructions
        )

    def splits(self, train: str, test: HeldOut | None, validation: HeldOut | None) -> list[str]:
        """Return which splits are read beside the training split, which share no sample with it.

        Args:
            train: the split to train on.
            test: "test" is left out where there is none.
            validation: what else is a split where it is a text.
        """
        others = []
        for other in (test, validation):
            known = self.builder.info.splits
            if not isinstance(other, str) or (other == "test" and other not in known):
                continue
            others.append(other)
            if self.overlap(train, other):
                raise DataError(
                    f"{self.owner}: {other!r} has samples of the training split, {train!r}. "
                    "Leave them out of it, as in train='train[:90%]'."
                )
        return others

    def examples(self, split: str, image: str | None) -> "tf.data.Dataset":
        """Return the samples of a split in stored order.

        Args:
            split: TFDS's expression.
            image: the image feature, which stays encoded; None without one.
        """
        import tensorflow_datasets as tfds

        return self.builder.as_dataset(
            split=split,
            shuffle_files=False,
            decoders=None if image is None else {image: tfds.decode.SkipDecoding()},
            # One file after the other, so that a row has the same number however it is read.
            read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1),
        )

    def prepare(self) -> None:
        """Have the data prepared, or say within seconds why it cannot be."""
        import tensorflow_datasets as tfds

        from tfpipe.data.probe import host_of, unreachable

        builder = self.builder
        if builder.data_path.exists():
            return
        advice = (
            f"Looked in {builder.data_path}. Point TFDS_DATA_DIR, or data.data_dir=DIRECTORY, at a "
            "folder where it is prepared; or add --sample to run on generated data of the same "
            "shape, with no download."
        )
        if not self.download:
            raise DataError(f"{self.name} is not prepared, and download=False. {advice}")
        # Where it is downloaded from, as far as TFDS tells.
        addresses = [a for a in (builder.url_infos or {}) if a.startswith("http")]
        address = addresses[0] if addresses else (builder.info.homepage or None)
        problem = unreachable(address) if address else None
        if problem:
            raise DataError(
                f"{self.name} is not prepared, and cannot be downloaded: {host_of(address)} cannot "
                f"be reached ({problem}). {advice}"
            )
        logger.info("%s: downloading and preparing in %s", self.name, builder.data_path)
        try:
            with contextlib.redirect_stdout(sys.stderr):  # standard output is for --json
                tfds.display_progress_bar(sys.stderr.isatty())
                builder.download_and_prepare()
        except Exception as error:
            raise DataError(
                f"{self.name} could not be downloaded and prepared: {_first_line(error)}. {advice}"
            ) from error


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
