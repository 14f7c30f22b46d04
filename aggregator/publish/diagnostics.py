"""The health of sources in words, and as a feed with an entry for the state of each source.

The words say what an operator should do about a source that fails, and what is odd about one that works. They are
English here and in commands; pages translate them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Final

from aggregator.model import SourceHealth
from aggregator.model.redact import public_url
from aggregator.publish.channel import NEVER, Channel, ChannelEntry, Origin, slot_of, tag
from aggregator.publish.markup import address, heading
from aggregator.publish.messages import N_
from aggregator.publish.site import Site

STATES = {
    "new": N_("Not polled yet"),
    "ok": N_("Working"),
    "quiet": N_("Quiet"),
    "failing": N_("Failing"),
    "gone": N_("Gone"),
    "disabled": N_("Disabled"),
}
#: a failure that recovers by itself does so within this time; after it somebody should look
PATIENCE = timedelta(days=7)

#: by the first prefix of the error's code that fits
ADVICE = (
    ("http-401", N_("The feed needs a password. Ask the publisher for an open feed, or remove the source.")),
    (
        "http-403",
        N_("The server refuses this program. Check that [site] contact is a real address, then ask the publisher."),
    ),
    (
        "http-404",
        N_("The feed is no longer there. Run “aggregator add” with the address of the site to find the new one."),
    ),
    ("http-410", N_("The publisher has ended this feed. Remove the source, or look for its successor.")),
    (
        "challenge",
        N_("The server asks for proof of a human. Ask the publisher to let feed readers in, or remove the source."),
    ),
    ("http-429", N_("The server asks for fewer requests; the interval has been raised.")),
    ("http-5", N_("The server has an internal error. It is polled again at growing intervals.")),
    ("http-", N_("The server answers with an error. Open the address in a browser to see why.")),
    ("same-feed", N_("Two sources lead to the same feed. Remove one of them from config.toml.")),
    (
        "dns",
        N_("The name of the host cannot be resolved. Check the spelling; if it is right, the site may be gone."),
    ),
    (
        "blocked-address",
        N_("The address is on a private network. To allow it, add it to [polling] allow_private_addresses."),
    ),
    ("blocked-port", N_("Polling this port is not allowed. Check the port in the address.")),
    ("bad-url", N_("This is not a valid address. Check the spelling.")),
    ("timeout", N_("The server did not answer in time. It is polled again at growing intervals.")),
    ("connect", N_("The server does not accept connections. If that lasts for days, the site may be gone.")),
    ("tls", N_("The certificate of the server is not valid. Only the publisher can repair that.")),
    ("cert", N_("The certificate of the server is not valid. Only the publisher can repair that.")),
    ("crowded", N_("Too many sources at this address are due at once. It is polled within minutes.")),
    ("out-of-files", N_("This process may not open more files. Raise its limit (LimitNOFILE=).")),
    ("out-of-threads", N_("This process may start no more threads. Raise its limits (TasksMax=, MemoryMax=).")),
    ("too-large", N_("The feed is larger than [polling] max_size allows. Raise it if the feed is worth it.")),
    ("redirect", N_("The server redirects in a circle. Look for the current address of the feed.")),
    (
        "bad-redirect",
        N_("The server redirects to an address that cannot be fetched. Look for the current address of the feed."),
    ),
    (
        "not-a-feed",
        N_("The answer is not a feed. Run “aggregator add” with the address to find the feeds of that page."),
    ),
    ("empty-body", N_("The server sent an empty answer. What was collected stays; the source is polled again.")),
    ("parse", N_("The document takes too much time or memory to parse. What was collected stays.")),
    ("bad-json", N_("The JSON is not valid. Tell the publisher; what was collected stays.")),
    ("protocol-error", N_("The server does not speak valid HTTP. It is polled again at growing intervals.")),
    (
        "bad-encoding",
        N_("The answer is compressed in a way that cannot be read. The source is polled again at growing intervals."),
    ),
    ("network", N_("This machine cannot reach the network. Check whether other programs can.")),
    ("internal-error", N_("This is a fault of this program: please report it, with the log lines around it.")),
    ("xml", N_("The document contains something unsafe and was not parsed. Tell the publisher.")),
)
#: what is wrong, by the first prefix of the error's code that fits: instead of the error's own sentence, which is
#: English and may name more
CAUSES: Final = (
    ("http-", N_("The server answered with status %(status)s.")),
    ("dns-", N_("The name of the host could not be resolved.")),
    ("connection-refused", N_("The server refused the connection.")),
    ("connection-", N_("The connection to the server broke off.")),
    ("network-", N_("The server cannot be reached from this machine.")),
    ("host-", N_("The server cannot be reached from this machine.")),
    ("out-of-files", N_("This process has too many files open.")),
    ("out-of-threads", N_("This process may start no more threads.")),
    ("timeout-connect", N_("The server did not accept the connection in time.")),
    ("timeout-", N_("The server did not send its answer in time.")),
    ("tls-expired", N_("The certificate of the server has expired, or is not valid yet.")),
    ("tls-wrong-host", N_("The certificate of the server is for another host.")),
    ("tls-untrusted", N_("The certificate of the server is signed by an unknown authority.")),
    ("tls-", N_("No secure connection to the server could be made.")),
    ("challenge", N_("The server wants to see a browser (bot protection).")),
    ("protocol-error", N_("The answer of the server is not valid HTTP.")),
    ("bad-encoding", N_("The compressed answer could not be read.")),
    ("too-large", N_("The document is larger than [polling] max_size.")),
    ("truncated", N_("The answer broke off before the first entry was complete.")),
    ("redirect-", N_("The server redirects in a circle.")),
    ("bad-redirect", N_("The server redirects to an address that is not valid.")),
    ("bad-url", N_("The address is not valid.")),
    ("blocked-address", N_("The address is on a private network.")),
    ("blocked-port", N_("The port in the address is not allowed.")),
    ("crowded", N_("Not polled yet: too many sources at the same address are due.")),
    ("same-feed", N_("Another source leads to the same feed.")),
    ("not-a-feed", N_("The document is not a feed.")),
    ("empty-body", N_("The answer is empty.")),
    ("empty-list", N_("The list names no feed.")),
    ("bad-json", N_("The JSON of the feed is not valid.")),
    ("xml-", N_("The document declares entities that are not safe to resolve.")),
    ("parse-timeout", N_("The document took too long to parse.")),
    ("parse-memory", N_("The document takes more memory to parse than is allowed.")),
    ("parse-", N_("The document could not be parsed.")),
    ("internal-error", N_("A fault of this program.")),
)
DEFAULT_ADVICE = N_("What was collected stays; the source is polled again at growing intervals.")
#: errors that do not go away by themselves
LASTING = frozenset(
    {
        *("http-401", "http-403", "http-404", "http-410", "http-", "same-feed", "blocked-address", "blocked-port"),
        *("bad-url", "too-large", "redirect", "bad-redirect", "not-a-feed", "challenge"),
    }
)

#: by a warning's code: what is odd about a source that works
REMARKS = {
    "redirected": N_("Its address redirects temporarily; the redirect is followed at each poll."),
    "moved-permanently": N_("Its address has moved permanently. After a week the new address is polled."),
    "truncated": N_("The document was cut short. Complete entries were taken, and it is fetched again."),
    "ill-formed": N_("The document is not well-formed XML. The entries that could be told apart were taken."),
    "leading-junk": N_("There is text before the document, most often the error message of a program."),
    "control-characters": N_("Control characters that XML does not allow were removed."),
    "bad-references": N_("References to characters that do not exist were removed."),
    "bad-bytes": N_("Bytes that are not valid in its encoding were replaced."),
    "encoding-overridden": N_("Its encoding is not the one that it declares."),
    "item-cap": N_("It has more than 1,000 entries; the newest were taken."),
    "impossible-dates": N_(
        "A date in it does not exist, such as 30 February; the surplus days were counted into the next month."
    ),
    "shrunk": N_("It has suddenly lost nearly all of its entries. What was collected stays."),
    "duplicate-guids": N_("Several entries share one id; they are told apart by address and title."),
    "guids-changed": N_("Most of its entries came with new ids; they were recognised by address and title."),
    "unstable-ids": N_("Its ids change from poll to poll; items are recognised by address and title."),
}
MOVED = N_("It has moved permanently and is polled at %(url)s.")


def remarks(health: SourceHealth) -> tuple[tuple[str, str], ...]:
    """What is odd about a source: (stable code, sentence), each once; "" for a code without a sentence."""
    return tuple((code, sentence and sentence % facts) for code, sentence, facts in odd(health))


def odd(health: SourceHealth) -> tuple[tuple[str, str, dict[str, str]], ...]:
    """The same as (code, message, what stands in its places), for whoever translates the message."""
    codes = dict.fromkeys((*health.warnings, *(["unstable-ids"] if health.unstable_ids else [])))
    told = tuple((code, REMARKS.get(code, ""), dict[str, str]()) for code in codes)
    if health.moved_to is None:
        return told
    return (("moved", MOVED, {"url": public_url(health.moved_to)}), *told)


def cause(code: str) -> str:
    """What is wrong, by an error's code, with a place for ``%(status)s``; "" for a code without a sentence."""
    return next((sentence for prefix, sentence in CAUSES if code.startswith(prefix)), "")


def advice(code: str) -> str:
    """What an operator should do about an error with this code."""
    return dict(ADVICE).get(_prefix(code), DEFAULT_ADVICE)


def needs_a_person(health: SourceHealth, now: datetime) -> bool:
    """Whether a source keeps failing unless somebody acts."""
    if health.state == "gone":
        return True
    if health.state != "failing" or health.error is None:
        return False
    is_old = health.error_since is not None and now - health.error_since > PATIENCE
    return is_old or health.error.permanent or _prefix(health.error.code) in LASTING


def _prefix(code: str) -> str:
    return next((prefix for prefix, _ in ADVICE if code.startswith(prefix)), "")


_WORDS: Final = {
    "failing": "is failing",
    "gone": "is gone",
    "disabled": "is switched off",
    "quiet": "is quiet",
    "new": "has not been polled yet",
    "ok": "is fine",
}
_ADVICE: Final = {
    "failing": "It is tried again at growing intervals. If this lasts, open its address and see what it answers.",
    "gone": "Its publisher says it is gone for good (410). Remove it from config.toml, or find its new address.",
    "disabled": "Set enabled = true in config.toml to follow it again.",
    "quiet": "It answers well and has posted nothing for longer than is usual for it. Nothing needs to be done.",
    "new": "It is polled at its first due time.",
    "ok": "Nothing needs to be done.",
}
_ORDER: Final = tuple(_WORDS)


def status_channel(sources: Sequence[SourceHealth], site: Site) -> Channel:
    """The feed behind ``/feeds/status.atom``. A source that changes its state gives a new entry."""
    ordered = sorted(sources, key=lambda health: (_ORDER.index(health.state), health.ref.slug))
    entries = tuple(_entry(health, site) for health in ordered)
    return Channel(
        id=tag(site, "feeds/status"),
        title=f"Status of the sources – {heading(site.title)}",
        description="How every source of this site is doing: one entry for each state a source is in.",
        address=f"{site.url}/feeds/status",
        page=f"{site.url}/status",
        language="en",
        updated=max((entry.updated for entry in entries), default=NEVER),
        slots=tuple(map(slot_of, entries)),
        icon=f"{site.url}/favicon.svg",
        version=site.version,
        kind="status",
    )


def _since(health: SourceHealth) -> datetime:
    """When the source came into its state, as far as is known: never the time of the last poll, which changes."""
    known = health.error_since if health.state in ("failing", "gone") else health.last_item
    return (known or NEVER).astimezone(UTC).replace(microsecond=0)


def _entry(health: SourceHealth, site: Site) -> ChannelEntry:
    since = _since(health)
    name = heading(health.ref.name)
    stamp = f"/{int(since.timestamp())}" if health.state in ("failing", "gone") else ""
    todo = advice(health.error.code) if health.error else _ADVICE[health.state]
    summary = f"{name} {_WORDS[health.state]}. {_error(health)}{todo}"
    return ChannelEntry(
        id=tag(site, f"status/{health.ref.slug}/{health.state}{stamp}"),
        title=f"{name} {_WORDS[health.state]}",
        url=f"{site.url}/source/{health.ref.slug}",
        original=None,
        published=since,
        updated=since,
        author=None,
        categories=(health.state, heading(health.subscription.section)),
        language="en",
        summary=summary,
        html=f"<p>{escape(summary)}</p><p>{escape(public_url(health.ref.url))}</p>",
        origin=Origin(
            name=name,
            feed=address(public_url(health.ref.url)),
            home=address(health.ref.home) if health.ref.home else None,
            updated=since,
        ),
    )


def _error(health: SourceHealth) -> str:
    if health.error is None:
        return ""
    return f"{heading(health.error.code)}: {heading(health.error.message).rstrip('.')}. "
