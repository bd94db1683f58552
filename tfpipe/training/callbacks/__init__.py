"""The callbacks that every run has, and what they keep."""
