"""The status page: five figures, sources that need attention, those that work, and the hubs that push."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlsplit

from aggregator.model import Push, SourceHealth
from aggregator.publish import diagnostics
from aggregator.publish.messages import N_, SOURCE_LANGUAGE
from aggregator.publish.pages.charts import Chart, chart
from aggregator.publish.pages.source_names import label
from aggregator.publish.pages.wording import Wording, primary

#: with more sources than these, those that work are a list of names: 2,500 charts would be a page of 3 MB
MAX_DRAWN: Final = 250
#: rows of hubs, those that refuse first: every other blog is a hub of its own
MAX_HUBS: Final = 30

#: the state that says most, where a source has several subscriptions (a renewal beside the one it follows)
_PUSH_ORDER = ("active", "asked", "resting", "leaving")
REFUSED = N_(
    "It is asked again at growing intervals, and its sources are polled as before. If it never agrees, check that"
    " [site] url is an address at which the hub can reach this site."
)
UNHEARD = N_(
    "There are sources that name a hub, and none has been asked yet. A hub on the internet cannot reach a site whose"
    " [site] url is on a private network."
)
_EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One source as the status page shows it."""

    health: SourceHealth
    state: str
    #: since when it fails, and how often it has; "" where it does not
    since: str
    #: one sentence; "" where all is well
    note: str
    #: of the note
    language: str
    #: what to do; "" where there is nothing
    advice: str
    #: who pushes its items; "" where nobody does
    push: str
    last_success: str
    last_item: str
    next_poll: str
    #: its state is worth a word among those that work
    state_note: bool
    posting: Chart | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Sources in the same state of trouble."""

    title: str
    note: str
    rows: tuple[SourceRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRow:
    """One hub: how many sources name it, and for how many of them it pushes."""

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
class StatusBoard:
    """The contents of the status page; no group is empty."""

    #: (what is counted, the figure, whether it is bad)
    tiles: tuple[tuple[str, str, bool], ...] = ()
    troubled: tuple[Group, ...] = ()
    #: the sources that work, as one table; empty where there are too many of them
    well: tuple[SourceRow, ...] = ()
    #: too many for a table: (section, its sources that work)
    named: tuple[tuple[str, tuple[SourceRow, ...]], ...] = ()
    hubs: tuple[HubRow, ...] = ()
    #: hubs that are not shown
    more_hubs: int = 0
    #: the column by which `well` is sorted
    sort: str = "name"


def _by_name(health: SourceHealth) -> str:
    return label(health.ref).name.casefold()


#: by the name of a column: the order of the sources that work
SORTS: Final[Mapping[str, Callable[[SourceHealth], Any]]] = {
    "name": _by_name,
    "section": lambda health: (health.subscription.section.casefold(), _by_name(health)),
    "rate": lambda health: (-health.items_per_day, _by_name(health)),
    "asked": lambda health: (-(health.last_success or _EARLIEST).timestamp(), _by_name(health)),
    "item": lambda health: (-(health.last_item or _EARLIEST).timestamp(), _by_name(health)),
}


def status_board(
    sources: Sequence[SourceHealth],
    pushes: Iterable[Push],
    words: Wording,
    *,
    now: datetime,
    items_today: int | None = None,
    sort: str = "name",
) -> StatusBoard:
    """The board of these sources; `sort` is one of `SORTS`."""
    told = pushes_by_source(pushes)
    troubled = sorted(
        (health for health in sources if health.state in ("failing", "gone")),
        key=lambda health: (-health.error_count, _by_name(health)),
    )
    acts = [health for health in troubled if diagnostics.needs_a_person(health, now)]
    waits = [health for health in troubled if not diagnostics.needs_a_person(health, now)]
    rest = [health for health in sources if health.state not in ("failing", "gone")]
    is_small = len(sources) <= MAX_DRAWN
    hubs = hub_rows(told.values(), words, now=now)

    def rows(healths: Iterable[SourceHealth], *, drawn: bool) -> tuple[SourceRow, ...]:
        return tuple(source_row(health, told.get(health.ref.id), words, now=now, drawn=drawn) for health in healths)

    return StatusBoard(
        tiles=tuple(_tiles(sources, len(acts), words, now=now, items_today=items_today)),
        troubled=tuple(_troubled(rows(acts, drawn=False), rows(waits, drawn=False), words)),
        well=rows(sorted(rest, key=SORTS[sort]), drawn=True) if is_small else (),
        named=() if is_small else tuple(_by_section(rows(rest, drawn=False))),
        hubs=tuple(hubs[:MAX_HUBS]),
        more_hubs=len(hubs[MAX_HUBS:]),
        sort=sort,
    )


def source_row(
    health: SourceHealth, push: Push | None, words: Wording, *, now: datetime, drawn: bool = True
) -> SourceRow:
    """One source in words and, if `drawn`, its days as bars."""
    last = words.ago(health.last_item, now)
    return SourceRow(
        health=health,
        state=words.gettext(diagnostics.STATES[health.state]),
        since=_since(health, words, now),
        note=_note(health, words),
        language=cause(health, words)[1],
        advice=words.gettext(diagnostics.advice(health.error.code)) if health.error else "",
        push=push_status(push, words, now=now),
        last_success=words.ago(health.last_success, now),
        last_item=words.gettext("last item: %(time)s") % {"time": last},
        next_poll=_next_poll(health, words, now),
        state_note=health.state in ("new", "quiet", "disabled"),
        posting=posting(health, words) if drawn else None,
    )


def posting(health: SourceHealth, words: Wording) -> Chart | None:
    """What a source has posted, day by day (UTC); None before its first day."""
    if not health.daily:
        return None
    items = words.plural("%(num)s item", "%(num)s items", sum(health.daily))
    days = words.plural("%(num)s day", "%(num)s days", len(health.daily))
    return chart(health.daily, words.gettext("%(items)s in %(days)s") % {"items": items, "days": days})


def _tiles(
    sources: Sequence[SourceHealth], attention: int, words: Wording, *, now: datetime, items_today: int | None
) -> Iterator[tuple[str, str, bool]]:
    yield words.gettext("Sources"), words.number(len(sources)), False
    yield words.gettext("Need attention"), words.number(attention), attention > 0
    if items_today is not None:
        yield words.gettext("Items in 24 hours"), words.number(items_today), False
    last = max((health.last_poll for health in sources if health.last_poll), default=None)
    following = min((health.next_poll for health in sources if health.next_poll), default=None)
    yield words.gettext("Last poll"), words.ago(last, now), False
    due = words.gettext("now") if following and following <= now else words.ago(following, now) if following else "—"
    yield words.gettext("Next poll"), due, False


def _troubled(acts: tuple[SourceRow, ...], waits: tuple[SourceRow, ...], words: Wording) -> Iterator[Group]:
    if acts:
        yield Group(
            title=words.gettext("Need attention"),
            note=words.gettext("these will not recover by themselves"),
            rows=acts,
        )
    if waits:
        note = words.gettext("polled again at growing intervals; after a week they are listed above")
        yield Group(title=words.gettext("Failing for now"), note=note, rows=waits)


def _by_section(rows: Sequence[SourceRow]) -> Iterator[tuple[str, tuple[SourceRow, ...]]]:
    def section(row: SourceRow) -> str:
        return row.health.subscription.section

    ordered = sorted(rows, key=lambda row: (section(row), _by_name(row.health)))
    for name, members in groupby(ordered, key=section):
        yield name, tuple(members)


def _next_poll(health: SourceHealth, words: Wording, now: datetime) -> str:
    if health.next_poll is None:
        return words.gettext("not polled any more")
    if health.next_poll <= now:
        return words.gettext("next poll: due now")
    return words.gettext("next poll: %(time)s") % {"time": words.ago(health.next_poll, now)}


def _since(health: SourceHealth, words: Wording, now: datetime) -> str:
    if not health.error:
        return ""
    times = words.plural("%(num)s time", "%(num)s times", health.error_count)
    if health.error_since is None:
        return times
    lasting = words.duration(now - health.error_since)
    return words.gettext("%(time)s, %(times)s") % {"time": lasting, "times": times}


def _note(health: SourceHealth, words: Wording) -> str:
    """What is wrong or odd."""
    return cause(health, words)[0] if health.error else " ".join(_remarks(health, words))


def cause(health: SourceHealth, words: Wording) -> tuple[str, str]:
    """Why a source fails, and the language that it is told in: errors tell most in English, in which they are made."""
    error = health.error
    if error is None:
        return "", words.language
    is_english, known = primary(words.language) == SOURCE_LANGUAGE, diagnostics.cause(error.code)
    if known and not is_english:
        return words.gettext(known) % {"status": health.http_status or error.code.rpartition("-")[2]}, words.language
    is_said = health.http_status is None or str(health.http_status) in error.message
    status = "" if is_said else f" ({health.http_status})"
    return error.message.rstrip(".") + status + ".", words.language if is_english else SOURCE_LANGUAGE


def _remarks(health: SourceHealth, words: Wording) -> Iterator[str]:
    for _, sentence, facts in diagnostics.odd(health):
        yield sentence and words.gettext(sentence) % facts


def pushes_by_source(pushes: Iterable[Push]) -> dict[int, Push]:
    """Of each source the subscription that says most."""
    ordered = sorted(pushes, key=lambda push: (_PUSH_ORDER.index(push.state), -push.asked_at.timestamp()))
    found: dict[int, Push] = {}
    for push in ordered:
        found.setdefault(push.source_id, push)
    return found


def push_status(push: Push | None, words: Wording, *, now: datetime) -> str:
    """One sentence about a source; "" where no hub pushes its items."""
    if push is None or push.state == "leaving":
        return ""
    hub = hub_host(push.hub)
    if push.state == "asked":
        return words.gettext("Push: %(hub)s was asked %(time)s and has not confirmed yet.") % {
            "hub": hub,
            "time": words.ago(push.asked_at, now),
        }
    if push.state == "resting":
        times = words.plural("%(num)s time", "%(num)s times", push.failures)
        return words.gettext("Push: %(hub)s refused (%(times)s in a row); polled as before.") % {
            "hub": hub,
            "times": times,
        }
    if push.delivered_at is None:
        return words.gettext("Push: subscribed at %(hub)s, nothing delivered lately.") % {"hub": hub}
    return words.gettext("Push: %(hub)s last delivered %(time)s.") % {
        "hub": hub,
        "time": words.ago(push.delivered_at, now),
    }


def hub_rows(pushes: Iterable[Push], words: Wording, *, now: datetime) -> list[HubRow]:
    """The hubs: those that refuse first, then those that most sources name."""
    found: defaultdict[str, list[Push]] = defaultdict(list)
    for push in pushes:
        if push.state != "leaving":
            found[hub_host(push.hub)].append(push)
    rows = [_hub(name, held, words, now) for name, held in found.items()]
    return sorted(rows, key=lambda row: (-row.refused, -row.sources, row.name))


def _hub(name: str, pushes: Sequence[Push], words: Wording, now: datetime) -> HubRow:
    states = Counter(push.state for push in pushes)
    return HubRow(
        name=name,
        sources=len(pushes),
        active=states["active"],
        waiting=states["asked"],
        refused=states["resting"],
        until=min((push.until for push in pushes if push.state == "active" and push.until), default=None),
        last=words.ago(max((push.delivered_at for push in pushes if push.delivered_at), default=None), now),
        advice=words.gettext(REFUSED) if states["resting"] else "",
    )


def hub_host(url: str) -> str:
    """The host of a hub; the rest of its address may hold a secret."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
