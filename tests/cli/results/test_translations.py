"""`tfpipe predict` of a model that translates: what it is given, and how it answers."""

import csv
import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

JOB = """\
from tfpipe import Pipeline, keras
from tfpipe.data import Pairs
from tfpipe.models import Seq2Seq

WORDS = {"one": "eins", "two": "zwei", "red": "rot", "old": "alt"}

def pairs():
    words = [(a, b) for a in WORDS for b in WORDS] * 8
    return {"train": [(f"{a} {b}.", f"{WORDS[a]} {WORDS[b]}.") for a, b in words]}

class Words(Pipeline):
    data = Pairs(pairs, length=5, validation=16, test=16)
    model = Seq2Seq("gru", units=24, embedding=16, layers=1)
    optimizer = keras.optimizers.Adam(0.02)
    batch_size = 16
    epochs = 25
"""


def test_sentences_are_translated_however_they_are_given(
    tfpipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("job.py").write_text(JOB)
    trained = tfpipe("run", "job.py")
    assert trained.code == 0, trained.err
    table = trained.out[trained.out.index("translations of test") :].splitlines()
    assert [line.split()[:2] for line in table[1:3]] == [["the", "model"], ["a", "dictionary"]]

    found = tfpipe("predict", "last", "one red.", "Old TWO.")
    assert found.code == 0
    lines = [line.split() for line in found.out.splitlines() if line]
    assert lines[0] == ["one", "red."]
    assert lines[1][1:] == ["eins", "rot", "."]
    assert lines[3][1:] == ["alt", "zwei", "."]

    noted = "'blue' is not in the vocabulary and is read as <unk>."
    long = "The last 1 token of 6 are not read."
    asked = ("one blue.", "one red two old one.", "--beam", "2", "--json")
    one, two = json.loads(tfpipe("predict", "last", *asked).out)
    assert (one["file"], one["note"]) == ("one blue.", noted)
    assert two["note"] == long
    assert len(two["translations"]) == 2
    assert two["translations"][0]["score"] >= two["translations"][1]["score"]
    assert noted in tfpipe("predict", "saved_models/job", "one blue.").out

    for target in ("last", "saved_models/job"):
        with _pipe("one red.\n\nold blue.\n") as pipe:
            monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=pipe))
            answer = tfpipe("predict", target, "-", "--format", "csv")
        assert answer.code == 0, answer.err
        rows = [*csv.DictReader(io.StringIO(answer.out))]
        assert [row["file"] for row in rows] == ["stdin:1", "stdin:3"]
        assert rows[0]["translation_1"] == "eins rot ."
        assert "Of 1 of 2 sentences a part was unknown or too long." in answer.err

    empty = tfpipe("predict", "last", " ", "one red.")
    assert empty.code == 1
    assert "is an empty sentence." in empty.out
    assert "1 of 2 sentences could not be read." in empty.out
    refused = tfpipe("predict", "last", "one red.", "--beam", "0")
    assert refused.code == 2


def _pipe(text: str) -> Any:
    """A pipe with a text in it, which has a file descriptor as standard input does."""
    reads, writes = os.pipe()
    os.write(writes, text.encode())
    os.close(writes)
    return os.fdopen(reads, "rb")
