"""How images did that a model answered with, in sentences, a table and pictures."""

from pathlib import Path

import numpy as np

from tfpipe.evaluation.report.judged import Judged
from tfpipe.evaluation.report.sections import Card, Section, Table
from tfpipe.text import counted, number

_ROWS, _SHOWN = 40, 6
_PSNR, _SSIM, _MULTISCALE, _ERROR = range(4)


def image_sections(judged: Judged) -> list[Section]:
    """Return the sections of a split whose answers are images."""
    pictures, found = judged.images, judged.answered.answers
    assert pictures is not None
    given = pictures.likeness
    gain = found[:, _PSNR] - given[:, _PSNR]
    of = "the colours" if pictures.task.label.colours else "the luma"
    text = (
        f"Over {counted(len(found), 'image')} the PSNR is {_mean(found, _PSNR)} dB, the SSIM "
        f"{_mean(found, _SSIM)}{_multiscale(found)}; {pictures.baseline} has "
        f"{_mean(given, _PSNR)} dB, {_mean(given, _SSIM)}{_multiscale(given)}.",
        f"PSNR and SSIM are those of {of} of 8-bit values{_border(pictures.task.border)}; values, "
        f"rounded and from 0 to 255, are {_mean(found, _ERROR)} away in the mean.",
        *judged.notes,
    )
    order = np.argsort(gain, kind="stable").tolist()
    rows = [
        (
            _name(judged, row),
            f"{found[row, _PSNR]:.2f}",
            f"{gain[row]:+.2f}",
            f"{found[row, _SSIM]:.4f}",
            f"{found[row, _MULTISCALE]:.4f}" if np.isfinite(found[row, _MULTISCALE]) else "",
        )
        for row in order[:_ROWS]
    ]
    note = f"Those first that gain least over {pictures.baseline}."
    heads = ("image", "PSNR in dB", "gained", "SSIM", "MS-SSIM")
    whole = Section(
        "images",
        f"Images{judged.of_output}",
        text,
        (Table(heads, rows, note),),
        data={
            name: {
                "psnr": float(of[:, _PSNR].mean()),
                "ssim": _known(of[:, _SSIM]) or 0.0,
                "ms_ssim": _known(of[:, _MULTISCALE]),
                "mae": float(of[:, _ERROR].mean()),
            }
            for name, of in (("model", found), ("baseline", given))
        },
    )
    groups = {"Gained least": order[:_SHOWN], "Gained most": order[::-1][:_SHOWN]}
    if len(order) <= _SHOWN:
        groups = {"All of them": order}
    drawn = pictures.pictures({row for group in groups.values() for row in group})
    cards = tuple(
        (title, tuple(_card(judged, row, drawn[row], gain[row]) for row in group))
        for title, group in groups.items()
    )
    shown = (
        "Of each image the part in which most was to be done, from left to right: as it is given, "
        "enlarged where it must be; as the model answers; as it should be; and how far the answer "
        "is from that, four times as strong, where grey is no difference.",
    )
    return [whole, Section("samples", "Samples", shown, cards=cards, data={"order": order})]


def interval_of(found: np.ndarray, given: np.ndarray) -> tuple[float, float]:
    """Return the 95% interval of the mean PSNR, as far as its gain over the inputs' differs.

    Args:
        found: [images, ...] the likeness of the answers.
        given: the same of the inputs.
    """
    from scipy.stats import t

    gain = found[:, _PSNR] - given[:, _PSNR]
    mean = float(found[:, _PSNR].mean())
    if len(gain) < 2:
        return mean, mean
    around = float(t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / len(gain) ** 0.5)
    return mean - around, mean + around


def _card(judged: Judged, row: int, picture: bytes, gain: float) -> Card:
    found = judged.answered.answers[row]
    caption = f"{judged.task.caption(found, 0)} ({gain:+.2f} dB)"
    name = _name(judged, row)
    return Card(caption, None, picture, f"part of {name}", note=name, large=True)


def _name(judged: Judged, row: int) -> str:
    return Path(judged.places[row]).name if row < len(judged.places) else f"image {row}"


def _mean(found: np.ndarray, column: int) -> str:
    mean = _known(found[:, column]) or 0.0
    return f"{mean:.2f}" if column == _PSNR else f"{mean:.4f}" if column == _SSIM else number(mean)


def _known(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _multiscale(found: np.ndarray) -> str:
    mean = _known(found[:, _MULTISCALE])
    return "" if mean is None else f", the MS-SSIM {mean:.4f}"


def _border(pixels: int) -> str:
    return f", without a border of {counted(pixels, 'pixel')}" if pixels else ""
