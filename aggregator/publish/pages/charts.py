"""Small charts as SVG path data: no inline style, one path each, to be stroked `BAR` wide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt

#: units of the drawing for one bar, the gap after it, and the height of the tallest
BAR, GAP, HEIGHT = 3, 1, 20


def bars(values: Sequence[int]) -> str:
    """Path data of one bar a value, in a box of (BAR + GAP) · n by HEIGHT; square-rooted, so that quiet days show.

    A day without anything is a thin line at the foot, so that one sees that it was looked at.
    """
    return _path(enumerate(_heights(values)))


def shares(values: Sequence[int], parts: Sequence[int]) -> str:
    """Path data that lies on top of `bars` of `values`: of each bar the share that is `parts`, from the foot.

    However small a share, it is seen.
    """
    shown = (
        (index, max(2, round(height * part / value)))
        for index, (height, value, part) in enumerate(zip(_heights(values), values, parts, strict=True))
        if part
    )
    return _path(shown)


def width(values: Sequence[int]) -> int:
    """The width of the box that `bars` draws in."""
    return max(len(values) * (BAR + GAP) - GAP, 1)


def _heights(values: Sequence[int]) -> Iterator[int]:
    top = sqrt(max((*values, 1)))
    return (max(1, round(sqrt(max(value, 0)) / top * HEIGHT)) for value in values)


def _path(heights: Iterator[tuple[int, int]]) -> str:
    """Upright lines, each from the foot; from the top of one to the foot of the next by a relative move: short."""
    drawn: list[str] = []
    at = above = 0
    for index, height in heights:
        move = f"m{(index - at) * (BAR + GAP)} {above}" if drawn else f"M{index * (BAR + GAP) + BAR / 2:g} {HEIGHT}"
        drawn.append(f"{move}v-{height}")
        at, above = index, height
    return "".join(drawn)
