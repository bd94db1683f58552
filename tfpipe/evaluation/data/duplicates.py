"""Samples that are twice: equal ones by their hash, similar images by how they look."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

# What makes two images alike: of the 64 bits of their perceptual hashes so many differ at most;
# their thumbnails correlate so much; and what that lacks of 1 is no more than this share of what it
# lacks for the most similar of some images drawn at random, so that all that has one silhouette, as
# photos of shoes have, is not alike for that.
BITS, CORRELATION, NEARER = 10, 0.95, 0.15
_REFERENCE = 500  # images drawn at random
_SIDE = 16  # pixels of a thumbnail
_BLOCK = 1000  # images compared with all others at a time
_PLAIN = 8  # levels of brightness, below which there is nothing to be seen


@dataclass(frozen=True)
class Duplicates:
    """Samples of one split that stand in another as well, or twice in the same one.

    Args:
        first: a split.
        second: another split, or the same.
        count: how many samples of the second have their like in the first, before them where it is
            the same split.
        otherwise: how many of these have another label than their like.
        pairs: some of them: row of the first, row of the second.
    """

    first: str
    second: str
    count: int
    otherwise: int
    pairs: tuple[tuple[int, int], ...]


@dataclass
class Fingerprints:
    """How images of a split look, added one by one.

    Args:
        rows: of the split, of each image.
    """

    rows: list[int] = field(default_factory=list)
    _bits: list[np.ndarray] = field(default_factory=list)
    _thumbnails: list[np.ndarray] = field(default_factory=list)

    def add(self, row: int, image: np.ndarray) -> None:
        """Take an image in.

        Args:
            row: where it stands in its split.
            image: [height, width, channels] uint8.
        """
        from imagehash import phash
        from PIL import Image

        pixels = image if image.shape[-1] in (3, 4) else image[..., 0]
        grey = Image.fromarray(pixels).convert("L")
        thumbnail = np.asarray(grey.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32)
        if np.ptp(thumbnail) < _PLAIN:  # like everything plain
            return
        self.rows.append(row)
        self._bits.append(phash(grey).hash.reshape(-1))
        self._thumbnails.append(thumbnail.reshape(-1))

    @property
    def signs(self) -> np.ndarray:
        """[images, 64] the bits of the perceptual hash (imagehash's phash) as -1 and 1."""
        return np.where(np.array(self._bits).reshape(-1, 64), 1, -1).astype(np.float32)

    @property
    def thumbnails(self) -> np.ndarray:
        """[images, pixels] brightness, of mean 0 and length 1: their products are correlations."""
        flat = np.array(self._thumbnails, np.float32).reshape(len(self.rows), -1)
        flat = flat - flat.mean(axis=1, keepdims=True)
        return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True))


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
            found += _counted(first, second, pairs, labels, most)
    return found


def near(
    prints: Mapping[str, Fingerprints],
    ids: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    most: int = 12,
) -> list[Duplicates]:
    """Return where images look alike but are not equal: other colours, crops or compression.

    Args:
        prints: of the images to compare, by split.
        ids: [rows] a hash of each sample, by split.
        labels: [rows, ...] by split.
        most: how many pairs of each to name, the most similar first.
    """
    found = []
    splits = [name for name in prints if prints[name].rows]
    for place, first in enumerate(splits):
        for second in splits[place:]:
            best: dict[int, tuple[float, int]] = {}
            for a, b, similar in _alike(prints[first], prints[second], first == second):
                one, other = prints[first].rows[a], prints[second].rows[b]
                known = best.get(other)
                if ids[first][one] != ids[second][other] and (not known or similar > known[0]):
                    best[other] = (similar, one)
            ordered = sorted(best.items(), key=lambda item: -item[1][0])
            pairs = [(one, other) for other, (_, one) in ordered]
            found += _counted(first, second, pairs, labels, most)
    return found


def _counted(
    first: str,
    second: str,
    pairs: list[tuple[int, int]],
    labels: Mapping[str, np.ndarray],
    most: int,
) -> list[Duplicates]:
    if not pairs:
        return []
    differing = sum(not np.array_equal(labels[first][a], labels[second][b]) for a, b in pairs)
    return [Duplicates(first, second, len(pairs), differing, tuple(pairs[:most]))]


def _alike(
    first: Fingerprints, second: Fingerprints, same: bool
) -> Iterator[tuple[int, int, float]]:
    """Yield the places of images that look alike, and how their thumbnails correlate."""
    ours, theirs, signs, others = first.thumbnails, second.thumbnails, first.signs, second.signs
    drawn = np.random.default_rng(0).permutation(len(ours))[:_REFERENCE]
    for start in range(0, len(theirs), _BLOCK):
        block = theirs[start : start + _BLOCK]
        correlations = block @ ours.T
        # Of signs, the product is 64 less twice the bits that differ.
        close = others[start : start + _BLOCK] @ signs.T >= 64 - 2 * BITS
        b, a = np.nonzero(close & (correlations >= CORRELATION))
        if same:
            a, b = a[a < b + start], b[a < b + start]
        similar = correlations[b, a]
        # The most similar of those drawn, but for the two themselves.
        usual = correlations[:, drawn]
        top = np.argsort(-usual, axis=1)[:, :3]
        others_drawn = drawn[top][b] != a[:, None]
        if same:
            others_drawn &= drawn[top][b] != b[:, None] + start
        reference = np.where(others_drawn, np.take_along_axis(usual, top, 1)[b], -1.0).max(axis=1)
        nearer = 1 - similar <= NEARER * (1 - reference)
        places = (a[nearer].tolist(), (b[nearer] + start).tolist(), similar[nearer].tolist())
        yield from zip(*places, strict=True)
