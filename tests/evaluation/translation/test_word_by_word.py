"""A dictionary from pairs: which word goes with which, counted by hand."""

import numpy as np

from tfpipe.data.tokens.sentences import UNKNOWN
from tfpipe.declare.formats import EOS, PAD
from tfpipe.evaluation.translation.word_by_word import Dictionary

A, B, C = 10, 11, 12
X, Y, Z = 20, 21, 22


def test_each_word_is_the_one_that_goes_with_it_most() -> None:
    source = np.array(
        [[A, B, EOS, PAD], [A, A, EOS, PAD], [B, C, EOS, PAD], [C, UNKNOWN, EOS, PAD]]
    )
    target = np.array([[Y, X, EOS], [X, X, EOS], [Z, Y, EOS], [Y, UNKNOWN, EOS]])
    # Dice: A with X 2*2/(2+2), with Y 2*1/(2+3); B with X 2/4, Y 4/5, Z 2/3; C with Y 4/5, Z 2/3.
    dictionary = Dictionary([(source[:2], target[:2]), (source[2:], target[2:])])
    said = dictionary.translated(np.array([[A, B, C, EOS], [13, A, EOS, PAD]]))
    assert said.tolist() == [[X, Y, Y, EOS], [UNKNOWN, X, EOS, PAD]]
    assert Dictionary([]).translated(np.array([[A, EOS]])).tolist() == [[UNKNOWN, EOS]]
