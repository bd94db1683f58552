"""Generated images with what photographs have: shades, edges and fine patterns."""

import numpy as np


def sample_images(count: int, side: int, channels: int, seed: int) -> list[np.ndarray]:
    """Return images of shapes with sharp edges, each with a shading or a pattern of stripes.

    Args:
        count: how many.
        side: pixels of the shorter side; the other is up to half as long again.
        channels: 1 or 3.
        seed: decides them.
    """
    rng = np.random.default_rng([seed, 0x9A1E5])
    return [_image(side, channels, rng) for _ in range(count)]


def _image(side: int, channels: int, rng: np.random.Generator) -> np.ndarray:
    height, width = side, side + int(rng.integers(side // 2 + 1))
    if rng.integers(2):
        height, width = width, height
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    image = _filling(x, y, channels, rng)
    for _ in range(int(rng.integers(6, 12))):
        inside = _shape(x, y, rng)
        image[inside] = _filling(x, y, channels, rng)[inside]
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _filling(x: np.ndarray, y: np.ndarray, channels: int, rng: np.random.Generator) -> np.ndarray:
    """Return a colour with a shading, or with stripes of 3 to 12 pixels."""
    colour = rng.uniform(20, 235, channels).astype(np.float32)
    angle = rng.uniform(0, np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    if rng.integers(2):
        wave = np.sign(np.sin(2 * np.pi * along / rng.uniform(3, 12)))
    else:
        wave = 2 * (along - along.min()) / (np.ptp(along) + 1) - 1
    return colour + 20.0 * wave[..., None] * rng.uniform(-1, 1, channels).astype(np.float32)


def _shape(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return where an ellipse or a turned rectangle is."""
    height, width = x.shape
    angle = rng.uniform(0, np.pi)
    dx, dy = x - rng.uniform(0, width), y - rng.uniform(0, height)
    u = (np.cos(angle) * dx + np.sin(angle) * dy) / rng.uniform(0.05, 0.35) / width
    v = (np.cos(angle) * dy - np.sin(angle) * dx) / rng.uniform(0.05, 0.35) / height
    inside = u * u + v * v < 1 if rng.integers(2) else np.maximum(abs(u), abs(v)) < 1
    return np.asarray(inside)
