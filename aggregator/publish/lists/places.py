"""A place in the latest items, as it stands in an address: the pages of lists and feeds continue behind it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from aggregator.model import Item

#: the place behind which a page of the latest items continues: (published, id)
Before = tuple[datetime, str]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def place_of(item: Item) -> Before:
    """Where an item stands."""
    return item.published, item.id


def write_place(before: Before | None) -> str:
    """A place as text; "" for the beginning."""
    if before is None:
        return ""
    moment, item_id = before
    return f"{(moment - _EPOCH) // timedelta(milliseconds=1)}-{item_id}"


def read_place(text: str) -> Before | None:
    """The place that `write_place` wrote; None for anything else."""
    moment, _, item_id = text.partition("-")
    if not (moment.isdecimal() and moment.isascii() and len(moment) < 15 and item_id.isalnum()):
        return None
    return _EPOCH + timedelta(milliseconds=int(moment)), item_id
