"""Pages, from values to HTML."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from itertools import pairwise

import page_samples as samples
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.model import Item
from aggregator.publish.listing import Listing, Place
from aggregator.publish.pages import Banner, Frame, Pages
from aggregator.publish.pages import article as article_page
from aggregator.publish.pages.search_page import SearchRequest
from aggregator.publish.site import Site

VOID = {"meta", "link", "img", "input", "br", "hr", "path", "line", "circle", "rect"}
PAGES = Pages(samples.SITE)
FRAME = Frame(now=samples.NOW, updated=samples.NOW - timedelta(minutes=3), languages=("en", "ar"))


class Read(HTMLParser):
    """Reads a page strictly: every element is closed, in order, and remembered with its attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"attribute twice in <{tag}>: {names}"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def links(self) -> list[str]:
        return [attributes["href"] for attributes in self.all("a") + self.all("link")]


STORY = (samples.item(0), samples.item(9), samples.item(12), samples.item(16))


def article(number: int = 0, pages: Pages = PAGES, *, story: Sequence[Item] = STORY, **changes: object) -> str:
    values: dict[str, object] = {
        "item": replace(samples.item(number), **changes),  # type: ignore[arg-type]
        "story": story,
        "related": samples.RELATED,
        "ranking": samples.RANKING,
        "recommended": samples.RECOMMENDED,
    }
    return pages.article(FRAME, **values).html  # type: ignore[arg-type]


def front(pages: Pages = PAGES, frame: Frame = FRAME, **changes: object) -> str:
    values: dict[str, object] = {
        "latest": samples.LATEST,
        "ranking": samples.RANKING,
        "recommended": samples.RECOMMENDED,
        "sections": samples.SECTION_LISTS,
        "covered": samples.COVERED,
        "activity": samples.ACTIVITY,
        "sources": 8,
    }
    return pages.front(frame, **(values | changes)).html  # type: ignore[arg-type]


def search(words: str, pages: Pages = PAGES, results: Listing | None = None, **filters: str) -> str:
    asked = SearchRequest(words=words, **filters)
    counts = samples.HITS if results and results.places else None
    return pages.search(FRAME, asked=asked, results=results, counts=counts, sources=samples.SOURCES).html


FOUND = replace(samples.LATEST, kind="search", path="/search", query="q=a%26b", page="/search?q=a%26b")
EVERY: dict[str, Callable[[Pages], str]] = {
    "front": front,
    "front in one language": lambda pages: front(pages, replace(FRAME, language="ar")),
    "latest": lambda pages: pages.latest(
        FRAME, latest=samples.LATEST, ranking=samples.RANKING, activity=samples.ACTIVITY
    ).html,
    "section": lambda pages: pages.section(
        FRAME, name="World", latest=samples.LATEST, ranking=samples.RANKING, recommended=samples.RECOMMENDED,
        activity=samples.ACTIVITY, sources=samples.SOURCES,
    ).html,
    "ranking": lambda pages: pages.ranking(FRAME, listing=samples.MOVED, by_section={"World": 12}).html,
    "ranking of a section": lambda pages: pages.ranking(FRAME, listing=samples.RANKING, section="World").html,
    "story": lambda pages: pages.story(FRAME, story=samples.STORY, related=samples.RELATED.places).html,
    "source": lambda pages: pages.source(
        FRAME, health=samples.health(0), latest=samples.LATEST, ranking=samples.RANKING
    ).html,
    "sources": lambda pages: pages.sources(FRAME, sources=samples.HEALTHS, activity=samples.ACTIVITY).html,
    "search": lambda pages: search('strait "<the>"', pages, FOUND, section="world", order="rank"),
    "search, not asked": lambda pages: search("", pages),
    "search, nothing": lambda pages: search("x", pages, replace(FOUND, places=())),
    "article": lambda pages: article(0, pages, enclosures=(samples.PODCAST,), image_url="https://s1.example/a.jpg"),
    "article in Arabic": lambda pages: article(5, pages),
    "article with an odd title": lambda pages: article(14, pages, url=None, author=None),
    "listing": lambda pages: pages.listing(FRAME, samples.RANKING).html,
    "listing by time": lambda pages: pages.listing(FRAME, samples.LATEST).html,
    "feeds": lambda pages: pages.feeds(FRAME, sources=samples.HEALTHS).html,
    "status": lambda pages: pages.status(FRAME, sources=samples.HEALTHS, activity=samples.ACTIVITY).html,
    "status of many": lambda pages: pages.status(FRAME, sources=samples.many(300), pushes=samples.PUSHES).html,
    "status of a fleet": lambda pages: pages.status(
        FRAME, sources=samples.HEALTHS[:3], activity=samples.ACTIVITY, processes=samples.PROCESSES
    ).html,
    "about": lambda pages: pages.about(FRAME, stats=samples.STATS, ranking=samples.RANKING, sources=8).html,
    "error": lambda pages: pages.error(FRAME, 404, path="/section/wrold").html,
    "empty": lambda pages: front(
        pages,
        replace(FRAME, updated=None, banners=(Banner(title="A notice.", text="3 of 22.", calm=True),)),
        latest=replace(samples.LATEST, places=()),
        ranking=replace(samples.RANKING, places=(), basis="signals"),
        recommended=replace(samples.RECOMMENDED, places=()),
        sections=(), covered=(), activity=None,
    ),
}  # fmt: skip


@pytest.fixture(params=EVERY, ids=list(EVERY))
def page(request: pytest.FixtureRequest) -> str:
    return EVERY[request.param](PAGES)


def test_of_one_sources_reports_of_a_story_a_few_are_shown_and_where_the_others_are() -> None:
    own = [replace(samples.item(0), id=f"own{n}", title=f"Own {n}") for n in range(9)]
    for others, told in (([], 1), ([samples.item(9)], 1)):
        page = article(0, story=[samples.item(0), *own, *others])
        shown = page.partition('aria-labelledby="same"')[2].partition("</section>")[0]
        assert shown.count("<li") == 4
        assert page.count("The story hour by hour") == told
    assert "The story hour by hour" not in article(0, story=[samples.item(0), *own[:4]])


def test_every_page_is_well_formed_and_needs_no_script(page: str) -> None:
    read = Read(page)
    assert page.startswith("<!doctype html>")
    assert [script for script in read.all("script") if script != {"type": "application/ld+json"}] == []
    assert not read.all("style")
    assert not [name for _, attributes in read.elements for name in attributes if name == "style" or name[:2] == "on"]
    assert len(read.all("h1")) == len(read.all("main")) == 1
    assert len(read.all("title")) == 1
    assert all("aria-label" in svg or svg.get("aria-hidden") for svg in read.all("svg")), (
        "drawings have names or are none"
    )
    ids = Counter(attributes["id"] for _, attributes in read.elements if "id" in attributes)
    assert not [name for name, count in ids.items() if count > 1]
    labels = {attributes["aria-labelledby"] for _, attributes in read.elements if "aria-labelledby" in attributes}
    assert labels <= set(ids)


def test_headings_go_down_one_step_at_a_time(page: str) -> None:
    levels = [int(tag[1]) for tag, _ in Read(page).elements if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_nothing_comes_from_elsewhere_but_pictures(page: str) -> None:
    read = Read(page)
    sheets = {attributes["href"] for attributes in read.all("link") if attributes["rel"] == "stylesheet"}
    assert "/theme.css" in sheets
    assert sheets - {"/theme.css"} <= set(PAGES.assets)
    assert {"name": "referrer", "content": "same-origin"} in read.all("meta"), "pictures' servers are not told where"
    assert not read.all("iframe")


def test_texts_from_outside_stay_text(page: str) -> None:
    assert "alert(1)</script>" not in page
    assert "<the>" not in page


def test_same_values_same_bytes() -> None:
    assert [make(Pages(samples.SITE)) for make in EVERY.values()] == [make(PAGES) for make in EVERY.values()]


def test_the_article_has_every_block_of_the_model_page() -> None:
    page = article()
    read = Read(page)
    title = "Fishing fleets return as the strait reopens after eleven weeks"
    assert "Current: Home > World" in read.text
    assert f"<title>{title} - The Daily Aggregate</title>" in page
    assert re.search(rf"<h1[^>]*>{title}</h1>", page)
    assert "View 1284" in read.text
    assert "Date: 2026-03-14 09:14:53" in read.text
    assert "by Mara Lindqvist" in read.text
    assert "The first trawlers passed the lighthouse" in read.text
    assert {"/source/source-1", "/go/k0000"} <= set(read.links())
    assert "veryGood! (5824)" in read.text
    assert {"method": "post", "action": "/item/k0000/like"} in read.all("form")
    assert "Also at: Nordlicht, Signal & Noise" in read.text
    for heading in ("Also covered by", "Related", "Ranking", "Recommendation"):
        assert re.search(rf"<h2[^>]*>(<a [^>]*>)?{heading}(</a>)?</h2>", page), heading


def ids(part: str) -> list[str]:
    """The items that titles in a part of a page lead to."""
    return re.findall(r'<h[34]><a href="/item/(\w+)"', part)


def test_the_lists_of_an_article_are_complete_and_no_story_stands_twice() -> None:
    recommended = replace(samples.RECOMMENDED, places=(*samples.RECOMMENDED.places, Place(item=samples.item(20))))
    ranking = replace(samples.RANKING, places=samples.listing("ranking", range(3, 30)).places)
    made = PAGES.article(
        FRAME, item=samples.item(0), story=[], related=samples.RELATED, ranking=ranking, recommended=recommended
    ).html
    related, rest = made.split('id="related"')[1].split('id="ranking"')
    ranked, advised = rest.split('id="recommendation"')
    assert ids(related) == [place.item.id for place in samples.RELATED.places]
    assert ids(ranked) == ["k0003", "k0004", "k0015", "k0016", "k0017", "k0018", "k0019", "k0020"]
    assert re.findall(r'<li value="(\d+)"', ranked)[0] == "13", "with the places that they have in the ranking"
    assert ids(advised) == ["k0002", "k0001"], "what is left of what is worth reading"
    assert "readers in 24 hours" in ranked
    found = ids(made)
    assert len(found) == len(set(found))


def test_a_short_ranking_is_shown_whole_beside_an_article() -> None:
    ranked = article().split('id="ranking"')[1].split('id="recommendation"')[0]
    assert ids(ranked) == [place.item.id for place in samples.RANKING.places]


def test_the_first_recommendation_has_picture_and_lead() -> None:
    pictured = Place(item=replace(samples.item(21), image_url="https://s4.example/bee.jpg"))
    recommended = replace(samples.RECOMMENDED, places=(*samples.RECOMMENDED.places, pictured))
    page = PAGES.article(
        FRAME, item=samples.item(0), story=[], related=samples.RELATED, ranking=samples.RANKING, recommended=recommended
    ).html
    featured = page.split('<article class="card featured">')[1].split("</article>")[0]
    assert 'src="https://s4.example/bee.jpg"' in featured
    assert 'class="lede"' in featured
    assert page.count('class="pic"') == 1


def test_an_item_is_not_recommended_on_its_own_page() -> None:
    first = samples.RECOMMENDED.places[0].item
    page = PAGES.article(
        FRAME, item=first, story=[], related=samples.RELATED, ranking=samples.RANKING, recommended=samples.RECOMMENDED
    ).html
    assert first.id not in ids(page)
    assert first.id in ids(front())


def test_a_ranking_leaves_a_small_section_and_a_small_source_something_to_show() -> None:
    few = [Place(item=samples.item(number)) for number in range(4)]
    latest, ranking = replace(samples.LATEST, places=tuple(few)), replace(samples.RANKING, places=tuple(few[::-1]))
    none = replace(samples.RECOMMENDED, places=())
    pages = (
        PAGES.section(FRAME, name="World", latest=latest, ranking=ranking, recommended=none).html,
        PAGES.source(FRAME, health=samples.health(0), latest=latest, ranking=ranking).html,
        PAGES.latest(FRAME, latest=latest, ranking=ranking, activity=samples.ACTIVITY).html,
    )
    for page in pages:
        linked = re.findall(r'href="/item/(\w+)"', page)
        assert sorted(linked) == ["k0000", "k0001", "k0002", "k0003"], "each once"
        assert ids(page.split('id="ranking"')[1].split("</section>")[0]) == ["k0003", "k0002"]
    one, ranked = replace(latest, places=tuple(few[:1])), replace(ranking, places=tuple(few[:1]))
    page = PAGES.section(FRAME, name="World", latest=one, ranking=ranked, recommended=none).html
    assert re.findall(r'href="/item/(\w+)"', page) == ["k0000"]
    assert "Nothing yet" not in page
    assert "Nobody has read" not in page


def test_what_related_items_leave_empty_is_filled_and_said_to_be_of_the_section() -> None:
    few = replace(samples.RELATED, places=samples.RELATED.places[:2])
    more = [Place(item=samples.item(number)) for number in range(20, 40)]
    page = PAGES.article(
        FRAME, item=samples.item(0), story=[], related=few, ranking=samples.RANKING,
        recommended=samples.RECOMMENDED, fallback=more,
    ).html  # fmt: skip
    related = page.split('id="related"')[1].split("</section>")[0]
    near, far = related.split("More in World")
    assert ids(near) == ["k0005", "k0006"]
    assert len(ids(far)) == 8
    tier = replace(few, places=(*few.places, *(replace(place, tier="more") for place in more[:3])))
    page = PAGES.article(
        FRAME, item=samples.item(0), story=[], related=tier, ranking=samples.RANKING,
        recommended=samples.RECOMMENDED, fallback=more,
    ).html  # fmt: skip
    assert len(ids(page.split("Loosely related")[1].split("</section>")[0])) == 3


def test_a_section_that_is_all_shown_above_does_not_say_that_nothing_is_there() -> None:
    few = tuple(Place(item=samples.item(number)) for number in range(3))
    latest, ranking = replace(samples.LATEST, places=few), replace(samples.RANKING, places=few[:1])
    advised, none = replace(samples.RECOMMENDED, places=few[1:]), replace(samples.RECOMMENDED, places=())
    page = PAGES.section(FRAME, name="World", latest=latest, ranking=ranking, recommended=advised).html
    assert sorted(re.findall(r'href="/item/(\w+)"', page)) == ["k0000", "k0001", "k0002"]
    assert "Nothing yet" not in page
    empty = (replace(latest, places=()), replace(ranking, places=()))
    assert "Nothing yet" in PAGES.section(FRAME, name="World", latest=empty[0], ranking=empty[1], recommended=none).html


def test_a_story_tells_what_is_loosely_related_from_what_is_related() -> None:
    near, far = samples.RELATED.places[0], replace(samples.RELATED.places[1], tier="more")
    both, alone = (PAGES.story(FRAME, story=samples.STORY, related=places).html for places in ([near, far], [far]))
    close, loose = both.split('id="related"')[1].split("</section>")[0].split("Loosely related")
    assert (ids(close), ids(loose)) == ([near.item.id], [far.item.id])
    assert "close enough" not in both
    assert "close enough" in alone.split('id="related"')[1].split("Loosely related")[0]


def test_only_other_publishers_also_cover_a_story() -> None:
    own = replace(samples.item(8), id="own")
    twice = replace(samples.item(16), source=samples.SOURCES[1], published=samples.NOW)
    page = PAGES.article(
        FRAME, item=samples.item(0), story=[samples.item(0), samples.item(12), own, samples.item(13), twice],
        related=samples.RELATED, ranking=samples.RANKING, recommended=samples.RECOMMENDED,
    ).html  # fmt: skip
    coverage = page.split('id="coverage"')[1].split("</section>")[0]
    assert ids(coverage) == ["k0012", "k0013"], "neither its own source nor one that carries the same text"
    assert ids(page.split('id="same"')[1].split("</section>")[0]) == ["k0016", "own"]
    assert 'href="/story/k0000"' in coverage


def test_an_article_says_why_its_copies_are_one_item() -> None:
    text = Read(article()).text
    assert "The Harbour Post: the first that carried it." in text
    figures = "92 % of the shorter one's word pairs stand in the other, titles 80 % alike, the same numbers"
    assert f"Nordlicht: the same text, {figures}." in text
    assert "Signal & Noise: the same address, without what only tracks readers." in text
    two = samples.item(0).copies[:2]
    assert f"Nordlicht: the same text as at The Harbour Post, {figures}." in Read(article(0, copies=two)).text
    assert "one item" not in Read(article(0, copies=two[:1])).text


def test_a_source_that_repeats_itself_is_named_once_for_each_reason() -> None:
    first, again, _ = samples.item(0).copies
    page = article(0, copies=(again, *(replace(again, source=first.source, entry_id=str(n)) for n in range(40)), first))
    assert page.count("<li><bdi>The Harbour Post</bdi>: ") == 2
    assert page.index("the first that carried it") < page.index("the same text")


def linked_data(page: str) -> dict[str, str]:
    _, _, data = page.partition('<script type="application/ld+json">')
    found: dict[str, str] = json.loads(data.partition("</script>")[0])
    return found


def test_an_article_says_to_machines_what_it_is() -> None:
    said = linked_data(article())
    assert said["@type"] == "NewsArticle"
    assert said["headline"] == "Fishing fleets return as the strait reopens after eleven weeks"
    assert said["datePublished"] == "2026-03-14T09:14:53+00:00"
    assert said["url"] == "https://s1.example/0"
    assert said["mainEntityOfPage"] == "http://127.0.0.1:8080/item/k0000"


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script>", "<!--<script>", "]]>", "\u2028", '"\\', "\ud800"]
)
def test_nothing_ends_the_data_for_machines(text: str) -> None:
    page = article(0, title=text, author=text)
    data = page.split('<script type="application/ld+json">')[1]
    assert "<" not in data.split("</script>")[0]
    assert page.count("<script") == page.count("</script") == 1
    assert linked_data(page)["headline"] == text


def test_times_are_of_the_sites_zone() -> None:
    from zoneinfo import ZoneInfo

    pages = Pages(replace(samples.SITE, timezone=ZoneInfo("Asia/Kolkata")))
    assert "Date: 2026-03-14 14:44:53" in Read(article(0, pages)).text


def test_what_is_written_from_right_to_left_runs_so() -> None:
    page = article(5)
    assert re.search(r'<h1 lang="ar" dir="rtl"', page)
    assert 'class="prose" lang="ar" dir="rtl"' in page
    assert re.search(r"<h1>Fishing", article(0))
    assert 'lang="zh">海峡' in front()


def test_a_page_can_live_below_the_root_of_its_host() -> None:
    pages = Pages(replace(samples.SITE, url="https://example.org/news"))
    links = [link for link in Read(front(pages)).links() if not link.startswith(("http", "#"))]
    assert links
    assert all(link.startswith("/news/") for link in links)
    assert 'action="/news/item/k0000/like"' in article(0, pages)


def test_pictures_can_be_turned_off() -> None:
    pages = Pages(replace(samples.SITE, images="none"))
    page = article(0, pages, image_url="https://s1.example/a.jpg")
    assert "<img" not in page
    assert "og:image" not in page


def test_pictures_load_late_and_tell_nobody_where_they_stand() -> None:
    html = '<p><img src="https://a.example/1.png" alt="a > b" loading="eager"></p>'
    assert (
        '<img src="https://a.example/1.png" alt="a > b" loading="lazy" decoding="async" referrerpolicy="no-referrer">'
        in article(0, summary_html=html)
    )


def test_a_picture_without_words_has_none_instead_of_it() -> None:
    assert '<img src="https://a.example/1.png" alt="" loading="lazy"' in article(
        0, summary_html='<p><img src="https://a.example/1.png"></p>'
    )


def test_the_picture_that_is_shown_is_no_attachment() -> None:
    picture = replace(samples.PODCAST, url="https://s1.example/a.jpg", type="image/jpeg")
    none = Pages(replace(samples.SITE, images="none"))
    for pages, listed in ((PAGES, 1), (none, 2)):
        page = article(0, pages, enclosures=(samples.PODCAST, picture), image_url=picture.url)
        assert page.split('class="files"')[1].split("</ul>")[0].count("<li>") == listed


def test_what_was_changed_says_when() -> None:
    changed = samples.NOW - timedelta(minutes=3)
    assert "Changed: 2026-03-14 09:23:53" in Read(article(0, updated=changed)).text
    assert "Changed:" not in article()
    shown = replace(samples.item(0).copies[0], first_seen=changed)
    assert "Changed:" not in article(0, updated=changed, copies=(shown,)), (
        "another copy was seen first, and is not shown"
    )


def test_a_picture_that_asks_this_site_is_left_out() -> None:
    html = '<p>x<img src="http://127.0.0.1:8080/go/k0001"><img src="data:image/png,x"></p>'
    assert "<p>x</p>" in article(0, summary_html=html)


def test_the_whole_content_only_where_it_is_configured() -> None:
    long = "<p>Everything there is.</p>"
    assert "Everything there is." not in article(0, content_html=long)
    assert "Everything there is." in article(0, content_html=long, full_text=True)
    assert "Everything there is." in article(0, Pages(replace(samples.SITE, content="full")), content_html=long)


def test_a_wide_table_can_be_scrolled_from_the_keyboard() -> None:
    assert '<table tabindex="0"><tr>' in article(0, summary_html="<table><tr><td>x</td></tr></table>")


def test_an_item_without_any_html_shows_its_text() -> None:
    page = article(0, summary_html="", text="One & two.\n\nThree.")
    assert "<p>One &amp; two. Three.</p>" in page


def test_an_item_of_nothing_but_a_title_says_so() -> None:
    assert "The feed carries no text for this item." in article(0, summary_html="", text="")


def test_on_paper_stands_where_the_original_is() -> None:
    assert '<span class="printed" dir="ltr">https://s1.example/0</span>' in article()


def test_a_failing_source_says_why_on_its_own_page() -> None:
    text = Read(PAGES.source(FRAME, health=samples.HEALTHS[5], latest=samples.LATEST).html).text
    assert "The server answers 404 Not Found. The feed is no longer there." in text


def test_thanks_after_a_like() -> None:
    page = PAGES.article(
        FRAME,
        item=samples.item(0),
        story=[],
        related=samples.RELATED,
        ranking=samples.RANKING,
        recommended=samples.RECOMMENDED,
        liked=True,
    ).html
    assert "Thank you." in page
    assert "Thank you." not in article()


def test_static_pages_have_no_forms() -> None:
    page = article(0, Pages(samples.SITE, static=True))
    assert "<form" not in page
    assert "veryGood! (5824)" in page


def test_the_front_page_cuts_the_latest_into_days() -> None:
    days = ["Saturday, 14 March 2026", "Friday, 13 March 2026"]
    assert re.findall(r'<h3 class="day">(.*?)</h3>', front(sections=())) == days[1:]
    whole = PAGES.latest(FRAME, latest=samples.LATEST, ranking=samples.RANKING).html
    assert re.findall(r'<h3 class="day">(.*?)</h3>', whole) == days


def test_a_ranking_without_readers_says_what_stands_in() -> None:
    said = "by coverage: nobody has read anything yet"
    bare = replace(samples.RANKING, basis="signals")
    assert said in front(ranking=bare)
    assert "<rect" not in front(ranking=bare).split('id="ranking"')[1].split("</section>")[0]
    assert said not in front()
    assert "the stories that most publishers carry" in PAGES.ranking(FRAME, listing=bare).html


def test_a_ranking_shows_how_much_each_is_read_and_how_places_have_changed() -> None:
    page = PAGES.ranking(FRAME, listing=samples.MOVED).html
    assert re.findall(r'<rect width="(\d+)"', page)[:3] == ["200", "198", "195"], "in proportion to the first"
    said = re.findall(r'<p class="count"><span>(.*?)</span><svg', page)
    text = [re.sub("<[^>]+>", "", one) for one in said]
    assert text[:4] == ["new", "", "up ▲4", "down ▼2"]
    assert "▲▼ against 14 Mar, 08:26." in Read(page).text
    assert "▲" not in front(), "without knowing how it was before nothing is claimed"


def test_every_feed_is_on_the_feeds_page() -> None:
    from aggregator.model import OwnFeed

    own = OwnFeed(name="ai", title="AI, most viewed this week")
    page = Pages(replace(samples.SITE, feeds=(own,))).feeds(FRAME, sources=samples.HEALTHS).html
    links = set(Read(page).links())
    lists = ["latest", "ranking-1h", "ranking-1d", "ranking-7d", "ranking-30d", "recommended"]
    roots = ["/feeds", "/section/world", "/section/culture"]
    wanted = [f"{root}/{name}.{suffix}" for root in roots for name in lists for suffix in ("atom", "rss", "json")]
    assert {*wanted, "/feeds/ai.atom", "/source/source-1/latest.atom", "/feeds/stories.atom", "/feeds.opml"} <= links


def test_a_listing_gives_its_addresses_to_copy() -> None:
    search = replace(samples.LATEST, kind="search", path="/search", query="q=a%26b", page="/search?q=a%26b")
    page = PAGES.listing(FRAME, search).html
    assert "http://127.0.0.1:8080/search.atom?q=a%26b</code>" in page
    assert 'href="/search.json?q=a%26b"' in page


def test_pages_name_their_feeds_for_readers() -> None:
    found = [link["href"] for link in Read(article()).all("link") if link["rel"] == "alternate"]
    assert found == ["/item/k0000/related.atom", "/feeds/latest.atom"], "one format: a reader finds the others there"


def test_only_the_formats_that_are_published() -> None:
    page = front(Pages(replace(samples.SITE, formats=("rss",))))
    assert ".rss" in page
    assert ".atom" not in page


@pytest.mark.parametrize("state", ["new", "ok", "quiet", "failing", "gone", "disabled"])
def test_every_state_has_words(state: str) -> None:
    assert PAGES.source(FRAME, health=samples.health(1, state), latest=samples.LATEST).html


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 418, 429, 500, 503, 599])
def test_every_error_has_a_page(status: int) -> None:
    assert str(status) in Read(PAGES.error(FRAME, status).html).text
    assert "because <b>" not in PAGES.error(FRAME, status, message="because <b>").html


def test_a_missing_section_is_named_and_so_is_the_nearest() -> None:
    page = PAGES.error(FRAME, 404, message="there is no section called 'wrold'", path="/section/wrold").html
    assert "There is no section “wrold”" in page
    assert 'Did you mean <a href="/section/world">World</a>?' in page
    assert "Did you mean" not in PAGES.error(FRAME, 404, path="/section/qqqq").html
    assert "There is no such item" in PAGES.error(FRAME, 404, path="/item/x").html


def test_about_tells_todays_windows_and_figures() -> None:
    page = PAGES.about(FRAME, stats=samples.STATS, ranking=samples.RANKING, sources=8).html
    text = Read(page).text
    assert "follows 8 sources" in text
    assert "of the last 1 hour, 24 hours, 7 days or 30 days" in text
    assert "counts from 2026-03-13 09:26:53 to 2026-03-14 09:26:53" in text
    assert "87 readers" in text


def test_the_front_page_is_light() -> None:
    """In the bytes that a first visit loads, without pictures; bench/pages.py weighs a real one."""
    style = PAGES.assets[PAGES.assets.style].body  # type: ignore[attr-defined]
    assert len(gzip.compress(front().encode(), 9)) + len(gzip.compress(style, 9)) < 12_000


def test_assets_are_served_under_the_names_that_pages_use() -> None:
    assert all(asset.path == path and asset.body for path, asset in PAGES.assets.items())
    named = {link for page in EVERY.values() for link in Read(page(PAGES)).links() if link.startswith("/static/")}
    assert named <= set(PAGES.assets)
    assert all(PAGES.assets[link].immutable for link in named)
    files = {"/favicon.svg", "/favicon.ico", "/apple-touch-icon.png", "/manifest.webmanifest", "/opensearch.xml"}
    assert files | {"/robots.txt"} <= set(PAGES.assets)
    assert PAGES.assets["/favicon.ico"].body[:4] == b"\0\0\1\0"
    assert json.loads(PAGES.assets["/manifest.webmanifest"].body)["name"] == samples.SITE.title


def test_the_stylesheets_ask_nobody_else() -> None:
    for path, asset in PAGES.assets.items():
        if path.endswith(".css"):
            css = asset.body.decode()
            assert "url(" not in css
            assert "@import" not in css
            assert "/*" not in css
            assert css.count("{") == css.count("}")


def test_a_stylesheet_of_the_operators_comes_last() -> None:
    pages = Pages(replace(samples.SITE, stylesheet=":root { --accent: green }"))
    sheets = [link["href"] for link in Read(front(pages)).all("link") if link["rel"] == "stylesheet"]
    assert pages.assets[sheets[-1]].body == b":root { --accent: green }"


def test_a_script_only_where_it_is_wanted() -> None:
    pages = Pages(replace(samples.SITE, script=True))
    [script] = [one for one in Read(front(pages)).all("script") if "src" in one]
    assert len(pages.assets[script["src"]].body) < 2048
    assert "<script" not in front()


def test_a_site_without_sections_or_items_has_pages() -> None:
    assert Read(Pages(Site()).feeds(FRAME).html).text
    assert "A notice." in EVERY["empty"](PAGES)


def test_a_language_that_the_front_page_is_restricted_to() -> None:
    page = front(frame=replace(FRAME, language="ar"))
    assert '<a href="/?lang=ar" lang="ar" hreflang="ar" aria-current="true">العربية</a>' in page
    assert '<link rel="canonical" href="http://127.0.0.1:8080/">' in page
    static = front(Pages(samples.SITE, static=True))
    assert 'href="/ar/"' in static, "a file server knows no queries"


def test_ages_are_right_until_a_page_says_it_expires() -> None:
    made = PAGES.front(
        FRAME, latest=samples.LATEST, ranking=samples.RANKING, recommended=samples.RECOMMENDED, sections=()
    )
    assert made.expires == samples.NOW + timedelta(minutes=1), "something is younger than an hour"
    old = [Place(item=replace(samples.item(n), published=samples.NOW - timedelta(hours=5, minutes=20))) for n in (0, 1)]
    listing = replace(samples.LATEST, places=tuple(old))
    quiet = PAGES.front(
        FRAME, latest=listing, ranking=replace(samples.RANKING, places=()), recommended=listing, sections=()
    )
    assert quiet.expires == samples.NOW + timedelta(minutes=40)
    later = PAGES.front(
        replace(FRAME, now=quiet.expires), latest=listing, ranking=replace(samples.RANKING, places=()),
        recommended=listing, sections=(),
    )  # fmt: skip
    assert ">5h<" in quiet.html
    assert ">6h<" in later.html


@given(st.text(max_size=400), st.integers(2, 300))
def test_an_excerpt_is_never_longer_than_asked(text: str, limit: int) -> None:
    short = article_page.excerpt(text, limit)
    assert len(short) <= limit
    assert short == " ".join(text.split()) or short.endswith("…")
