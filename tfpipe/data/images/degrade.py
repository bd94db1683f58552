"""Making a worse image of a good one, from which a network learns the way back."""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter


def cut_to_whole(image: np.ndarray, scale: int) -> np.ndarray:
    """Return an image without the last rows and columns that a scale does not divide."""
    height, width = (side - side % scale for side in image.shape[:2])
    return image[:height, :width]


def shrunk(image: np.ndarray, scale: int) -> np.ndarray:
    """Return an image shrunk bicubically by a whole number, with antialiasing, as Pillow does it.

    Args:
        image: [height, width, channels] uint8, whose sides the scale divides.
        scale: how many times smaller each side becomes.
    """
    size = (image.shape[1] // scale, image.shape[0] // scale)
    channels = [Image.fromarray(image[..., c]) for c in range(image.shape[2])]
    return np.stack([np.asarray(c.resize(size, Image.Resampling.BICUBIC)) for c in channels], -1)


def blurred(image: np.ndarray, deviation: float) -> np.ndarray:
    """Return an image blurred by a Gaussian of a standard deviation in pixels."""
    smooth = gaussian_filter(image.astype(np.float32), (deviation, deviation, 0), mode="nearest")
    return np.clip(np.rint(smooth), 0, 255).astype(np.uint8)


def grey(image: np.ndarray) -> np.ndarray:
    """Return the luma of a colour image, [height, width, 1], as Pillow makes it of RGB."""
    return np.asarray(Image.fromarray(image).convert("L"))[..., None]
