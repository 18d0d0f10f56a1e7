# SPDX-License-Identifier: Apache-2.0
"""How figures are written for people: precision, units, and ``n/a`` where there is none.

Rounding never makes a figure look perfect that is not: an IoU below 1 is never printed as 1, an error above 0
never as 0. Nothing here knows a comparison.
"""

from __future__ import annotations

NONE = "n/a"


def error(value: float | None) -> str:
    """A probability error: two significant digits, ``0`` only for no error at all."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    return _exponent(f"{value:.1e}") if abs(value) < 1e-3 else f"{value:.2g}"


def iou(value: float | None) -> str:
    """An IoU in [0, 1] with four decimals; ``1`` only for equal masks."""
    if value is None:
        return NONE
    if value == 1:
        return "1"
    text = f"{value:.4f}"
    return "> 0.9999" if text == "1.0000" else text


def milliseconds(value: float | None) -> str:
    """Milliseconds with three significant digits, without the unit."""
    if value is None:
        return NONE
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def megabytes(value: float | None) -> str:
    """Bytes as megabytes (10⁶ bytes), without the unit."""
    if value is None:
        return NONE
    return f"{value / 1e6:.0f}" if value >= 99.5e6 else f"{value / 1e6:.1f}" if value >= 1e7 else f"{value / 1e6:.2f}"


def rate(value: float | None) -> str:
    """Frames per second, one decimal."""
    return NONE if value is None else f"{value:.1f}"


def count(value: float | None) -> str:
    return NONE if value is None else f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def share(value: float | None) -> str:
    """A share in [0, 1] as percent; ``100 %`` and ``0 %`` only where they are exact."""
    if value is None:
        return NONE
    percent = 100 * value
    if value not in (0, 1):
        percent = min(max(percent, 0.1), 99.9)
    return f"{percent:.0f} %" if value in (0, 1) else f"{percent:.1f} %"


def change(value: float | None) -> str:
    """A change as signed percent, one decimal: ``+1.2 %``."""
    return NONE if value is None else f"{100 * value:+.1f} %".replace("-", "\N{MINUS SIGN}")


def ratio(value: float | None) -> str:
    """How many times as long, or as many: three decimals."""
    return NONE if value is None else f"{value:.3f}"


def decibels(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f}"


def difference(value: float | None) -> str:
    """A difference of two IoUs, signed, four decimals."""
    return NONE if value is None else f"{value:+.4f}".replace("-", "\N{MINUS SIGN}")


def plain_difference(value: float | None) -> str:
    """A difference of two figures, signed, three decimals."""
    return NONE if value is None else f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def general(value: float | None) -> str:
    """Any figure of unknown kind: six significant digits."""
    return NONE if value is None else _exponent(f"{value:.6g}")


_KINDS = {
    "max_abs": error,
    "p99_abs": error,
    "mean_abs": error,
    "psnr": decibels,
    "mask_iou": iou,
    "mask_iou_min": iou,
    "gt_iou": iou,
    "gt_boundary_iou": iou,
    "flipped": count,
    "flip_margin": share,
    "gt_iou_delta": difference,
    "ratio": ratio,
    "noise": ratio,
    "difference": plain_difference,
}

_OTHER_NAMES = {"compared": "cases compared", "not_finite": "pixels that are no number"}

NAMES = {
    "max_abs": "max error",
    "p99_abs": "p99 error",
    "mean_abs": "mean error",
    "psnr": "PSNR (dB)",
    "cosine": "cosine",
    "mask_iou": "mask IoU",
    "mask_iou_min": "mask IoU, worst",
    "flipped": "flipped pixels",
    "flip_margin": "flip margin",
    "gt_iou": "IoU, ground truth",
    "gt_boundary_iou": "boundary IoU, ground truth",
    "gt_iou_delta": "IoU less the reference's",
}
"""Metric of a comparison -> what tables call it."""


def name(metric_name: str) -> str:
    """What tables call a metric."""
    return NAMES.get(metric_name) or _OTHER_NAMES.get(metric_name) or metric_name.replace("_", " ")


def metric(name: str, value: float | None) -> str:
    """The figure of a named metric in that metric's precision."""
    return _KINDS.get(name, general)(value)


def exact(value: float | None) -> str:
    """A figure as it is, in the fewest digits that give it back: tolerances, which must not be rounded."""
    return NONE if value is None else _exponent(repr(float(value)))


def _exponent(text: str) -> str:
    mantissa, e, exponent = text.partition("e")
    return mantissa.removesuffix(".0") + (f"e{int(exponent)}" if e else "")
