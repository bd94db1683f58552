"""Judging a detector: its boxes beside the true ones."""
