"""Detectors: networks that find objects and their boxes in an image."""
