"""Boxes around the objects of images: what annotation files say of them, and batches with them."""
