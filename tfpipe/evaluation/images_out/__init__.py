"""Judging a model that answers with an image: beside what is true, and beside what it was given."""
