"""Texts as tokens: what they are cut into, learnt vocabularies, and windows over them."""
