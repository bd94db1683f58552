"""Samples that are twice: equal ones by their hash, similar images by how they look."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

NEAR = 4  # of the 64 bits of a perceptual hash may differ


@dataclass(frozen=True)
class Duplicates:
    """Samples of one split that stand in another as well, or twice in the same one.

    Args:
        first: a split.
        second: another split, or the same.
        count: how many samples of the second have their like before them.
        otherwise: how many of these have another label.
        pairs: some of them: row of the first, row of the second.
    """

    first: str
    second: str
    count: int
    otherwise: int
    pairs: tuple[tuple[int, int], ...]


def exact(
    ids: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], most: int = 12
) -> list[Duplicates]:
    """Return where equal samples are, within splits and across them; without pairs of none.

    Args:
        ids: [rows] a hash of each sample, by split.
        labels: [rows, ...] by split.
        most: how many pairs of each to name.
    """
    found = []
    splits = list(ids)
    for place, first in enumerate(splits):
        where: dict[int, int] = {}
        for row, known in enumerate(ids[first].tolist()):
            where.setdefault(known, row)
        for second in splits[place:]:
            pairs = [
                (where[known], row)
                for row, known in enumerate(ids[second].tolist())
                if known in where and (second != first or where[known] != row)
            ]
            if pairs:
                differing = sum(
                    not np.array_equal(labels[first][a], labels[second][b]) for a, b in pairs
                )
                found.append(Duplicates(first, second, len(pairs), differing, tuple(pairs[:most])))
    return found


def near(
    images: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], most: int = 12
) -> list[Duplicates]:
    """Return where images look alike but are not equal: crops, other sizes, other compression.

    Their perceptual hashes (imagehash's phash, 64 bits) differ in at most 4 bits.

    Args:
        images: [rows, height, width, channels] uint8, by split.
        labels: [rows, ...] by split.
        most: how many pairs of each to name.
    """
    hashes = {name: _hashes(pixels) for name, pixels in images.items()}
    found = []
    splits = list(images)
    for place, first in enumerate(splits):
        for second in splits[place:]:
            pairs = []
            for row, known in enumerate(hashes[second]):
                others = hashes[first][:row] if first == second else hashes[first]
                distance = np.bitwise_count(others ^ known)
                for other in np.flatnonzero(distance <= NEAR)[:1].tolist():
                    if not np.array_equal(images[first][other], images[second][row]):
                        pairs.append((other, row))
            if pairs:
                differing = sum(
                    not np.array_equal(labels[first][a], labels[second][b]) for a, b in pairs
                )
                found.append(Duplicates(first, second, len(pairs), differing, tuple(pairs[:most])))
    return found


def _hashes(pixels: np.ndarray) -> np.ndarray:
    """[rows] perceptual hashes as uint64; plain pictures, which have none, get one of their own."""
    from imagehash import phash
    from PIL import Image

    found = np.zeros(len(pixels), np.uint64)
    for row, image in enumerate(pixels):
        bits = phash(Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)).hash
        if image.max() - image.min() < 8:  # nothing to be seen
            found[row] = np.random.default_rng(row).integers(0, 2**63, dtype=np.uint64)
        else:
            found[row] = np.packbits(bits.reshape(-1)).view(">u8")[0]
    return found
