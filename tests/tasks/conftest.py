"""What the tests of tasks share."""

from specs import spec_of

__all__ = ["spec_of"]
