"""Boxes that a detector finds: their drawing."""
