"""Titles and descriptions of lists, and why an item stands in one, in the language of the site. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from aggregator.model import ItemList, duration
from aggregator.publish.messages import N_, Messages

_BASIS: Final = {
    "views": N_("Ordered by the number of different readers, each counted once a day, who opened each item %(time)s."),
    "signals": N_(
        "Nobody has opened an item %(time)s yet, so other signals stand in: how many publishers carry the story, "
        "links to it from other sources, and what the feeds themselves report."
    ),
    "mixed": N_(
        "Ordered by the number of different readers, each counted once a day, who opened each item %(time)s; behind "
        "those that were opened, other signals stand in: publishers carrying the story, links from other sources, "
        "what the feeds report."
    ),
}
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)


def within(title: str, section: str | None) -> str:
    """A list's title, with the section it is restricted to."""
    return f"{title} · {section}" if section else title


def in_window(window: str, say: Messages) -> str:
    """A window in words: ``1d`` → "in the last 24 hours", ``7d`` → "in the last 7 days". ValueError for no window."""
    length = duration(window)
    if length > _DAY and not length % _DAY:
        number, told = length // _DAY, say.ngettext("in the last day", "in the last %(num)s days", length // _DAY)
    elif not length % _HOUR:
        number, told = length // _HOUR, say.ngettext("in the last hour", "in the last %(num)s hours", length // _HOUR)
    else:
        number = round(length / timedelta(minutes=1))
        told = say.ngettext("in the last minute", "in the last %(num)s minutes", number)
    return told % {"num": number}


def most_viewed(window: str, say: Messages) -> str:
    """The title of a ranking over a window."""
    return say.gettext("Most viewed %(time)s") % {"time": in_window(window, say)}


def about_ranking(window: str, computed: ItemList | None, say: Messages) -> str:
    """One sentence for a ranking: by what count, over which time, and what stands in for it."""
    told = _BASIS[computed.basis if computed else "signals"]
    return say.gettext(told) % {"time": in_window(window, say)}


LATEST: Final = N_("Items by the time they were published, one for each article, whatever the number of sources.")
LATEST_OWN: Final = N_("The newest items; what is most like what you have opened through your own feeds stands first.")
RECOMMENDED: Final = N_(
    "Worth reading now: fresh items that are opened more than is usual for their source, that many publishers carry, "
    "or whose source posts rarely, on different subjects; nothing that stands in the ranking."
)
#: of a feed of the operator's own, whose readers may not see the ranking
RECOMMENDED_OWN: Final = N_(
    "Worth reading now: fresh items that are opened more than is usual for their source, that many publishers carry, "
    "or whose source posts rarely, on different subjects."
)
RELATED: Final = N_("Items on the same subject, most related first; not the item itself, its copies or its story.")
RELATED_OWN: Final = N_(
    "On the same subjects as the newest items that match, most related first; not those items themselves."
)
STORIES: Final = N_("Stories that several publishers carry, the most recently reported first.")
STORY: Final = N_("Who reports what of one story, newest first.")


# --- reasons: curation gives them in English, in the forms of `curate.explanations` -------------------------
_REASONS: Final = frozenset(
    {
        N_("pinned"),
        N_("rising"),
        N_("new"),
        N_("fresh"),
        N_("like what you read"),
        N_("few readers so far"),
        N_("more read than usual for its source"),
        N_("its source rarely posts"),
        N_("more read than most here"),
        N_("newer than most here"),
        N_("another subject"),
        N_("newest first"),
        N_("on the same subject"),
        N_("a report of the story"),
        N_("alike, if not on the same subject"),
        N_("contains all the words"),
    }
)
_COUNTED: Final[tuple[tuple[re.Pattern[str], Callable[[Messages, int], str]], ...]] = (
    (
        re.compile(r"([\d,]+) readers? (in the last .+)"),
        lambda say, n: say.ngettext("%(num)s reader %(time)s", "%(num)s readers %(time)s", n),
    ),
    (re.compile(r"([\d,]+) sources?"), lambda say, n: say.ngettext("%(num)s source", "%(num)s sources", n)),
    (
        re.compile(r"linked by ([\d,]+) sources?"),
        lambda say, n: say.ngettext("linked by %(num)s source", "linked by %(num)s sources", n),
    ),
    (re.compile(r"([\d,]+) likes?"), lambda say, n: say.ngettext("%(num)s like", "%(num)s likes", n)),
    (
        re.compile(r"([\d,]+) comments at its source"),
        lambda say, n: say.ngettext("%(num)s comment at its source", "%(num)s comments at its source", n),
    ),
    (
        re.compile(r"([\d,]+) votes at its source"),
        lambda say, n: say.ngettext("%(num)s vote at its source", "%(num)s votes at its source", n),
    ),
)
_LAST: Final = re.compile(r"in the last (?:(\d+) )?([dhm])\w+")


def reason(text: str, say: Messages) -> str:
    """Why an item stands in a list, translated; as it is where it has none of the known forms."""
    if type(say) is Messages:
        return text
    if text in _REASONS:
        return say.gettext(text)
    for form, told in _COUNTED:
        if match := form.fullmatch(text):
            number, *window = match.groups()
            count = int(number.replace(",", ""))
            return told(say, count) % {"num": count, "time": _last(window[0], say) if window else ""}
    return text


def _last(window: str, say: Messages) -> str:
    """``in the last 24 hours``, translated."""
    match = _LAST.fullmatch(window)
    return in_window(f"{match[1] or 1}{match[2]}", say) if match else window
