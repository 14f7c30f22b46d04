"""What the status page says about a source: its state in words, and what an operator should do about an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aggregator.model import SourceHealth
from aggregator.publish.pages import charts, phrases

STATES = {
    "new": "Not polled yet",
    "ok": "Fine",
    "quiet": "Quiet",
    "failing": "Failing",
    "gone": "Gone",
    "disabled": "Disabled",
}
#: worst first: what needs a person stands on top
ORDER = ("failing", "gone", "new", "ok", "quiet", "disabled")

#: by the first prefix of the error's code that fits
ADVICE = (
    ("http-401", "It asks for a password. Ask the publisher for an open feed, or remove the source."),
    ("http-403", "The server refuses us. See that [site] contact is a real address, then ask the publisher."),
    ("http-404", "The feed is no longer there. Run “aggregator add” with the site's web page to find the new one."),
    ("http-410", "The publisher has ended this feed. Remove the source, or look for its successor."),
    ("http-429", "The server asks for fewer requests, and gets them. Nothing to do."),
    ("http-5", "The server has a fault of its own. It is asked again, less and less often. Nothing to do."),
    ("http-", "The server answers with an error. Open the address in a browser to see what it wants."),
    ("dns", "The name of the host cannot be found. Check the spelling; if it is right, the site may be gone."),
    ("blocked-address", "The address is on a private network. If that is wanted: [polling] allow_private_addresses."),
    ("blocked-port", "The address names a port that feeds are not fetched from. Check the address."),
    ("timeout", "The server is too slow to answer in time. It is asked again, less and less often."),
    ("connect", "The server does not take connections. If it lasts for days, the site may be gone."),
    ("tls", "The certificate of the server is not valid. Only its publisher can mend that."),
    ("cert", "The certificate of the server is not valid. Only its publisher can mend that."),
    ("too-large", "The document is larger than [polling] max_size. Raise it if the feed is worth it."),
    ("redirect", "The server sends us in circles. Look for the feed's present address."),
    ("bad-redirect", "The server redirects to something that cannot be fetched. Look for the feed's present address."),
    ("not-a-feed", "It is a page, not a feed. Run “aggregator add” with the address: it finds the feeds of a page."),
    ("empty-body", "The server answers with nothing. What was collected stays; it is asked again."),
    ("parse", "The document takes too much time or memory to read. What was collected stays."),
    ("xml", "The document contains something unsafe and was not read. Tell the publisher."),
)  # fmt: skip
DEFAULT_ADVICE = "What was collected stays; the source is asked again, less and less often."


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One source as the status page shows it."""

    health: SourceHealth
    state: str
    #: one sentence; "" where all is well
    note: str
    #: what to do; "" where there is nothing
    advice: str
    last_success: str
    next_poll: str
    #: SVG path data and width of the items of the last days
    chart: str
    chart_width: int
    chart_label: str


def rows(sources: Sequence[SourceHealth], *, now: datetime) -> list[SourceRow]:
    """All sources, those that need a person first, then by section and name."""
    ordered = sorted(sources, key=lambda health: (ORDER.index(health.state), health.ref.name.casefold()))
    return [row(health, now=now) for health in ordered]


def row(health: SourceHealth, *, now: datetime) -> SourceRow:
    """One source in words."""
    return SourceRow(
        health=health,
        state=STATES[health.state],
        note=_note(health, now),
        advice=advice(health.error.code) if health.error else "",
        last_success=phrases.ago(health.last_success, now),
        next_poll=_next_poll(health.next_poll, now),
        chart=charts.bars(health.daily),
        chart_width=charts.width(health.daily),
        chart_label=f"{phrases.plural(sum(health.daily), 'item')} in {phrases.plural(len(health.daily), 'day')}",
    )


def advice(code: str) -> str:
    """What an operator should do about an error."""
    return next((text for prefix, text in ADVICE if code.startswith(prefix)), DEFAULT_ADVICE)


def _next_poll(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "—"
    return phrases.ago(moment, now) if moment > now else "due now"


def _note(health: SourceHealth, now: datetime) -> str:
    if health.error:
        since = f", for {phrases.duration(now - health.error_since)}" if health.error_since else ""
        times = f" ({phrases.plural(health.error_count, 'time')} in a row{since})" if health.error_count > 1 else ""
        return health.error.message.rstrip(".") + times + "."
    if health.state == "quiet":
        return f"Answers as it should; its last item is {phrases.ago(health.last_item, now).removesuffix(' ago')} old."
    return "Its ids change; items are recognised by address and title." if health.unstable_ids else ""
