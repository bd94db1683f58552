"""`tfpipe runs compare`: tables and verdicts for people, JSON for programs, a page."""

import json

import pytest
from recorded import Job, answered, record

from tfpipe.runs.directory import Status


@pytest.fixture
def two(tmp_path):
    for minutes, accuracy in ((0, 0.5), (1, 0.75)):
        record(
            tmp_path,
            Job(epochs=1 + minutes),
            minutes=minutes,
            status=Status("finished", metrics={"test": {"accuracy": accuracy}}),
            losses=(0.5,),
            answers=answered([0, 1, 2, 0], [0, 1, 0, minutes]),
        )
    return tmp_path


def test_runs_are_compared(tfpipe, two):
    done = tfpipe("runs", "compare", "job/20261120-1015", "last")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "A  job/20261120-101502",
        "B  job/20261120-101602",
        "",
        "B answers 1 of 4 fewer right than A, which is not more than chance: a difference so large "
        "would be seen in nearly all comparisons.",
        "",
        "metrics        A       B",
        "test accuracy  0.5000  0.7500 *",
        "",
        "declaration  A  B",
        "epochs       1  2",
        "",
        "data: the same, Arrays recorded:points, 8 train",
        "",
        "environment       A         B",
        "seconds           2.0000    2.0000",
        "seconds an epoch  2.0000    2.0000",
        "examples/s        100.0000  100.0000",
        "",
        "page  runs/comparisons/job-20261120-101502_job-20261120-101602.html",
        "",
        "Next:",
        "  tfpipe runs show job/20261120-101502  its curves",
        "  tfpipe runs show job/20261120-101602  its curves",
    ]


def test_json_has_all_of_it_and_a_page_where_one_is_named(tfpipe, two):
    words = ("runs", "compare", "--json", "last", "job/20261120-1015")
    found = json.loads(tfpipe(*words).out)
    assert (found["page"], found["scores"][0]["pairs"]) == (None, 4)
    assert not (two / "runs" / "comparisons").exists()
    done = tfpipe(*words, "--html", "pages/mine.html")
    assert json.loads(done.out)["page"] == "pages/mine.html"
    assert "job/20261120-101502" in (two / "pages" / "mine.html").read_text()


def test_a_figure_is_drawn_where_one_is_named(tfpipe, two):
    done = tfpipe("runs", "compare", "last", "job/20261120-1015", "--figure", "curves.png")
    assert (done.code, done.err) == (0, "")
    assert "\nfigure  curves.png\n\nNext:" in done.out
    assert (two / "curves.png").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("last",), "Error: 1 run to compare: name two or more that are not the same, such as "),
        (("last", "cats"), "Error: There is no run 'cats'. There is: job/20261120-101502, job/"),
        ((), "Usage: tfpipe runs compare [OPTIONS] RUN RUN...\n"),
    ],
)
def test_what_cannot_be_compared_is_refused(tfpipe, two, words, message):
    done = tfpipe("runs", "compare", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(message)


@pytest.mark.slow
def test_two_real_runs(tfpipe, small):
    for words in ((), ("epochs=1", "batch_size=8")):
        assert tfpipe("run", small, "--no-export", *words).code == 0
    done = tfpipe("runs", "compare", "last", sorted((small.parent / "runs" / "small").iterdir())[0])
    assert done.code == 0, done.err
    assert "batch_size   8  16" in done.out
    assert " of 24 " in done.out
    assert "metrics" in done.out
    shown = tfpipe("runs", "show", "last")
    assert "best epoch  1, by val_loss" in shown.out
    assert "report/report.html" in shown.out
