"""Which columns a model goes by: each is shuffled in turn (Breiman, 2001; scikit-learn's)."""

from collections.abc import Callable, Mapping

import numpy as np

ROWS, REPEATS = 1000, 5

# Gives [rows] scores of samples, of which more is better, for columns by name and labels.
Score = Callable[[Mapping[str, np.ndarray], np.ndarray], np.ndarray]


def importance(
    score: Score, columns: Mapping[str, np.ndarray], labels: np.ndarray, seed: int
) -> list[tuple[str, float, float]]:
    """Return columns with what is lost when one is shuffled and its deviation, the most first.

    Args:
        score: of samples.
        columns: [rows] values by name.
        labels: [rows, ...] what is true.
        seed: of the shuffling, and of which rows are taken where there are many.
    """
    import pandas as pd
    from sklearn.inspection import permutation_importance

    rng = np.random.default_rng(seed)
    some = np.sort(rng.permutation(len(labels))[:ROWS])
    frame = pd.DataFrame({name: list(values[some]) for name, values in columns.items()})
    types = {name: values.dtype for name, values in columns.items()}

    def scored(_model: object, shuffled: "pd.DataFrame", rows: np.ndarray) -> float:
        by_name = {n: np.asarray(shuffled[n].to_list(), types[n]) for n in shuffled.columns}
        return float(np.mean(score(by_name, labels[rows])))

    class Fitted:
        """What scikit-learn asks of a model, which is fitted already."""

        def fit(self) -> None: ...

    found = permutation_importance(
        Fitted(), frame, some, scoring=scored, n_repeats=REPEATS, random_state=seed
    )
    named = zip(columns, found.importances_mean, found.importances_std, strict=True)
    return sorted(((n, float(m), float(s)) for n, m, s in named), key=lambda row: -row[1])
