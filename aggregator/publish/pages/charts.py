"""Small charts as SVG: no inline style, lines of one path, bars of thirty days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from typing import Final

from aggregator.publish.pages.wording import Wording

#: units of the drawing for one bar, the gap after it, and the height of the tallest
BAR: Final = 3
GAP: Final = 1
HEIGHT: Final = 20
#: of the bars of a month, in pixels
_MONTH_HEIGHT: Final = 66
_WEEK: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A row of bars as SVG path data, and in words for those who do not see it."""

    path: str
    width: int
    words: str
    #: what lies on top, in the colour of trouble
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBar:
    """One day: where its bar begins in per cent of the width, its height in pixels, and whether polls failed."""

    x: float
    height: int
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A text below a bar; `end`: it ends there."""

    x: float
    text: str
    end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """The days of a month as bars."""

    bars: tuple[DayBar, ...]
    labels: tuple[Label, ...]
    words: str
    failed: bool


def chart(values: Sequence[int], text: str, *, parts: Sequence[int] = ()) -> Chart:
    """Bars for these values, with `parts` of them in the colour of trouble."""
    trouble = shares(values, parts) if any(parts) else ""
    return Chart(path=bars(values), width=width(values), words=text, trouble=trouble)


def month(values: Sequence[int], failures: Sequence[int], today: date, words: Wording) -> Month | None:
    """Items on each of the last days, the last of which is `today`; None where nothing was posted."""
    if not any(values):
        return None
    top = max(values)
    step = 100 / len(values)
    failed = [bool(count) for count in failures] or [False] * len(values)
    days = tuple(
        DayBar(x=round(index * step, 2), height=max(1, round(_MONTH_HEIGHT * value / top)), failed=bad)
        for index, (value, bad) in enumerate(zip(values, failed, strict=True))
    )
    first = len(values) - 1
    labels = tuple(
        Label(
            x=round((index + 1) * step - 0.6, 2) if index else 0.0,
            text=words.short_date(today - timedelta(days=first - index)),
            end=bool(index),
        )
        for index in range(first % _WEEK, len(values), _WEEK)
    )
    told = words.gettext("Items on each of the last %(num)s days: most %(top)s, today %(today)s")
    text = told % {"num": len(values), "top": words.number(top), "today": words.number(values[-1])}
    return Month(bars=days, labels=labels, words=text, failed=any(failed))


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
