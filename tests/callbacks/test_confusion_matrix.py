"""ConfusionMatrix: what it counts, how it reads, what it refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callbacks.confusion_matrix import ConfusionMatrix, plot

Begin = Callable[..., ConfusionMatrix]

COUNTS = [[3, 1, 0], [1, 1, 1], [0, 0, 1]]


@pytest.fixture
def begin(identity: Callable[[int], Any]) -> Callable[..., ConfusionMatrix]:
    """Makes a callback of a run whose training has begun."""

    def make(run: Any, width: int = 3, **arguments: Any) -> ConfusionMatrix:
        callback = ConfusionMatrix(**arguments)
        callback.set_model(identity(width))
        callback.set_run(run)
        callback.on_train_begin()
        return callback

    return make


def cells(figure: Any) -> dict[tuple[int, int], str]:
    """The texts in the cells by row and column."""
    [axes] = figure.axes
    return {
        (round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in axes.texts
    }


def test_true_classes_are_rows_and_answers_columns(run: Any, begin: Begin) -> None:
    assert begin(run).count().tolist() == COUNTS
    assert begin(run, split="train").count().tolist() == np.eye(3).tolist()


def test_two_classes_with_one_logit(run: Any, begin: Begin) -> None:
    run.task, run.classes = "binary", ("no", "yes")
    logits = np.array([[-3.0], [2.0], [-0.1], [0.2]], np.float32)
    run.splits["validation"] = (logits, np.array([0, 0, 1, 1]))
    assert begin(run, width=1).count().tolist() == [[1, 1], [1, 1]]


def test_batches_may_have_weights(run: Any, begin: Begin) -> None:
    run.splits["validation"] = (*run.splits["validation"], np.zeros(8))
    assert begin(run).count().tolist() == COUNTS


def test_the_figure_says_what_it_shows(run: Any, begin: Begin) -> None:
    figure = begin(run).draw("epoch 4", {})
    [axes] = figure.axes
    assert axes.get_title() == "Validation, epoch 4\n62.5% of 8 right"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "true class")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog", "owl"]
    expected = {(r, c): str(n) for r, row in enumerate(COUNTS) for c, n in enumerate(row) if n}
    assert cells(figure) == expected


def test_normalized_cells_are_shares_of_their_row(run: Any, begin: Begin) -> None:
    found = cells(begin(run, normalize=True).draw("epoch 1", {}))
    assert found[0, 0] == "75%"
    assert (found[1, 0], found[1, 1], found[2, 2]) == ("33%", "33%", "100%")


def test_a_class_without_samples_has_an_empty_row(run: Any, begin: Begin, answering: Any) -> None:
    run.splits["validation"] = answering([0, 1], [0, 0])
    figure = begin(run).draw("epoch 1", {})
    assert cells(figure) == {(0, 0): "1", (0, 1): "1"}
    assert np.isfinite(figure.axes[0].images[0].get_array()).all()


@pytest.mark.parametrize(
    ("size", "named", "written"), [(30, True, True), (31, True, False), (61, False, False)]
)
def test_many_classes_stay_readable(size: int, named: bool, written: bool) -> None:
    names = tuple(f"class {i}" for i in range(size))
    figure = plot(np.ones((size, size), int), names, "", normalize=False)
    [axes] = figure.axes
    assert bool(axes.texts) == written
    assert ([t.get_text() for t in axes.get_yticklabels()] == list(names)) == named
    assert max(figure.get_size_inches()) < 12.5


@pytest.mark.parametrize("names", [("a", "b"), ("a rather long name", "another name of a class")])
def test_no_text_is_cut_off(names: tuple[str, ...]) -> None:
    title = "Validation, epoch 1,000\n100.0% of 10,000 right"
    figure = plot(np.array([[2133, 257], [292, 318]]), names, title, normalize=False)
    figure.draw_without_rendering()
    [axes] = figure.axes
    texts = [axes.title, axes.xaxis.label, axes.yaxis.label]
    for text in [*texts, *axes.get_xticklabels(), *axes.get_yticklabels()]:
        box, page = text.get_window_extent(), figure.bbox
        assert page.x0 <= box.x0 <= box.x1 <= page.x1
        assert page.y0 <= box.y0 <= box.y1 <= page.y1


def test_images_and_the_last_figure_are_written(
    run: Any, begin: Begin, events: Callable[[Path], list[Any]]
) -> None:
    callback = begin(run, every=2)
    for epoch in range(2):
        callback.on_epoch_end(epoch)
    callback.on_train_end()
    assert [(tag, step) for tag, step, _ in events(run.tensorboard)] == [("confusion_matrix", 1)]
    assert (run.report / "confusion_matrix.png").stat().st_size > 5_000


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_a_task_without_classes_is_refused(run: Any, task: str) -> None:
    run.task = task
    with pytest.raises(ValueError, match="ConfusionMatrix") as caught:
        ConfusionMatrix().set_run(run)
    assert str(caught.value) == (
        f"ConfusionMatrix counts samples of one class each; the task is {task}."
    )


def test_data_without_validation_is_refused(run: Any) -> None:
    del run.splits["validation"]
    with pytest.raises(ValueError, match="ConfusionMatrix") as caught:
        ConfusionMatrix().set_run(run)
    assert str(caught.value) == (
        "ConfusionMatrix(split='validation'): the data has no such split. Hold out a part for "
        "validation, or use split='train'."
    )
