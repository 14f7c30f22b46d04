"""Atom, RSS and JSON Feed of the same lists: complete, valid, stable, and not to be spoilt by one bad item."""

from __future__ import annotations

import json
import locale
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_feedparser import parse
from publishing import NOON, SITE, make_item, source

from aggregator.model import Copy, Enclosure, Item
from aggregator.publish import feeds
from aggregator.publish.channel import ChannelEntry, authority, compose, slot_of, tag
from aggregator.publish.feeds import render_atom, render_json, render_rss
from aggregator.publish.listing import Listing, Place
from aggregator.publish.site import Site

ATOM = "{http://www.w3.org/2005/Atom}"
XML = pytest.mark.parametrize("render", [render_atom, render_rss], ids=["atom", "rss"])
Render = Callable[[Listing, Site], bytes]


def listing(*items: Item, kind: Any = "latest", path: str = "/feeds/latest", **changes: Any) -> Listing:
    places = tuple(Place(item=item) for item in items)
    values: dict[str, Any] = {"title": "Latest", "description": "By time.", "page": "/", "places": places}
    return Listing(kind=kind, path=path, **{**values, **changes})


@XML
def test_entries_arrive_in_order_with_everything_a_reader_shows(render: Render) -> None:
    items = [make_item(number) for number in (3, 1, 2)]
    parsed = parse(render(listing(*items), SITE))
    assert [entry.title for entry in parsed.entries] == ["Title 3", "Title 1", "Title 2"]
    entry = parsed.entries[0]
    assert entry.id == "tag:127.0.0.1,2026:8080/item/item3"
    assert entry.link == "http://127.0.0.1:8080/go/item3"
    assert entry.author == "A. Writer"
    assert entry.published_parsed[:5] == (2026, 11, 19, 11, 0)
    assert {term.term for term in entry.tags} == {"World", "politics"}
    assert "Summary <b>3</b>" in entry.content[0].value
    assert entry.source.title == "Source 1"
    assert parsed.feed.title == "Latest – The Test"
    assert parsed.feed.language == "en"


@XML
def test_same_data_same_bytes(render: Render) -> None:
    value = listing(make_item(1), make_item(2))
    assert render(value, SITE) == render(value, SITE)
    assert b"2026-11-23" not in render(value, SITE)


@XML
def test_an_empty_list_is_a_feed(render: Render) -> None:
    parsed = parse(render(listing(), SITE))
    assert parsed.entries == []
    assert parsed.feed.title == "Latest – The Test"


@XML
def test_the_feed_says_where_it_is_and_which_hub_knows_of_changes(render: Render) -> None:
    parsed = parse(render(listing(), replace(SITE, hub="https://hub.example/")))
    links = {(link.rel, link.href) for link in parsed.feed.links}
    suffix = "atom" if render is render_atom else "rss"
    assert ("self", f"http://127.0.0.1:8080/feeds/latest.{suffix}") in links
    assert ("hub", "https://hub.example/") in links
    assert parsed.feed.link == "http://127.0.0.1:8080/"


def test_links_of_an_atom_entry_keep_what_they_are_for() -> None:
    media = Enclosure(url="https://x.example/a.mp3", type="audio/mpeg", size_bytes=12)
    item = make_item(1, enclosures=(media,))
    place = Place(item=item, related=(make_item(2),))
    [entry] = parse(render_atom(listing(places=(place,)), SITE)).entries
    assert [(link.rel, link.href) for link in entry.links] == [
        ("alternate", "http://127.0.0.1:8080/go/item1"),
        ("via", "https://s2.example/article/1"),
        ("enclosure", "https://x.example/a.mp3"),
        ("related", "http://127.0.0.1:8080/go/item2"),
    ]
    assert entry.links[2].length == "12"
    assert entry.links[3].title == "Title 2"
    assert "<h4>Related</h4>" in entry.content[0].value


def test_at_most_ten_related_links_in_any_format() -> None:
    place = Place(item=make_item(1), related=tuple(make_item(number) for number in range(2, 20)))
    channel = compose(listing(places=(place,)), replace(SITE, related_size=18))
    assert len(channel.entries[0].related) == 10
    assert channel.entries[0].html.count("<li>") == 10


def test_rss_carries_media_and_the_author_without_an_address() -> None:
    media = Enclosure(url="https://x.example/a.mp3")
    document = render_rss(listing(make_item(1, enclosures=(media,), image_url="https://x.example/p.jpg")), SITE)
    item = ET.fromstring(document).find("channel/item")
    assert item is not None
    enclosure = item.find("enclosure")
    assert enclosure is not None
    assert enclosure.attrib == {
        "url": "https://x.example/a.mp3",
        "length": "0",
        "type": "audio/mpeg",
    }
    assert item.findtext("{http://purl.org/dc/elements/1.1/}creator") == "A. Writer"
    assert item.find("author") is None
    guid = item.find("guid")
    assert guid is not None
    assert guid.get("isPermaLink") == "false"
    thumbnail = item.find("{http://search.yahoo.com/mrss/}thumbnail")
    assert thumbnail is not None


def test_an_atom_entry_names_its_source() -> None:
    entry = ET.fromstring(render_atom(listing(make_item(1)), SITE)).find(f"{ATOM}entry")
    assert entry is not None
    origin = entry.find(f"{ATOM}source")
    assert origin is not None
    assert origin.findtext(f"{ATOM}id") == "https://s2.example/feed"
    assert origin.findtext(f"{ATOM}title") == "Source 2"
    assert origin.findtext(f"{ATOM}updated") == "2026-11-19T09:00:00+00:00"


def test_secrets_in_a_sources_address_are_not_published() -> None:
    secret = replace(source(1), url="https://user:word@s1.example/feed?token=abc")
    for render in (render_atom, render_rss, render_json):
        document = render(listing(make_item(1, source=secret)), SITE)
        assert b"word@" not in document
        assert b"abc" not in document


def test_ids_are_of_the_item_where_items_are_announced_and_of_list_and_item_where_they_are_ranked() -> None:
    item = make_item(1)
    latest = compose(listing(item), SITE)
    section = compose(listing(item, path="/section/world/latest"), SITE)
    ranking = compose(listing(item, kind="ranking", path="/feeds/ranking-1d"), SITE)
    recommended = compose(listing(item, kind="recommended", path="/feeds/recommended"), SITE)
    ids = [channel.entries[0].id for channel in (latest, section, ranking, recommended)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert ids[2] == "tag:127.0.0.1,2026:8080/feeds/ranking-1d/item/item1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://news.example", "tag:news.example,2026:item/1"),
        ("https://news.example:8443", "tag:news.example,2026:8443/item/1"),
        ("https://example.org/news", "tag:example.org,2026:news/item/1"),
        ("http://[::1]:8080", "tag:localhost,2026:8080/item/1"),
    ],
)
def test_tags_are_under_the_sites_own_authority(url: str, expected: str) -> None:
    assert tag(replace(SITE, url=url), "item/1") == expected


@pytest.mark.parametrize(
    ("entry_link", "url", "expected"),
    [
        ("go", "https://x.example/1", "http://127.0.0.1:8080/go/item1"),
        ("page", "https://x.example/1", "http://127.0.0.1:8080/item/item1"),
        ("source", "https://x.example/1", "https://x.example/1"),
        ("go", None, "http://127.0.0.1:8080/item/item1"),
        ("source", None, "http://127.0.0.1:8080/item/item1"),
    ],
)
def test_where_an_entry_leads(entry_link: Any, url: str | None, expected: str) -> None:
    channel = compose(listing(make_item(1, url=url)), replace(SITE, entry_link=entry_link))
    assert channel.entries[0].url == expected


def test_a_readers_own_feed_tells_that_they_opened_it() -> None:
    private = listing(make_item(1), kind="recommended", path="/r/tok/recommended", reader="tok")
    for entry_link in ("go", "source"):
        channel = compose(private, replace(SITE, entry_link=entry_link, hub="https://hub.example/"))
        assert channel.entries[0].url.endswith("/item1?r=tok")
        assert channel.hub == ""


def test_content_is_the_summary_or_the_whole_as_configured() -> None:
    def html(site: Site, **changes: Any) -> str:
        return compose(listing(make_item(1, **changes)), site).entries[0].html

    assert "Summary" in html(SITE)
    assert "All of 1" in html(replace(SITE, content="full"))
    assert "All of 1" in html(SITE, full_text=True)
    assert "<p>Summary 1</p>" in html(SITE, summary_html="")
    picture = '<p>a<img src="https://x.example/p.jpg"></p>'
    assert "<img" in html(SITE, summary_html=picture)
    assert "<img" not in html(replace(SITE, images="none"), summary_html=picture)
    assert html(SITE, language="ar").startswith('<div dir="rtl">')


def test_who_else_carries_it_stands_below_the_body_and_figures_do_not() -> None:
    item = make_item(1)
    other = Copy(
        source=source(7, "Other"),
        entry_id="x",
        title="Same",
        url="https://o.example/1",
        published=NOON,
        first_seen=NOON,
    )
    place = Place(item=replace(item, copies=(*item.copies, other)), reasons=("2 sources", "41 readers"), views=41)
    [entry] = compose(listing(places=(place,), kind="ranking"), SITE).entries
    assert "<p>Source 2</p>" in entry.html
    assert "41" not in entry.html, "readers that compare contents would show it as modified with every view"
    assert entry.reasons == ("2 sources", "41 readers")
    assert 'Also at: <a href="https://o.example/1">Other</a>' in entry.html
    assert entry.views == 41
    assert entry.sources == ("Source 2", "Other")


def test_dates_do_not_depend_on_the_locale_or_the_zone() -> None:
    import zoneinfo

    tokyo = zoneinfo.ZoneInfo("Asia/Tokyo")
    item = make_item(1, published=NOON.astimezone(tokyo), updated=(NOON + timedelta(microseconds=5)).astimezone(tokyo))
    before = locale.setlocale(locale.LC_ALL)
    assert b"<pubDate>Mon, 23 Nov 2026 12:00:00 +0000</pubDate>" in render_rss(listing(item), SITE)
    assert b"<updated>2026-11-23T12:00:00+00:00</updated>" in render_atom(listing(item), SITE)
    assert locale.setlocale(locale.LC_ALL) == before


def test_an_edit_shows_and_a_re_date_does_not_turn_time_around() -> None:
    edited = make_item(1, updated=NOON)
    [entry] = parse(render_atom(listing(edited), SITE)).entries
    assert entry.updated_parsed[:4] == (2026, 11, 23, 12)
    assert entry.published_parsed[:4] == (2026, 11, 19, 9)
    odd = make_item(1, published=NOON, updated=NOON - timedelta(days=1))
    assert compose(listing(odd), SITE).entries[0].updated == NOON


@XML
def test_one_bad_entry_is_left_out_and_named(render: Render, caplog: pytest.LogCaptureFixture) -> None:
    channel = compose(listing(make_item(1), make_item(2)), SITE)
    bad = replace(channel.entries[0], title="bell \x07")
    broken = replace(channel, slots=(slot_of(bad), *channel.slots[1:]))
    document = feeds.atom(broken) if render is render_atom else feeds.rss(broken)
    assert [entry.title for entry in parse(document).entries] == ["Title 2"]
    assert bad.id in str(caplog.records[0].__dict__["why"])


HOSTILE = st.one_of(
    st.text(st.integers(0, 0x10FFFF).map(chr), max_size=60),
    st.sampled_from(["", "]]>", "<script>", "&amp;&", "\x00\x0b", "\ud800", "\u202e\u2066", "\ufffe", "a" * 1_000_000]),
)


@settings(max_examples=60, deadline=None)
@given(text=HOSTILE)
def test_no_text_spoils_a_feed(text: str) -> None:
    hostile = make_item(
        1,
        title=text,
        author=text,
        summary_html=text,
        text=text,
        categories=(text,),
        source=replace(source(1), name=text),
        url=f"https://x.example/{text[:50]}",
    )
    value = listing(hostile, make_item(2), title=text)
    site = replace(SITE, title=text)
    assert len(ET.fromstring(render_atom(value, site)).findall(f"{ATOM}entry")) == 2
    assert len(ET.fromstring(render_rss(value, site)).findall("channel/item")) == 2
    assert len(json.loads(render_json(value, site))["items"]) == 2


def test_a_json_feed_holds_what_the_others_hold() -> None:
    media = Enclosure(url="https://x.example/a.mp3", type="audio/mpeg", size_bytes=12)
    item = make_item(1, enclosures=(media,), image_url="https://x.example/p.jpg")
    place = Place(item=item, views=3, reasons=("3 readers",), related=(make_item(2),))
    value = listing(kind="ranking", path="/feeds/ranking-1d", window="1d", basis="views", places=(place,))
    feed = json.loads(render_json(value, replace(SITE, hub="https://hub.example/")))
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["feed_url"] == "http://127.0.0.1:8080/feeds/ranking-1d.json"
    assert feed["hubs"] == [{"type": "WebSub", "url": "https://hub.example/"}]
    assert feed["_aggregator"] == {"kind": "ranking", "window": "1d", "basis": "views", "complete": True}
    [entry] = feed["items"]
    assert entry["id"] == "tag:127.0.0.1,2026:8080/feeds/ranking-1d/item/item1"
    assert entry["url"] == "http://127.0.0.1:8080/go/item1"
    assert entry["external_url"] == "https://s2.example/article/1"
    assert entry["date_published"] == "2026-11-19T09:00:00+00:00"
    assert entry["authors"] == [{"name": "A. Writer"}]
    assert entry["attachments"] == [{"url": "https://x.example/a.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 12}]
    assert entry["_aggregator"]["views"] == 3
    assert entry["_aggregator"]["related"] == [{"url": "http://127.0.0.1:8080/go/item2", "title": "Title 2"}]


def test_a_search_feed_has_its_words_in_its_address() -> None:
    value = listing(kind="search", path="/search", query="q=a%26b")
    assert json.loads(render_json(value, SITE))["feed_url"] == "http://127.0.0.1:8080/search.json?q=a%26b"
    assert b'href="http://127.0.0.1:8080/search.atom?q=a%26b"' in render_atom(value, SITE)


def test_an_entry_of_nothing_but_a_title_is_valid() -> None:
    bare = ChannelEntry(
        id="tag:x,2026:1",
        title="Only a title",
        url="https://x.example/",
        original=None,
        published=NOON,
        updated=NOON,
        author=None,
        categories=(),
        language=None,
        summary="",
        html="",
    )
    channel = replace(compose(listing(), SITE), slots=(slot_of(bare),))
    assert parse(feeds.atom(channel)).entries[0].title == "Only a title"
    assert parse(feeds.rss(channel)).entries[0].title == "Only a title"


@pytest.mark.parametrize("kind", ["latest", "related", "search"])
def test_every_entry_says_why_it_is_there_even_where_its_place_does_not(kind: str) -> None:
    (entry,) = compose(listing(make_item(1), kind=kind), SITE).entries
    assert entry.reasons
    assert (
        f"<agg:reason>{entry.reasons[0]}</agg:reason>" in render_atom(listing(make_item(1), kind=kind), SITE).decode()
    )


def test_figures_change_nothing_that_readers_compare() -> None:
    def shown(views: int) -> list[Any]:
        places = tuple(
            Place(item=make_item(number, views=views), views=views, reasons=(f"{views} readers today",))
            for number in (1, 2)
        )
        atom = parse(render_atom(listing(places=places, kind="ranking"), SITE)).entries
        rss = parse(render_rss(listing(places=places, kind="ranking"), SITE)).entries
        found: list[Any] = [(e.id, e.title, e.updated, e.content[0].value, e.summary) for e in atom]
        found += [(e.id, e.title, e.published, e.description, e.link) for e in rss]
        items = json.loads(render_json(listing(places=places, kind="ranking"), SITE))["items"]
        found += [(e["id"], e["title"], e["date_modified"], e["content_html"], e.get("summary", "")) for e in items]
        return found

    assert shown(4) == shown(5)
    counted = listing(places=(Place(item=make_item(1), views=5),), kind="ranking")
    assert b"<agg:views>5</agg:views>" in render_atom(counted, SITE)


EPISODE = Enclosure(url="https://pod.example/7.mp3?x=1", type="", size_bytes=1234, duration_s=1801, season=2, episode=7)
TRANSCRIPT = Enclosure(url="https://pod.example/7.pdf", type="application/octet-stream")


def test_podcasts_come_out_as_they_came_in() -> None:
    item = make_item(1, enclosures=(EPISODE, TRANSCRIPT), image_url="https://pod.example/cover.jpg")
    rss, atom = render_rss(listing(item), SITE), render_atom(listing(item), SITE)
    for document in (rss, atom):
        for element in (
            b"<itunes:duration>1801</itunes:duration>",
            b"<itunes:season>2</itunes:season>",
            b"<itunes:episode>7</itunes:episode>",
            b'<itunes:image href="https://pod.example/cover.jpg"/>',
        ):
            assert element in document
    assert b'<enclosure url="https://pod.example/7.mp3?x=1" length="1234" type="audio/mpeg"/>' in rss
    assert b'<media:content url="https://pod.example/7.pdf" type="application/pdf"/>' in rss
    [entry] = parse(atom).entries
    assert [(part.href, part.type) for part in entry.enclosures] == [
        ("https://pod.example/7.mp3?x=1", "audio/mpeg"),
        ("https://pod.example/7.pdf", "application/pdf"),
    ]
    [told] = json.loads(render_json(listing(item), SITE))["items"]
    assert told["attachments"][0]["duration_in_seconds"] == 1801
    assert len(told["attachments"]) == 2
    assert (told["_aggregator"]["season"], told["_aggregator"]["episode"]) == (2, 7)


def test_plain_text_keeps_its_lines_and_its_links() -> None:
    text = "First line\nsecond <line>\n\nSee https://x.example/a?b=1&c=(d). Bye"
    item = make_item(1, summary_html="", content_html="", text=text)
    [entry] = compose(listing(item), SITE).entries
    assert entry.html.startswith(
        "<p>First line<br>second &lt;line&gt;</p>"
        '<p>See <a href="https://x.example/a?b=1&amp;c=(d)">https://x.example/a?b=1&amp;c=(d)</a>. Bye</p>'
    )


def test_what_is_related_and_what_is_alike_are_told_apart() -> None:
    places = (Place(item=make_item(1), tier="related"), Place(item=make_item(2), tier="more"))
    related = listing(places=places, kind="related")
    items = json.loads(render_json(related, SITE))["items"]
    assert [item["_aggregator"]["tier"] for item in items] == ["related", "more"]
    names = [{tag.term for tag in entry.tags} for entry in parse(render_atom(related, SITE)).entries]
    assert [found & {"related", "more"} for found in names] == [{"related"}, {"more"}]


def test_a_site_that_moves_keeps_its_ids() -> None:
    here = replace(SITE, id=authority(SITE.url))
    there = replace(here, url="https://elsewhere.example/news")
    for kind in ("latest", "ranking", "related"):
        now, then = (compose(listing(make_item(1), kind=kind), site) for site in (here, there))
        assert (now.id, now.entries[0].id) == (then.id, then.entries[0].id)
        assert now.entries[0].url != then.entries[0].url


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "file:///etc/passwd"]
)
def test_no_entry_leads_anywhere_but_to_the_web(url: str) -> None:
    for link in ("go", "page", "source"):
        site = replace(SITE, entry_link=link)
        for render in (render_atom, render_rss, render_json):
            assert url.encode() not in render(listing(make_item(1, url=url)), site)


def test_entries_of_one_second_have_times_of_their_own_that_stay() -> None:
    items = [make_item(number, updated=NOON) for number in range(1, 40)]

    def times(*shown: Item) -> dict[str | None, str | None]:
        entries = ET.fromstring(render_atom(listing(*shown), SITE)).iter(f"{ATOM}entry")
        return {entry.findtext(f"{ATOM}id"): entry.findtext(f"{ATOM}updated") for entry in entries}

    whole = times(*items)
    assert len(set(whole.values())) == len(items)
    assert {moment[:19] for moment in whole.values() if moment} == {NOON.isoformat()[:19]}
    assert times(*reversed(items[5:9])).items() <= whole.items()
