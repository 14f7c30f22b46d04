"""What is followed: the ``[[sources]]`` of the configuration and the feeds of its ``[[subscriptions]]``.

Lists are kept beside the store, so that they are followed from the start and through failures. The configuration is
never written to.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aggregator.assemble import state_dir
from aggregator.config import Settings, comparable, http_url
from aggregator.model import Subscription

if TYPE_CHECKING:
    from aggregator.collect.feed_lists import FeedList, ListedFeed
    from aggregator.collect.fetch import SupportsGet
    from aggregator.config.tables import SubscriptionTable

__all__ = ["feed_lists", "followed", "is_followable", "lists_folder", "refresh_feed_lists", "sections"]


def followed(settings: Settings) -> tuple[Subscription, ...]:
    """All sources, and what the lists named last.

    A feed that stands in both is what ``[[sources]]`` says; one that stands in two lists belongs to the first.
    """
    found = list(settings.followed())
    seen = {comparable(one.url) for one in found}
    for table, kept in feed_lists(settings):
        for feed in kept.feeds if table.enabled else ():
            if is_followable(feed) and comparable(feed.url) not in seen:
                seen.add(comparable(feed.url))
                section = table.section or feed.section or "News"
                found.append(Subscription(url=feed.url, section=section, name=feed.title or None))
    return tuple(found)


def is_followable(feed: ListedFeed) -> bool:
    """Whether a list names a feed by an address that can be followed."""
    try:
        http_url(feed.url)
    except ValueError:
        return False
    return True


def sections(settings: Settings) -> tuple[str, ...]:
    """The sections of the configuration, then those that only lists name."""
    listed = [name for one in followed(settings) for name in one.sections] if settings.subscriptions else []
    return tuple(dict.fromkeys((*settings.sections, *listed)))


def feed_lists(settings: Settings) -> Iterator[tuple[SubscriptionTable, FeedList]]:
    """Each of the ``[[subscriptions]]``, and what is kept of its list."""
    from aggregator.collect import feed_lists

    for table in settings.subscriptions:
        yield table, feed_lists.load(lists_folder(settings), table.opml)


async def refresh_feed_lists(settings: Settings, fetcher: SupportsGet, clock: Callable[[], datetime]) -> bool:
    """Requests the lists that are due; whether one of them names other feeds now. Raises OSError."""
    from aggregator.collect import feed_lists as lists
    from aggregator.publish import opml

    def read(document: bytes) -> list[lists.ListedFeed]:
        return [
            lists.ListedFeed(url=one.url, title=one.title, section=one.section) for one in opml.parse(document).feeds
        ]

    changed = False
    for table, kept in list(feed_lists(settings)):
        if table.enabled and kept.is_due(clock()):
            new = await lists.refresh(kept, fetcher, read, now=clock(), jitter=random.random())  # noqa: S311 - no secret
            await asyncio.to_thread(lists.save, lists_folder(settings), new)
            changed |= new.feeds != kept.feeds
    return changed


def lists_folder(settings: Settings) -> Path:
    """Where lists are kept, a file each."""
    return state_dir(settings) / "subscriptions"
