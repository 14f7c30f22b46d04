"""What an error page says: what happened, and what to do now."""

from __future__ import annotations

from http import HTTPStatus

WORDS = {
    400: ("That request makes no sense here", "Something in the address is not what it should be."),
    403: ("Not from here", "This can only be done from a page of this site. Go back to the item and try again."),
    404: ("There is no such page", "The address may be mistyped. The search finds every item that is kept."),
    405: ("That cannot be done here", "The address exists, but it only answers to reading."),
    410: ("This item has been removed", "Items are kept for a while and then let go. Search may find newer ones."),
    429: ("Too many at once", "Your network has sent more than we count in a day. Reading goes on as before."),
    500: ("Something broke on our side", "It has been written down. Trying again in a minute often helps."),
    503: ("One moment, please", "The site is starting or busy. Trying again in a minute helps."),
}


def explain(status: int) -> tuple[str, str]:
    """A heading and one or two sentences for an HTTP status."""
    if status in WORDS:
        return WORDS[status]
    try:
        return HTTPStatus(status).phrase, ""
    except ValueError:
        return "Something went wrong", ""
