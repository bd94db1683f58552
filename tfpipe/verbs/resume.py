"""`tfpipe resume`: go on exactly where a run stopped, or say why that cannot be."""

from tfpipe.jobs.resume import resume

__all__ = ["resume"]
