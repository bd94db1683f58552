"""Pairs: how sentences become tokens, which words are known, and which pairs are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.data import Pairs
from tfpipe.data.sources.pairs import SamplePairs
from tfpipe.data.sources.sample import sample_of
from tfpipe.data.tokens.graph import GraphTokenizer
from tfpipe.data.tokens.tokenizer import Tokenizer
from tfpipe.declare.codec import from_json, to_json
from tfpipe.declare.formats import SPECIAL, TokenFormat
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import ConfigError, DataError

LINES = "Go.\tVa !\nRun, Tom!\tCours\u202f!\tCC-BY\n\nGo.\tVa !\r\nRun.\tCours !\n"
FORM = TokenFormat("word", "sentence")


@pytest.fixture
def pairs(tmp_path: Path) -> Any:
    """Makes a source of a file: pairs("a\\tb", length=4)."""

    def make(content: str = LINES, **fields: Any) -> Pairs:
        file = tmp_path / "pairs.txt"
        file.write_bytes(content.encode(fields.get("encoding", "utf-8")))
        return Pairs(str(file), **{"length": 5, "validation": None} | fields)

    return make


def batch(source: Pairs, split: str = "train", **options: Any) -> Any:
    options = {"batch_size": source.spec().splits[split]} | options
    return next(iter(source.input_fn(split, **options).as_numpy_iterator()))


def test_what_it_is_made_of(pairs: Any) -> None:
    source = pairs()
    spec = source.spec()
    known = (*SPECIAL, ".", "go", "run"), (*SPECIAL, "!", "cours", "va")
    assert spec.features == (
        Feature("source", (5,), "int32", "tokens", known[0], tokens=FORM),
        Feature("target", (5,), "int32", "tokens", known[1], tokens=FORM),
    )
    assert spec.label == Label("translation", "sentence", (5,), known[1])
    assert spec.label.dtype == "int32"
    assert spec.splits == {"train": 4}
    text = Feature("source", (), "string", "text", known[0], tokens=FORM)
    assert spec.asked.feature == text
    assert spec.translates
    assert not spec.asked.replace(labels=(Label("next", "tokens"),)).translates
    assert source.label_reading() == "sentences of 7 tokens, for sentences of 7"
    assert source.places("train") == [f"pairs.txt:{line}" for line in (1, 2, 4, 5)]
    assert from_json(to_json(source)) == source
    assert from_json(to_json(spec)) == spec
    assert source.read_from() == [Path(source.path)]
    assert source.class_counts() == {}


def test_sentences_end_and_are_cut_or_padded_and_the_decoder_reads_them_moved(pairs: Any) -> None:
    source = pairs()
    x, y = batch(source)
    # "run , tom !" has two words that are not known, and one token too many for its end.
    assert x["source"].tolist() == [
        [5, 4, 2, 0, 0],
        [6, 3, 3, 3, 2],
        [5, 4, 2, 0, 0],
        [6, 4, 2, 0, 0],
    ]
    assert y.tolist() == [[6, 4, 2, 0, 0], [5, 4, 2, 0, 0], [6, 4, 2, 0, 0], [5, 4, 2, 0, 0]]
    assert x["target"].tolist() == [[1, 6, 4, 2, 0], [1, 5, 4, 2, 0]] * 2
    assert x["source"].dtype == x["target"].dtype == y.dtype == np.int32
    assert source.notes() == []
    short = pairs(length=4)
    assert batch(short)[0]["source"][1].tolist() == [6, 3, 3, 3]
    assert short.notes() == [
        "1 of 4 pairs have a sentence that does not fit into length=4 with its end, and were cut."
    ]
    of_source, of_target = source.sentences()
    assert of_source.decode(x["source"]) == ["go .", "run <unk> <unk> <unk>", "go .", "run ."]
    assert of_target.decode(y) == ["va !", "cours !"] * 2


def test_words_are_known_by_the_training_pairs_of_a_seed_alone(pairs: Any) -> None:
    lines = "".join(f"word{i} w\tmot{i} m\n" for i in range(40))
    source = pairs(lines, min_count=1, validation=0.25, test=4)
    for seed in (0, 1):
        spec = source.spec(seed)
        assert spec.splits == {"train": 27, "validation": 9, "test": 4}
        x, _ = batch(source, batch_size=27, seed=seed)
        assert (x["source"][:, :2] > 3).all()
        known = {*spec.features[0].categories} - {*SPECIAL, "w"}
        assert len(known) == 27
        x, _ = batch(source, "validation", batch_size=9, seed=seed)
        assert (x["source"][:, 0] == 3).all()
    assert source.spec(0).classes != source.spec(1).classes
    assert len(pairs(lines, limit=10, min_count=1).spec().features[1].categories) == 4 + 11
    assert pairs(lines, vocabulary=5).spec().classes == (*SPECIAL, "m")


def test_a_function_gives_pairs_or_splits_of_them() -> None:
    def both() -> dict[str, list[tuple[str, str]]]:
        return {"train": [("a b", "c")] * 4, "test": [("b b", "c"), ("x", "y")]}

    source = Pairs(both, length=4, validation=None)
    assert source.spec().splits == {"train": 4, "test": 2}
    assert source.places("test") == ["test, pair 1", "test, pair 2"]
    assert batch(source, "test")[1].tolist() == [[4, 2, 0, 0], [3, 2, 0, 0]]
    plain = Pairs(lambda: (pair for pair in both()["train"]), validation=1)
    assert plain.spec().splits == {"train": 3, "validation": 1}


@pytest.mark.parametrize(
    "text",
    [
        "Go.",
        "what?! really...  yes,no",
        "Étéà\u00a0l'\u202fÉCOLE !",
        "ΟΔΥΣΣΕΥΣ. Ünder straße",
        " \t ",
        "<pad> <eos> <unk> x",
    ],
)
def test_sentences_are_cut_alike_in_a_graph(text: str) -> None:
    words = Tokenizer((), FORM).split(text)
    tokenizer = Tokenizer(tuple(dict.fromkeys([*SPECIAL, *words[::2]])), FORM)
    encoded = GraphTokenizer(tokenizer).encode(tf.constant(text)).numpy()
    assert encoded.tolist() == tokenizer.encode(text).tolist()


def test_marks_become_words_and_spaces_may_break() -> None:
    words = Tokenizer((), FORM).split("Va\u202f! Où, là?  ... 3.5")
    assert words == ["va", "!", "où", ",", "là", "?", ".", ".", ".", "3", ".5"]


def test_names_of_no_words_in_a_text_are_no_such_tokens(pairs: Any) -> None:
    source = pairs("<pad> <eos> a\tb\n" * 2)
    x, _ = batch(source)
    assert x["source"][0].tolist() == [3, 3, 4, 2, 0]


def test_lines_that_cannot_be_used_are_refused_or_left_out(pairs: Any) -> None:
    lines = "a\tb\nno tab here\n \tb\na\t\nb\ta\na\tb\nb\ta\n"
    with pytest.raises(DataError) as caught:
        pairs(lines).spec()
    source = pairs(lines, on_bad="skip")
    assert str(caught.value) == (
        f"Pairs({source.path!r}): 3 of 7 pairs cannot be used:\n"
        "  pairs.txt:2: no tab between two sentences\n"
        "  pairs.txt:3: an empty source sentence\n"
        "  pairs.txt:4: an empty target sentence\n"
        "Repair them, or leave them out with data.on_bad=skip."
    )
    assert source.spec().splits == {"train": 4}
    assert source.notes() == [
        "3 of 7 pairs could not be used and were left out (data.on_bad=skip); the first is "
        "pairs.txt:2: no tab between two sentences."
    ]
    with pytest.raises(DataError) as caught:
        pairs("nothing\n", on_bad="skip").spec()
    assert str(caught.value) == f"Pairs({source.path!r}): the train split has no pair to learn."


def test_lines_in_another_encoding_are_left_out_too(pairs: Any) -> None:
    source = pairs("a\tb\nb\ta\na\tb\nb\ta\n", on_bad="skip")
    path = Path(source.path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"caf\xe9\tva\r\nx\0\ty\n")
    assert source.spec().splits == {"train": 4}
    assert "2 of 6 pairs could not be used" in source.notes()[0]
    assert "byte 0xe9 is not utf-8" in source.notes()[0]
    with pytest.raises(DataError, match=r"pairs.txt:6: a NUL byte, which no text has"):
        source.replace(on_bad="error").spec()


def test_vocabularies_that_the_text_does_not_support_are_refused(pairs: Any) -> None:
    with pytest.raises(DataError) as caught:
        pairs(vocabulary=9).spec()
    path = pairs().path
    assert str(caught.value) == (
        f"Pairs.vocabulary=9, and the source sentences of {path} have 3 words that are there at "
        "least 2 times, with <pad> <bos> <eos> <unk> 7 tokens. Use at most that, or leave it out."
    )
    with pytest.raises(DataError) as caught:
        pairs(min_count=50).spec()
    assert str(caught.value) == (
        f"Pairs.min_count=50, and none of the 6 words of the source sentences of {path} is there "
        "so often. Use a smaller one, or more pairs."
    )


def texts() -> Any:
    return "a\tb"


def lacking() -> Any:
    return {"test": []}


def numbers() -> Any:
    return [("a", "b"), ("a", 3)]


def failing() -> Any:
    raise OSError("no disk")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            texts,
            "Pairs: texts() returned a str for train. Expected are pairs of texts, such as "
            '[("go.", "va !"), ...].',
        ),
        (lacking, "Pairs: lacking() returned splits without 'train': test."),
        (
            numbers,
            "Pairs('numbers()'): 1 of 2 pairs cannot be used:\n"
            "  train, pair 2: ('a', 3) where a pair of texts is expected\n"
            "Repair them, or leave them out with data.on_bad=skip.",
        ),
        (failing, "Pairs: failing() failed with OSError: no disk"),
    ],
)
def test_a_function_that_gives_something_else_is_refused(function: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        Pairs(function).spec()
    assert str(caught.value) == message


def test_files_and_encodings_that_are_none_are_refused(pairs: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing"):
        Pairs(str(tmp_path / "missing.txt")).spec()
    with pytest.raises(ConfigError, match="no-such"):
        Pairs("pairs.txt", encoding="no-such")
    assert pairs("é\tà\né\tà\n", encoding="latin-1").spec().classes[-1] == "à"


def test_a_generated_pair_of_languages_stands_in() -> None:
    source = Pairs("fra.txt", length=10, validation=0.2, test=None)
    sample = sample_of(source, None, 3)
    assert isinstance(sample, SamplePairs)
    assert sample.spec(3).splits == {"train": 2000, "validation": 223}
    assert sample_of(source, 320, 3).spec(3).splits["train"] == 320
    assert sample.notes() == []
    assert sample.read_from() == []
    of_source, of_target = sample.sentences()
    x, y = batch(sample, batch_size=50)
    both = zip(of_source.decode(x["source"]), of_target.decode(y), strict=True)
    for said, translated in both:
        words = said.split()
        ends = [word[::-1] for word in (words[0], words[2], words[1], *words[3:6])]
        assert [word[:-1] for word in translated.split()[:-1]] == ends
    assert (batch(sample_of(source, None, 4), batch_size=50)[1] != y).any()
