"""Boxes in images: formats, overlaps, anchors, their assignment, offsets, suppression.

Pure functions of TensorFlow on batches. A box is (x1, y1, x2, y2), from 0 to 1 of the image's width
and height. Of images with fewer boxes than others the rest is padding, whose class is -1.
"""
