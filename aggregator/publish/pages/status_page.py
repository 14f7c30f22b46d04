"""The status page's rows: what needs a person first, then what mends itself, then all that is well, in little room."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from math import sqrt
from urllib.parse import urlsplit

from aggregator.model import Push, SourceHealth
from aggregator.publish import diagnostics
from aggregator.publish.pages import wording

#: with more sources than these, those that are well are a list of names: 2,500 drawn would be a page of 3 MB
DRAWN = 250
#: rows of hubs, those that refuse first: every other blog is a hub of its own
HUBS = 30
#: among the well: what waits for its first poll stands before what posts, and that before what does not
_ORDER = ("new", "ok", "quiet", "disabled")


#: the state that says most, where a source has several subscriptions (a renewal beside the one it follows)
_PUSH_ORDER = ("active", "asked", "resting", "leaving")
REFUSED = (
    "It is asked again, less and less often, and its sources are polled as before. If it never agrees, see that [site]"
    " url is an address at which the hub can reach this site."
)
UNHEARD = (
    "There are sources that name a hub, and none has been asked yet. A hub on the internet can tell nobody whose [site]"
    " url is on a private network."
)
#: units of the drawing for one bar, the gap after it, and the height of the tallest


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
class HubRow:
    """One hub: how many sources it speaks for, and how many of them it tells us about."""

    name: str
    sources: int
    active: int
    waiting: int
    refused: int
    #: the end of the lease that ends first
    until: datetime | None
    last: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The status page's groups, none empty."""

    troubled: tuple[Group, ...] = ()
    #: all that is well as one table; empty where there are too many of them
    well: tuple[SourceRow, ...] = ()
    #: too many for a table: (section, its sources that are well)
    named: tuple[tuple[str, tuple[SourceRow, ...]], ...] = ()
    hubs: tuple[HubRow, ...] = ()
    #: hubs that are not shown
    more_hubs: int = 0


def board(sources: Sequence[SourceHealth], pushes: Iterable[Push], *, now: datetime) -> Board:
    """All sources."""
    told = pushes_by_source(pushes)
    ordered = sorted(sources, key=lambda health: (-health.error_count, health.ref.name.casefold()))
    troubled = [health for health in ordered if health.state in ("failing", "gone")]
    acts = [health for health in troubled if diagnostics.needs_a_person(health, now)]
    waits = [health for health in troubled if not diagnostics.needs_a_person(health, now)]
    rest = [health for health in sources if health.state not in ("failing", "gone")]
    is_small = len(sources) <= DRAWN

    hubs = hub_rows(told.values(), now=now)

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
        state=diagnostics.STATES[health.state],
        note=_note(health, now),
        advice=diagnostics.advice(health.error.code) if health.error else "",
        push=push_status(push, now=now),
        last_success=wording.ago(health.last_success, now),
        next_poll=_next_poll(health.next_poll, now),
        posting=posting(health) if drawn else None,
        fetching=fetching(health) if drawn else None,
    )


def posting(health: SourceHealth) -> Chart | None:
    """What a source has posted, day by day; None before its first day."""
    days = health.daily
    if not days:
        return None
    words = f"{wording.plural(sum(days), 'item')} in {wording.plural(len(days), 'day')}"
    return Chart(path=bars(days), width=width(days), words=words)


def fetching(health: SourceHealth) -> Chart | None:
    """How often it was asked, day by day, and how often in vain; None before the first poll that was counted."""
    polls, failures = health.daily_polls, health.daily_failures
    if not any(polls):
        return None
    words = f"{wording.plural(sum(polls), 'poll')} in {wording.plural(len(polls), 'day')}, "
    words += f"{wording.thousands(sum(failures))} failed" if any(failures) else "none failed"
    if any(failures):
        words += f", on {wording.plural(sum(map(bool, failures)), 'day')}"
    return Chart(path=bars(polls), width=width(polls), words=words, trouble=shares(polls, failures))


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
    return wording.ago(moment, now) if moment > now else "due now"


def _note(health: SourceHealth, now: datetime) -> str:
    if health.error:
        since = f", for {wording.duration(now - health.error_since)}" if health.error_since else ""
        times = f" ({wording.plural(health.error_count, 'time')} in a row{since})" if health.error_count > 1 else ""
        return health.error.message.rstrip(".") + times + "."
    odd = " ".join(sentence for _, sentence in diagnostics.remarks(health))
    if health.state == "quiet":
        last = (
            f"its last item is {wording.ago(health.last_item, now).removesuffix(' ago')} old"
            if health.last_item
            else "it has never posted"
        )
        return f"Answers as it should; {last}. {odd}".rstrip()
    return odd


def pushes_by_source(pushes: Iterable[Push]) -> dict[int, Push]:
    """The subscription that says how things stand with each source."""
    ordered = sorted(pushes, key=lambda push: (_PUSH_ORDER.index(push.state), -push.asked_at.timestamp()))
    found: dict[int, Push] = {}
    for push in ordered:
        found.setdefault(push.source_id, push)
    return found


def push_status(push: Push | None, *, now: datetime) -> str:
    """One sentence about a source; "" where no hub tells of it."""
    if push is None or push.state == "leaving":
        return ""
    hub = host(push.hub)
    if push.state == "asked":
        return f"Push: {hub} has been asked {wording.ago(push.asked_at, now)} and has not confirmed yet."
    if push.state == "resting":
        again = f", asked again {wording.ago(push.retry_at, now)}" if push.retry_at and push.retry_at > now else ""
        return f"Push: {hub} would not ({wording.plural(push.failures, 'time')} in a row){again}; polled as before."
    last = f"last told us {wording.ago(push.delivered_at, now)}" if push.delivered_at else "has told us nothing lately"
    lease = f", its lease ends {wording.ago(push.until, now)}" if push.until else ""
    return f"Push: {hub} {last}{lease}."


def hub_rows(pushes: Iterable[Push], *, now: datetime) -> list[HubRow]:
    """The hubs: those that refuse first, then those that speak for most sources."""
    found: defaultdict[str, list[Push]] = defaultdict(list)
    for push in pushes:
        if push.state != "leaving":
            found[host(push.hub)].append(push)
    rows = [_hub(name, held, now) for name, held in found.items()]
    return sorted(rows, key=lambda row: (-row.refused, -row.sources, row.name))


def _hub(name: str, pushes: Sequence[Push], now: datetime) -> HubRow:
    states = Counter(push.state for push in pushes)
    return HubRow(
        name=name,
        sources=len(pushes),
        active=states["active"],
        waiting=states["asked"],
        refused=states["resting"],
        until=min((push.until for push in pushes if push.state == "active" and push.until), default=None),
        last=wording.ago(max((push.delivered_at for push in pushes if push.delivered_at), default=None), now),
        advice=REFUSED if states["resting"] else "",
    )


def host(url: str) -> str:
    """The name of a hub; its address may hold a secret."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


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
