"""Frames of video clips, read by OpenCV where it is installed."""

from collections.abc import Iterator

import numpy as np

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm")


def frames(file: str, every: int = 1) -> Iterator[tuple[str, np.ndarray | str]]:
    """Yield the place of each frame, such as "clip.mp4 at 0:01.20", and its pixels.

    Args:
        file: the clip.
        every: one frame in so many is taken, from the first on.

    Yields:
        [height, width, 3] uint8 in the order red, green, blue; or, once, what is wrong.
    """
    try:
        import cv2
    except ImportError:
        yield file, "is a clip, which OpenCV reads. Install it with: pip install 'tfpipe[video]'"
        return
    clip = cv2.VideoCapture(file)
    try:
        rate, number = clip.get(cv2.CAP_PROP_FPS) or 25.0, 0
        while clip.grab():
            if number % every == 0:
                whole, frame = clip.retrieve()
                place = f"{file} at {_clock(number / rate)}"
                yield place, frame[..., ::-1] if whole else "is a frame that is damaged"
            number += 1
        if not number:
            yield file, "is no clip that OpenCV can read"
    finally:
        clip.release()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(100 * seconds), 6000)
    hours, minutes = divmod(minutes, 60)
    clock = f"{minutes:02}:{rest / 100:05.2f}" if hours else f"{minutes}:{rest / 100:05.2f}"
    return f"{hours}:{clock}" if hours else clock
