"""Text: its parts, its windows in both orders, its vocabulary, and which texts are refused."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfpipe.data import Text
from tfpipe.data.sources.running_text import SampleText
from tfpipe.data.sources.sample import sample_of
from tfpipe.declare.codec import from_json, to_json
from tfpipe.declare.formats import TokenFormat
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import ConfigError, DataError

LETTERS = "abcdefghij"


@pytest.fixture
def text(tmp_path: Path) -> Any:
    """Makes a source of a text: text("abc", windows=2)."""

    def make(content: str, **fields: Any) -> Text:
        file = tmp_path / "text.txt"
        file.write_bytes(content.encode(fields.get("encoding", "utf-8")))
        return Text(str(file), **{"windows": 3, "validation": None} | fields)

    return make


def batches(source: Text, split: str = "train", **options: Any) -> list[tuple[Any, Any]]:
    """The windows of each batch as texts, and the windows moved on."""
    found = source.input_fn(split, **{"batch_size": 4, "shuffle": split == "train"} | options)
    decode = source.tokenizer.decode
    return [
        tuple([decode(row) for row in part.tolist()] for part in batch)
        for batch in found.as_numpy_iterator()
    ]


def rows(batches: list[tuple[Any, Any]]) -> list[str]:
    return [window for x, _ in batches for window in x]


def test_what_it_is_made_of(text: Any) -> None:
    source = text(LETTERS * 10, validation=0.2, test=10, windows=4)
    spec = source.spec()
    known = ("<unk>", *LETTERS)
    form = TokenFormat()
    assert spec.feature == Feature("tokens", (4,), "int32", "tokens", known, tokens=form)
    assert spec.label == Label("next", "tokens", (4,), known)
    # 70 tokens to train on, less an offset of at most 3; 20 and 10 with one more than the windows.
    assert spec.splits == {"train": 16, "validation": 4, "test": 2}
    assert source.label_reading() == "the next of 11 characters"
    assert from_json(to_json(source)) == source
    assert from_json(to_json(spec)) == spec


def test_the_last_tokens_are_held_out_the_tests_last(text: Any) -> None:
    source = text("".join(map(chr, range(0x100, 0x150))), validation=8, test=8, windows=3)
    order = "".join(map(chr, range(0x100, 0x150)))
    assert source._parts == {
        "train": order[:64],
        "validation": order[64:72],
        "test": order[72:],
    }
    assert text(order, limit=30, validation=8)._parts["train"] == order[:30]


def test_the_label_is_the_window_moved_on(text: Any) -> None:
    source = text(LETTERS * 10)
    for x, y in batches(source):
        for window, moved in zip(x, y, strict=True):
            assert window[1:] == moved[:-1]
            assert (ord(moved[-1]) - ord(window[-1])) % 10 == 1


def test_each_pass_has_an_offset_and_an_order_of_its_own(text: Any) -> None:
    order = "".join(map(chr, range(0x100, 0x100 + 61)))
    source = text(order)
    passes = [rows(batches(source, epoch=epoch)) for epoch in range(12)]
    offsets = set()
    for windows in passes:
        starts = sorted(ord(window[0]) - 0x100 for window in windows)
        assert len(windows) == 19 == source.spec().splits["train"]
        assert np.diff(starts).tolist() == [3] * 18  # none overlap, none is left out
        offsets.add(starts[0])
        assert windows != sorted(windows)
    assert offsets == {0, 1, 2}
    assert len({*map(tuple, passes)}) == 12
    assert passes[3] == rows(batches(source, epoch=3))
    assert passes[3] != rows(batches(source, epoch=3, seed=1))


def test_batches_begin_at_any_position(text: Any) -> None:
    for order in ("random", "sequential"):
        source = text(LETTERS * 10, order=order)
        whole = batches(source, epoch=2)
        assert batches(source, epoch=2, position=5) == whole[5:]
        memory = source.rows_in_memory("train", batch_size=4, shuffle=True)
        starts, _, seed = memory.epoch(2)
        x, y = memory.batch(starts[:4], starts[0], seed)
        assert source.tokenizer.decode(x.numpy()[0].tolist()) == whole[0][0][0]
        assert y.dtype == x.dtype == np.int32


def test_passes_follow_each_other_where_steps_are_given(text: Any) -> None:
    source = text("".join(map(chr, range(0x100, 0x100 + 61))))
    passes = [w for epoch in range(4) for w in rows(batches(source, epoch=epoch))]
    stepped = [w for epoch in range(4) for w in rows(batches(source, epoch=epoch, steps=3))]
    assert stepped == passes[:48]


def test_in_sequential_order_rows_go_on_from_batch_to_batch(text: Any) -> None:
    order = "".join(map(chr, range(0x100, 0x100 + 100)))
    for windows, size in ((3, 4), (3, 5), (7, 4)):
        source = text(order, order="sequential", windows=windows)
        assert source.spec().feature.tokens.carried
        for epoch in range(4):
            found = batches(source, epoch=epoch, batch_size=size)
            assert sum(len(x) for x, _ in found) == source.spec().splits["train"]
            assert [len(x) for x, _ in found[:-1]] == [size] * (len(found) - 1)
            for (x, y), (following, _) in pairwise(found):
                for row, window in enumerate(following):
                    assert y[row][-1] == window[0]
                    assert ord(window[0]) - ord(x[row][0]) == windows
            together = sorted(rows(found))
            assert "".join(together) in order


def test_steps_of_a_sequential_epoch_are_within_the_text(text: Any) -> None:
    source = text(LETTERS * 10, order="sequential")
    assert len(batches(source, steps=8)) == 8
    with pytest.raises(DataError) as caught:
        batches(source, steps=9)
    assert str(caught.value) == (
        "steps_per_epoch=9, and in sequential order an epoch is one pass over the text, which has "
        "8 whole batches of 4 windows. Use at most that, or leave it out."
    )


def test_words_and_subwords_are_tokens_too(text: Any) -> None:
    source = text("to be or not to be " * 6, tokens="word", validation=6, windows=2)
    assert source.spec().classes == ("<unk>", "be", "to", "not", "or")
    assert source.spec().splits == {"train": 14, "validation": 2}
    assert batches(source, "validation", batch_size=2) == [
        (["to be", "or not"], ["be or", "not to"])
    ]
    pieces = text("low lower lowest " * 20, tokens="subword", vocabulary=14, windows=2)
    assert " low" in pieces.spec().classes
    assert len(pieces.spec().classes) == 14


def test_the_vocabulary_is_learnt_from_the_training_part_alone(text: Any) -> None:
    source = text("ab" * 20 + "xaxaxax", validation=7)
    assert source.spec().classes == ("<unk>", "a", "b")
    assert source.notes() == [
        "validation has 1 token that the training part lacks ('x'), read as <unk>."
    ]
    assert text("aab" * 20, vocabulary=2).spec().classes == ("<unk>", "a")


def test_it_is_normalised_before_it_is_cut(text: Any) -> None:
    source = text("A b.\n C!\r\n" * 20, normalise="letters")
    assert source._parts["train"] == "a bc" * 20
    assert source.tokenizer.form == TokenFormat("char", "letters")


def test_a_byte_order_mark_and_other_encodings(text: Any) -> None:
    assert text("\ufeff" + "äb" * 10)._parts["train"] == "äb" * 10
    assert text("äb" * 10, encoding="latin-1")._parts["train"] == "äb" * 10


@pytest.mark.parametrize(
    ("content", "fields", "message"),
    [
        (
            "abcd",
            {"windows": 5},
            "Text.windows=5, and the train part of {path} has 4 tokens: it needs 10 at least. Use "
            "a longer text or shorter windows, or hold out another part.",
        ),
        (
            LETTERS * 3,
            {"windows": 5, "validation": 5},
            "Text.windows=5, and the validation part of {path} has 5 tokens: it needs 6 at least. "
            "Use a longer text or shorter windows, or hold out another part.",
        ),
        (
            LETTERS * 3,
            {"vocabulary": 12},
            "Text.vocabulary=12, and the training part of {path} has 10 characters, with <unk> 11 "
            "tokens. Use at most that, or leave it out.",
        ),
        (
            "a\nb\xff",
            {"encoding": "latin-1"},
            "{path}:2: byte 0xff is not utf-8; encoding='latin-1' would read it.",
        ),
        (" \n", {}, "{path}: the file is empty."),
    ],
)
def test_refused_texts(text: Any, content: str, fields: dict[str, Any], message: str) -> None:
    source = text(content, **fields).replace(encoding="utf-8")
    with pytest.raises(DataError) as caught:
        source.spec()
    assert str(caught.value) == message.replace("{path}", source.path)


def test_refused_files_and_encodings(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        Text(str(tmp_path / "none.txt")).spec()
    assert str(caught.value) == (
        f"{tmp_path / 'none.txt'}: it cannot be read: No such file or directory."
    )
    with pytest.raises(ConfigError) as wrong:
        Text("a.txt", encoding="utf9")
    assert "Text.encoding='utf9' is unknown" in str(wrong.value)


def test_a_generated_text_stands_in_without_the_file() -> None:
    source = Text("none.txt", normalise="letters", limit=10, vocabulary=5, test=0.1)
    sample = sample_of(source, None, 3)
    assert isinstance(sample, SampleText)
    assert (sample.size, sample.seed, sample.stands_in) == (571, 3, True)
    sizes = sample.spec().splits
    assert sizes["train"] >= 571
    assert sizes["validation"]
    assert sizes["test"]
    assert sample.spec() == sample_of(source, None, 3).spec()
    assert sample.spec() != sample_of(source, None, 4).spec()
    for tokens in ("word", "subword"):
        few = sample_of(source.replace(tokens=tokens, normalise=None), 50, 0)
        assert few.spec().splits["train"] >= 50
