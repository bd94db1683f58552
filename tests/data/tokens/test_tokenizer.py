"""Tokenizers and vocabularies: what texts are cut into, what is known, and in which order."""

import numpy as np
import pytest

from tfpipe.data.tokens.tokenizer import UNKNOWN, Tokenizer, before_words, normalised
from tfpipe.data.tokens.vocabulary import by_frequency, subwords
from tfpipe.declare.formats import TokenFormat

# By the rules of the corpus of The Time Machine: 170,580 characters and 28 tokens of the real text.
LINES = "The Time Machine, by H. G. Wells [1898]\n\n\n\n\nI\r\n  It's 3 o'clock -- 'Where?'  \n"


def test_letters_alone_are_left_of_each_line_and_lines_are_joined() -> None:
    letters = TokenFormat("char", "letters")
    assert normalised(LINES, letters) == "the time machine by h g wellsiit s o clock where"
    assert normalised(LINES, TokenFormat()) == LINES
    assert normalised("time traveller ", letters) == "time traveller"
    words = normalised(LINES, TokenFormat("word", "letters")).split()
    assert words[5:8] == ["g", "wells", "i"]  # the words of two lines stay two


def test_a_vocabulary_is_by_falling_frequency_and_ties_by_the_alphabet() -> None:
    assert by_frequency("banana b c") == (UNKNOWN, "a", " ", "b", "n", "c")
    assert by_frequency("banana", 3) == (UNKNOWN, "a", "n")
    first = ("<pad>", "<bos>", "<eos>", UNKNOWN)
    words = ["to", "be", "or", "not", "to", "be"]
    assert by_frequency(words, first=first, least=2) == (*first, "be", "to")


@pytest.mark.parametrize(
    ("form", "text", "pieces"),
    [
        (TokenFormat(), "Ab\nö", ["A", "b", "\n", "ö"]),
        (TokenFormat(normalise="letters"), "A b!\nC", ["a", " ", "b", "c"]),
        (TokenFormat("word"), " to  be\nor\tnot ", ["to", "be", "or", "not"]),
        (TokenFormat("word"), "no\u00a0break", ["no\u00a0break"]),
    ],
)
def test_a_text_is_cut(form: TokenFormat, text: str, pieces: list[str]) -> None:
    assert Tokenizer((), form).split(text) == pieces


def test_what_is_not_known_is_unknown_and_said_once() -> None:
    tokenizer = Tokenizer((UNKNOWN, "a", "b"), TokenFormat())
    encoded = tokenizer.encode("abcbd")
    assert encoded.dtype == np.int32
    assert encoded.tolist() == [1, 2, 0, 2, 0]
    assert tokenizer.unknown("abcbdc") == ["c", "d"]
    assert (tokenizer.unknown_number, Tokenizer(("a",), TokenFormat()).unknown_number) == (0, -1)
    assert tokenizer.decode(encoded) == "ab<unk>b<unk>"
    words = Tokenizer((UNKNOWN, "to", "be"), TokenFormat("word"))
    assert words.decode(words.encode("to be or")) == "to be <unk>"


def test_subwords_are_merged_by_frequency_and_stay_within_words() -> None:
    text = "low lower lowest low\nlow"
    known = subwords(text, 100)
    assert " low" in known
    assert "low" in known
    assert all(piece in part for piece in known[1:] for part in before_words(text) if piece == part)
    assert not any(piece[1:].count(" ") or "\n" in piece[1:] for piece in known)
    assert subwords(text, 100) == known
    assert len(subwords(text, 13)) == 13  # 10 characters, <unk>, two pieces
    assert {*text} < {*known}


def test_subwords_are_the_longest_that_fit() -> None:
    tokenizer = Tokenizer((UNKNOWN, "a", "b", "ab", "abab", " a"), TokenFormat("subword"))
    assert tokenizer.split("ababab a x") == ["abab", "ab", " a", " ", "x"]
    assert tokenizer.encode("ababab a x").tolist() == [4, 3, 5, 0, 0]
    assert tokenizer.unknown(tokenizer.split("ab x")) == [" ", "x"]
