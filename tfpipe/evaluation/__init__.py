"""Judging a trained model: metrics on a split, answers to samples."""
