"""What is to be done about a source that is in trouble, by an operator or by nobody; and what is odd about one."""

from __future__ import annotations

from datetime import datetime, timedelta

from aggregator.model import SourceHealth
from aggregator.model.redact import public_url

STATES = {
    "new": "Not polled yet",
    "ok": "Fine",
    "quiet": "Quiet",
    "failing": "Failing",
    "gone": "Gone",
    "disabled": "Disabled",
}
#: what mends itself does so within this; later somebody should look
PATIENCE = timedelta(days=7)


#: by the first prefix of the error's code that fits
ADVICE = (
    ("http-401", "It asks for a password. Ask the publisher for an open feed, or remove the source."),
    ("http-403", "The server refuses us. See that [site] contact is a real address, then ask the publisher."),
    ("http-404", "The feed is no longer there. Run “aggregator add” with the site’s web page to find the new one."),
    ("http-410", "The publisher has ended this feed. Remove the source, or look for its successor."),
    ("challenge", "It stands behind a bot wall. Ask the publisher to let feed readers in, or remove the source."),
    ("http-429", "The server asks for fewer requests, and gets them."),
    ("http-5", "The server has a fault of its own. It is asked again, less and less often."),
    ("http-", "The server answers with an error. Open the address in a browser to see what it wants."),
    ("same-feed", "Remove one of the two from config.toml."),
    ("dns", "The name of the host cannot be found. Check the spelling; if it is right, the site may be gone."),
    ("blocked-address", "The address is on a private network. If that is wanted: [polling] allow_private_addresses."),
    ("blocked-port", "Check the port in its address."),
    ("bad-url", "This is not an address that can be asked. Check its spelling."),
    ("timeout", "The server is too slow to answer in time. It is asked again, less and less often."),
    ("connect", "The server does not take connections. If it lasts for days, the site may be gone."),
    ("tls", "The certificate of the server is not valid. Only its publisher can mend that."),
    ("cert", "The certificate of the server is not valid. Only its publisher can mend that."),
    ("crowded", "Too many sources at the same address are due at once. It is asked within minutes."),
    ("out-of-files", "This process may not open more files. Raise its limit (LimitNOFILE=)."),
    ("too-large", "Raise [polling] max_size if the feed is worth it."),
    ("redirect", "The server sends us in circles. Look for the feed’s present address."),
    ("bad-redirect", "The server redirects to something that cannot be fetched. Look for the feed’s present address."),
    ("not-a-feed", "Run “aggregator add” with its address: that finds the feeds of a page."),
    ("empty-body", "The server answers with nothing. What was collected stays; it is asked again."),
    ("parse", "The document takes too much time or memory to read. What was collected stays."),
    ("bad-json", "Its JSON is broken. Tell the publisher; what was collected stays."),
    ("protocol-error", "The server does not speak proper HTTP. It is asked again, less and less often."),
    ("bad-encoding", "The answer is compressed in a way that cannot be read. It is asked again, less and less often."),
    ("network", "This machine cannot reach its network. See whether others can."),
    ("internal-error", "A fault of this program: please report it, with the lines of the log around it."),
    ("xml", "The document contains something unsafe and was not read. Tell the publisher."),
)  # fmt: skip
DEFAULT_ADVICE = "What was collected stays; the source is asked again, less and less often."
#: what will not go away by itself
LASTING = frozenset(
    {
        *("http-401", "http-403", "http-404", "http-410", "http-", "same-feed", "blocked-address", "blocked-port"),
        *("bad-url", "too-large", "redirect", "bad-redirect", "not-a-feed", "challenge"),
    }
)

#: by a warning's code: what is odd about a source that works
REMARKS = {
    "redirected": "Its address redirects, for now as it says; that is followed each time.",
    "moved-permanently": "Its address says that it has moved for good. After a week of that the new one is asked.",
    "truncated": "The document was cut short. What came whole was taken, and it is asked for again.",
    "ill-formed": "The document is not well-formed XML. What could be told apart was taken.",
    "leading-junk": "Something stands before the document; most often it is the error message of a program.",
    "control-characters": "Characters that no feed may hold were taken out.",
    "bad-references": "References to characters that do not exist were taken out.",
    "bad-bytes": "Bytes that are no text in its encoding were replaced.",
    "encoding-overridden": "It is in another encoding than it says.",
    "item-cap": "It has more than 1,000 entries; the newest were taken.",
    "impossible-dates": "A date in it does not exist, such as 30 February; the days beyond the month were counted on.",
    "shrunk": "The document has suddenly lost nearly all of its entries. What was collected stays.",
    "duplicate-guids": "Several entries in it have one id; they are told apart by address and title.",
    "guids-changed": "Most of its entries came with new ids; they were recognised by address and title.",
    "unstable-ids": "Its ids change; items are recognised by address and title.",
}


def remarks(health: SourceHealth) -> tuple[tuple[str, str], ...]:
    """What is odd about a source: (stable code, sentence), each once."""
    codes = dict.fromkeys((*health.warnings, *(["unstable-ids"] if health.unstable_ids else [])))
    told = tuple((code, REMARKS.get(code, "")) for code in codes)
    if health.moved_to is None:
        return told
    return (("moved", f"It has moved for good, and is asked at {public_url(health.moved_to)} now."), *told)


def advice(code: str) -> str:
    """What an operator should do about an error."""
    return dict(ADVICE).get(_prefix(code), DEFAULT_ADVICE)


def needs_a_person(health: SourceHealth, now: datetime) -> bool:
    """Whether a source stays in trouble unless somebody does something."""
    if health.state == "gone":
        return True
    if health.state != "failing" or health.error is None:
        return False
    is_old = health.error_since is not None and now - health.error_since > PATIENCE
    return is_old or health.error.permanent or _prefix(health.error.code) in LASTING


def _prefix(code: str) -> str:
    return next((prefix for prefix, _ in ADVICE if code.startswith(prefix)), "")
