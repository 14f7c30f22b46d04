"""The status page's rows: what needs a person first, then what mends itself, then all that is well, in little room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from aggregator.model import Push, SourceHealth
from aggregator.publish import advice
from aggregator.publish.pages import charts, phrases, pushing

#: with more sources than these, those that are well are a list of names: 2,500 drawn would be a page of 3 MB
DRAWN = 250
#: rows of hubs, those that refuse first: every other blog is a hub of its own
HUBS = 30
#: among the well: what waits for its first poll stands before what posts, and that before what does not
_ORDER = ("new", "ok", "quiet", "disabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Thirty days as SVG path data, and in words for those who do not see it."""

    path: str
    width: int
    words: str
    #: what lies on top, in the colour of trouble
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One source as the status page shows it."""

    health: SourceHealth
    state: str
    #: one sentence; "" where all is well
    note: str
    #: what to do; "" where there is nothing
    advice: str
    #: who tells us of it; "" where nobody does
    push: str
    last_success: str
    next_poll: str
    posting: Chart | None = None
    fetching: Chart | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Sources that are in the same plight."""

    title: str
    note: str
    rows: tuple[SourceRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The status page's groups, none empty."""

    troubled: tuple[Group, ...] = ()
    #: all that is well as one table; empty where there are too many of them
    well: tuple[SourceRow, ...] = ()
    #: too many for a table: (section, its sources that are well)
    named: tuple[tuple[str, tuple[SourceRow, ...]], ...] = ()
    hubs: tuple[pushing.HubRow, ...] = ()
    #: hubs that are not shown
    more_hubs: int = 0


def board(sources: Sequence[SourceHealth], pushes: Iterable[Push], *, now: datetime) -> Board:
    """All sources."""
    told = pushing.by_source(pushes)
    ordered = sorted(sources, key=lambda health: (-health.error_count, health.ref.name.casefold()))
    troubled = [health for health in ordered if health.state in ("failing", "gone")]
    acts = [health for health in troubled if advice.needs_a_person(health, now)]
    waits = [health for health in troubled if not advice.needs_a_person(health, now)]
    rest = [health for health in sources if health.state not in ("failing", "gone")]
    is_small = len(sources) <= DRAWN

    hubs = pushing.hubs(told.values(), now=now)

    def rows(healths: Sequence[SourceHealth], *, drawn: int = DRAWN) -> tuple[SourceRow, ...]:
        return tuple(
            row(health, told.get(health.ref.id), now=now, drawn=place < drawn) for place, health in enumerate(healths)
        )

    return Board(
        troubled=tuple(_troubled(rows(acts), rows(waits))),
        well=rows(sorted(rest, key=_place)) if is_small else (),
        named=() if is_small else tuple(_by_section(rows(rest, drawn=0))),
        hubs=tuple(hubs[:HUBS]),
        more_hubs=len(hubs[HUBS:]),
    )


def row(health: SourceHealth, push: Push | None, *, now: datetime, drawn: bool = True) -> SourceRow:
    """One source in words and, if `drawn`, in lines."""
    return SourceRow(
        health=health,
        state=advice.STATES[health.state],
        note=_note(health, now),
        advice=advice.advice(health.error.code) if health.error else "",
        push=pushing.in_words(push, now=now),
        last_success=phrases.ago(health.last_success, now),
        next_poll=_next_poll(health.next_poll, now),
        posting=posting(health) if drawn else None,
        fetching=fetching(health) if drawn else None,
    )


def posting(health: SourceHealth) -> Chart | None:
    """What a source has posted, day by day; None before its first day."""
    days = health.daily
    if not days:
        return None
    words = f"{phrases.plural(sum(days), 'item')} in {phrases.plural(len(days), 'day')}"
    return Chart(path=charts.bars(days), width=charts.width(days), words=words)


def fetching(health: SourceHealth) -> Chart | None:
    """How often it was asked, day by day, and how often in vain; None before the first poll that was counted."""
    polls, failures = health.daily_polls, health.daily_failures
    if not any(polls):
        return None
    words = f"{phrases.plural(sum(polls), 'poll')} in {phrases.plural(len(polls), 'day')}, "
    words += f"{phrases.thousands(sum(failures))} failed" if any(failures) else "none failed"
    if any(failures):
        words += f", on {phrases.plural(sum(map(bool, failures)), 'day')}"
    return Chart(
        path=charts.bars(polls), width=charts.width(polls), words=words, trouble=charts.shares(polls, failures)
    )


def _troubled(acts: tuple[SourceRow, ...], waits: tuple[SourceRow, ...]) -> Iterator[Group]:
    if acts:
        yield Group(title="To be looked at", note="These will not mend themselves.", rows=acts)
    if waits:
        note = "These are asked again at growing intervals. After a week they would stand above."
        yield Group(title="Failing for now", note=note, rows=waits)


def _by_section(rows: Sequence[SourceRow]) -> Iterator[tuple[str, tuple[SourceRow, ...]]]:
    def section(row: SourceRow) -> str:
        return row.health.subscription.section

    ordered = sorted(rows, key=lambda row: (section(row), row.health.ref.name.casefold()))
    for name, members in groupby(ordered, key=section):
        yield name, tuple(members)


def _place(health: SourceHealth) -> tuple[int, str]:
    return _ORDER.index(health.state), health.ref.name.casefold()


def _next_poll(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "—"
    return phrases.ago(moment, now) if moment > now else "due now"


def _note(health: SourceHealth, now: datetime) -> str:
    if health.error:
        since = f", for {phrases.duration(now - health.error_since)}" if health.error_since else ""
        times = f" ({phrases.plural(health.error_count, 'time')} in a row{since})" if health.error_count > 1 else ""
        return health.error.message.rstrip(".") + times + "."
    odd = " ".join(sentence for _, sentence in advice.remarks(health))
    if health.state == "quiet":
        last = (
            f"its last item is {phrases.ago(health.last_item, now).removesuffix(' ago')} old"
            if health.last_item
            else "it has never posted"
        )
        return f"Answers as it should; {last}. {odd}".rstrip()
    return odd
