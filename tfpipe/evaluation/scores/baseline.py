"""What is reached without a network: by one constant answer, and by a linear model."""

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

_MOST_NUMBERS, _MOST_WORDS = 300, 50
_ITERATIONS = 200


class Baseline(NamedTuple):
    """An answer that is cheap: what it is called, and its accuracy or mean absolute error."""

    name: str
    score: float


def constant_class(classes: tuple[str, ...], training: np.ndarray, labels: np.ndarray) -> Baseline:
    """Return the accuracy of always answering the most frequent class of the training labels."""
    most = int(np.bincount(training, minlength=len(classes)).argmax())
    return Baseline(f"always answering {classes[most]}", float((labels == most).mean()))


def constant_number(training: np.ndarray, labels: np.ndarray) -> Baseline:
    """Return the mean absolute error of always answering the median of the training labels."""
    middle = np.median(training, axis=0)
    return Baseline("always answering the median", float(np.abs(labels - middle).mean()))


def linear(
    training: tuple[Mapping[str, np.ndarray], np.ndarray],
    judged: tuple[Mapping[str, np.ndarray], np.ndarray],
    *,
    classes: bool,
) -> Baseline | None:
    """Return what scikit-learn's logistic or ridge regression reaches; None where it has no input.

    Numbers are standardised, missing ones are their mean, and words of a few are columns.

    Args:
        training: [rows, ...] columns by name, and labels.
        judged: the same of the split that is judged.
        classes: whether the labels are class indices.
    """
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns, labels = training
    numbers = [n for n, v in columns.items() if v.dtype.kind in "fiub" and v.ndim <= 2]
    words = [
        n for n, v in columns.items() if v.dtype == object and len(set(v.tolist())) <= _MOST_WORDS
    ]
    width = sum(columns[n].reshape(len(labels), -1).shape[1] for n in numbers)
    if not (numbers or words) or width > _MOST_NUMBERS or len(np.unique(labels)) < 2:
        return None

    def table(of: Mapping[str, np.ndarray]) -> np.ndarray:
        parts = [of[n].reshape(len(of[n]), -1).astype(object) for n in (*numbers, *words)]
        return np.concatenate(parts, axis=1)

    transform = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), list(range(width))),
        (OneHotEncoder(handle_unknown="ignore"), list(range(width, width + len(words)))),
    )
    model = LogisticRegression(max_iter=_ITERATIONS) if classes else Ridge()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that are not finished, and words that are new
        fitted = make_pipeline(transform, model).fit(table(columns), labels)
        said, true = fitted.predict(table(judged[0])), judged[1]
    score = (said == true).mean() if classes else np.abs(said - true).mean()
    return Baseline("a linear model", float(score))
