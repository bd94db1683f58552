"""`tfpipe run`: train, evaluate once on the test split, export, and record all of it."""

from tfpipe.jobs.start import run

__all__ = ["run"]
