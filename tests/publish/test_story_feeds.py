"""Stories as feeds: an entry is updated and not new, and ids stay apart from those of other feeds."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from plain_feedparser import parse
from publishing import NOON, SITE, MemoryStore, make_item, source
from test_validity import check_atom, check_json, check_rss
from test_web import running

from aggregator.model import Item, OwnFeed
from aggregator.publish import feeds
from aggregator.publish.channel import Channel, compose
from aggregator.publish.lists import Lists
from aggregator.publish.pages import Pages, feed_links


def report(number: int) -> Item:
    item = make_item(number, story="item1", source=source(number, f"Paper {number}"))
    then = NOON + timedelta(hours=number)
    return replace(item, published=then, first_seen=then, updated=then)


def channel(kind: str, *numbers: int) -> Channel:
    lists = Lists(MemoryStore([*map(report, numbers), make_item(5)]).store(), SITE)
    return compose(lists.stories() if kind == "stories" else lists.story("item1"), SITE)


def test_a_story_that_another_publisher_takes_up_is_updated_and_not_new() -> None:
    before, after = (parse(feeds.atom(channel("stories", *numbers))).entries for numbers in ((1, 2), (1, 2, 3)))
    assert len(before) == len(after) == 1, "what one publisher carries is no story"
    assert (before[0].id, before[0].published) == (after[0].id, after[0].published)
    assert before[0].updated < after[0].updated
    assert after[0].link == f"{SITE.url}/story/item1"


def test_a_feed_of_one_story_does_not_take_the_items_from_others() -> None:
    reports = channel("story", 1, 2)
    assert [entry.title for entry in reports.entries] == ["Title 2", "Title 1"]
    lists = Lists(MemoryStore([report(1), report(2)]).store(), SITE)
    latest = compose(lists.latest(), SITE)
    assert not {entry.id for entry in reports.entries} & {entry.id for entry in latest.entries}


@pytest.mark.parametrize("kind", ["stories", "story"])
def test_they_keep_the_rules_of_their_formats(kind: str) -> None:
    check_atom(feeds.atom(channel(kind, 1, 2)), len(channel(kind, 1, 2).slots))
    check_rss(feeds.rss(channel(kind, 1, 2)), len(channel(kind, 1, 2).slots))
    check_json(feeds.json_feed(channel(kind, 1, 2)), len(channel(kind, 1, 2).slots))


@pytest.mark.parametrize("section", ["World", "Науч <b>", "日本"])
def test_opml_offers_what_the_page_offers_once_and_in_one_spelling(tmp_path: Path, section: str) -> None:
    site = replace(SITE, sections=(section,), feeds=(OwnFeed(name="own", title="Own"),))

    async def run() -> None:
        async with running(tmp_path, MemoryStore([make_item(1, section=section)]), site=site) as client:
            _, opml = await client.get("/feeds.opml")
            _, page = await client.get("/feeds")
            addresses = [row.get("xmlUrl", "") for row in ET.fromstring(opml).iter("outline") if row.get("xmlUrl")]
            assert len(addresses) == len(set(addresses))
            assert all(address.isascii() for address in addresses)
            assert len(addresses) == sum(len(group.feeds) for group in feed_links.groups(site, Pages(site).words, ()))
            for address in addresses:
                path = address.removeprefix(site.url)
                assert f'{path}"'.encode() in page, path
                response, body = await client.get(f"{path.removesuffix('.atom')}.json")
                assert response.status == 200, path
                assert json.loads(body)["feed_url"].replace(".json", ".atom") == address, "as the feed calls itself"

    asyncio.run(run())
