"""Texts of error pages: what happened, and what to do now."""

from __future__ import annotations

from difflib import get_close_matches
from http import HTTPStatus

from aggregator.model.slug import slugify
from aggregator.publish.messages import N_
from aggregator.publish.pages.wording import Wording
from aggregator.publish.site import Site

TEXTS = {
    400: (N_("This request cannot be understood"), N_("Something in the address is not what it should be.")),
    401: (N_("This site is private"), N_("Open it with the address that holds your token.")),
    403: (
        N_("Not allowed from here"),
        N_("This can only be done from a page of this site. Go back to the item and try again."),
    ),
    404: (
        N_("There is no such page"),
        N_("The address may be mistyped. The search finds every item that is kept."),
    ),
    408: (N_("This took too long"), N_("The request did not arrive in time. Try again.")),
    413: (N_("This is too large"), N_("What was sent is larger than what is taken here.")),
    405: (N_("This cannot be done here"), N_("The address exists, but it can only be read.")),
    410: (
        N_("This item has been removed"),
        N_("Items are kept for a while and then removed. A search may find newer ones."),
    ),
    429: (
        N_("Too many at once"),
        N_("Your network has sent more than is counted in a day. Reading goes on as before."),
    ),
    500: (N_("Something broke on our side"), N_("It has been logged. Trying again in a minute often helps.")),
    503: (N_("One moment, please"), N_("The site is starting or busy. Trying again in a minute helps.")),
}


#: what a missing address named, by its first part
MISSING = {
    "section": N_("There is no section “%(name)s”"),
    "source": N_("There is no source “%(name)s”"),
    "story": N_("There is no such story"),
    "item": N_("There is no such item"),
    "ranking": N_("There is no ranking over this time"),
    "feeds": N_("There is no such feed"),
    "r": N_("There is no reader with this address"),
}


def explain(status: int, words: Wording, *, path: str = "") -> tuple[str, str]:
    """A heading and one or two sentences for an HTTP status, of 404 for the kind of thing that `path` named."""
    if status not in TEXTS:
        return words.gettext("Something went wrong"), ""
    title, text = map(words.gettext, TEXTS[status])
    kind, _, rest = path.strip("/").partition("/")
    if status == HTTPStatus.NOT_FOUND and kind in MISSING and rest:
        title = words.gettext(MISSING[kind]) % {"name": rest.partition("/")[0]}
    return title, text


def nearest(path: str, site: Site) -> tuple[str, str] | None:
    """(name, address) of the section whose address is most like `path`; None: nothing is close."""
    kind, _, rest = path.strip("/").partition("/")
    known = {slugify(name): name for name in site.sections}
    close = get_close_matches(rest.partition("/")[0], known, n=1, cutoff=0.6) if kind == "section" else []
    return (known[close[0]], f"/section/{close[0]}") if close else None
