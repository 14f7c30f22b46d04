"""Small charts as SVG path data: no inline style, one path each."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

#: units of the drawing for one bar, the gap after it, and the height of the tallest
BAR, GAP, HEIGHT = 3, 1, 20


def bars(values: Sequence[int]) -> str:
    """Path data of one bar a value, in a box of (BAR + GAP) · n by HEIGHT; square-rooted, so that quiet days show.

    A day without anything is a thin line at the foot, so that one sees that it was looked at.
    """
    top = sqrt(max((*values, 1)))
    return "".join(_bar(index, sqrt(max(value, 0)) / top) for index, value in enumerate(values))


def _bar(index: int, share: float) -> str:
    height = max(1, round(share * HEIGHT))
    return f"M{index * (BAR + GAP)} {HEIGHT}v-{height}h{BAR}v{height}z"


def width(values: Sequence[int]) -> int:
    """The width of the box that `bars` draws in."""
    return max(len(values) * (BAR + GAP) - GAP, 1)
