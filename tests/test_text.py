"""Values, counts, sizes, durations and lists in words."""

from pathlib import Path

import pytest

from tfpipe import text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (text.brief(0.123456), "0.1235"),
        (text.brief(None), ""),
        (text.brief(7), "7"),
        (text.counted(1, "trial"), "1 trial"),
        (text.counted(0, "trial"), "0 trials"),
        (text.counted(2000, "class"), "2,000 classes"),
        (text.counted(2, "epoch"), "2 epochs"),
        (text.counted(2, "batch"), "2 batches"),
        (text.listed([]), ""),
        (text.listed("ab"), "a, b"),
        (text.listed("abcd", 2), "a, b and 2 more"),
        (text.listed("ab", 2), "a, b"),
        (text.quoted(["a", "b", "c"], 1), "'a' and 2 more"),
        (text.either(["a"]), "a"),
        (text.either(["a", "b"]), "a or b"),
        (text.either(["a", "b", "c"]), "a, b or c"),
        (text.byte_size(0), "0 B"),
        (text.byte_size(999), "999 B"),
        (text.byte_size(1500), "1.5 kB"),
        (text.byte_size(153_600_000), "154 MB"),
        (text.byte_size(2.5e12), "2500 GB"),
        (text.milliseconds(0.12345), "0.123 ms"),
        (text.milliseconds(1590.3), "1,590 ms"),
        (text.clock(0), "0:00"),
        (text.clock(41.6), "0:42"),
        (text.clock(62.5), "1:02"),
        (text.clock(3599.6), "1:00:00"),
        (text.clock(3723), "1:02:03"),
        (text.first_sentence("Failed at 0.5.\nTry again. Or not."), "Failed at 0.5."),
    ],
)
def test_words(words: str, expected: str) -> None:
    assert words == expected


def test_a_path_is_relative_below_the_current_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert text.short_path(tmp_path / "runs" / "a") == str(Path("runs", "a"))
    assert text.short_path(tmp_path.parent) == str(tmp_path.parent)


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (text.sparkline([]), ""),
        (text.sparkline([3.0]), "▁"),
        (text.sparkline([0.0, 1.0, 0.5]), "▁█▅"),
        (text.sparkline([0.0, 1.0], (0.0, 7.0)), "▁▂"),
        (text.sparkline([9.0, -9.0], (0.0, 7.0)), "█▁"),
        (text.sparkline([1.0, float("nan"), 2.0, float("inf")]), "▁.█."),
        (text.sparkline([float("nan")] * 2), ".."),
        (text.sparkline(range(100), width=8), "▁▂▃▄▅▆▇█"),
        (text.sparkline([1, 2, 3], marks="_-="), "_-="),
    ],
)
def test_curves_in_characters(drawn: str, expected: str) -> None:
    assert drawn == expected
