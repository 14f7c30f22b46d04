"""Pages, from values to HTML."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from itertools import pairwise

import page_samples as samples
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.publish.listing import Listing, Place
from aggregator.publish.pages import Pages, section_block, wording
from aggregator.publish.pages import article as article_page
from aggregator.publish.pages.assets import style_path
from aggregator.publish.site import Site

VOID = {"meta", "link", "img", "input", "br", "hr", "path"}
PAGES = Pages(samples.SITE)


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


def article(number: int = 0, pages: Pages = PAGES, **changes: object) -> str:
    return pages.article(
        item=replace(samples.item(number), **changes),  # type: ignore[arg-type]
        story=[samples.item(0), samples.item(9), samples.item(16)],
        related=samples.RELATED,
        ranking=samples.RANKING,
        recommended=samples.RECOMMENDED,
        reasons=("3 sources", "41 readers today"),
    )


def front(pages: Pages = PAGES, **changes: object) -> str:
    values: dict[str, object] = {
        "latest": samples.LATEST,
        "ranking": samples.RANKING,
        "recommended": samples.RECOMMENDED,
        "sections": samples.SECTION_LISTS,
        "older": "/?before=x",
    }
    return pages.front(**(values | changes))  # type: ignore[arg-type]


EVERY: dict[str, Callable[[Pages], str]] = {
    "front": front,
    "section": lambda pages: pages.section(
        name="World", latest=samples.LATEST, ranking=samples.RANKING, recommended=samples.RECOMMENDED
    ),
    "source": lambda pages: pages.source(health=samples.health(0), latest=samples.LATEST),
    "search": lambda pages: pages.search(
        words='strait "<the>"', results=replace(samples.LATEST, kind="search", path="/search", query="q=a%26b")
    ),
    "search, not asked": lambda pages: pages.search(words="", results=None),
    "search, nothing": lambda pages: pages.search(words="x", results=replace(samples.LATEST, places=())),
    "article": lambda pages: article(0, pages, enclosures=(samples.PODCAST,), image_url="https://s1.example/a.jpg"),
    "article in Arabic": lambda pages: article(5, pages),
    "article with an odd title": lambda pages: article(14, pages, url=None, author=None),
    "listing": lambda pages: pages.listing(samples.RANKING),
    "listing by time": lambda pages: pages.listing(samples.LATEST),
    "feeds": lambda pages: pages.feeds(sources=samples.SOURCES),
    "status": lambda pages: pages.status(sources=samples.HEALTHS, stats=samples.STATS, now=samples.NOW),
    "status of many": lambda pages: pages.status(
        sources=samples.many(300), stats=samples.STATS, now=samples.NOW, pushes=samples.PUSHES
    ),
    "about": lambda pages: pages.about(stats=samples.STATS, ranking=samples.RANKING, sources=8),
    "error": lambda pages: pages.error(404),
    "empty": lambda pages: front(
        pages,
        latest=replace(samples.LATEST, places=()),
        ranking=replace(samples.RANKING, places=(), basis="signals"),
        recommended=replace(samples.RECOMMENDED, places=()),
        sections=(),
    ),
}  # fmt: skip


@pytest.fixture(params=EVERY, ids=list(EVERY))
def page(request: pytest.FixtureRequest) -> str:
    return EVERY[request.param](PAGES)


def test_every_page_is_well_formed_and_needs_no_script(page: str) -> None:
    read = Read(page)
    assert page.startswith("<!doctype html>")
    assert [script for script in read.all("script") if script != {"type": "application/ld+json"}] == []
    assert not read.all("style")
    assert not [name for _, attributes in read.elements for name in attributes if name == "style" or name[:2] == "on"]
    assert len(read.all("h1")) == len(read.all("main")) == 1
    assert len(read.all("title")) == 1 + len(read.all("svg")), "every drawing has a name of its own"
    ids = Counter(attributes["id"] for _, attributes in read.elements if "id" in attributes)
    assert not [name for name, count in ids.items() if count > 1]
    labels = {attributes["aria-labelledby"] for _, attributes in read.elements if "aria-labelledby" in attributes}
    assert labels <= set(ids)


def test_headings_go_down_one_step_at_a_time(page: str) -> None:
    levels = [int(tag[1]) for tag, _ in Read(page).elements if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_nothing_comes_from_elsewhere_but_pictures(page: str) -> None:
    read = Read(page)
    assert {attributes["href"] for attributes in read.all("link") if attributes["rel"] == "stylesheet"} == {
        style_path()
    }
    assert all(image.get("referrerpolicy") == "no-referrer" for image in read.all("img"))
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
    assert {"method": "post", "action": "/item/k0000/like"}.items() <= read.all("form")[-1].items()
    assert "Also at: Nordlicht, Signal & Noise" in read.text
    assert "3 sources · 41 readers today" in read.text.replace("sources 41", "sources · 41")
    for heading in ("Also covered by", "Related", "Ranking", "Recommendation"):
        assert re.search(rf"<h2[^>]*>{heading}</h2>", page), heading


def test_the_lists_of_an_article_are_complete_and_in_order() -> None:
    page = article()
    related, rest = page.split('id="related"')[1].split('id="ranking"')
    ranking, recommendation = rest.split('id="recommendation"')
    items = re.compile(r'<h3><a href="/item/(\w+)"')
    assert items.findall(related) == [place.item.id for place in samples.RELATED.places]
    assert items.findall(ranking) == [place.item.id for place in samples.RANKING.places]
    recommended = [place.item.id for place in samples.RECOMMENDED.places]
    assert items.findall(recommendation) == [each for each in recommended if each != samples.item(0).id]
    assert "Most viewed in the last 24 hours" in ranking


def test_the_first_recommendation_has_picture_and_lead() -> None:
    pictured = replace(
        samples.RECOMMENDED.places[0], item=replace(samples.item(11), image_url="https://s4.example/bee.jpg")
    )
    recommended = replace(samples.RECOMMENDED, places=(pictured, *samples.RECOMMENDED.places[1:]))
    page = PAGES.article(
        item=samples.item(0), story=[], related=samples.RELATED, ranking=samples.RANKING, recommended=recommended
    )
    featured = page.split('<article class="featured">')[1].split("</article>")[0]
    assert 'src="https://s4.example/bee.jpg"' in featured
    assert 'class="lead"' in featured
    assert page.count('class="picture"') == 1


def test_an_item_is_not_recommended_on_its_own_page() -> None:
    first, *others = [place.item for place in samples.RECOMMENDED.places]
    page = PAGES.article(
        item=first, story=[], related=samples.RELATED, ranking=samples.RANKING, recommended=samples.RECOMMENDED
    )
    recommendation = page.split('id="recommendation"')[1]
    assert f"/item/{first.id}" not in recommendation
    assert all(f"/item/{other.id}" in recommendation for other in others)
    assert f"/item/{first.id}" in front(recommended=samples.RECOMMENDED).split('id="recommendation"')[1]


def test_the_item_itself_is_not_among_those_that_also_cover_it() -> None:
    coverage = article().split('id="coverage"')[1].split("</section>")[0]
    assert re.findall(r'<h3><a href="/item/(\w+)"', coverage) == ["k0009", "k0016"]


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
    assert page.count("<li><bdi>The Harbour Post</bdi>") == 2
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
    assert '<article class="item" dir="rtl">' in page
    assert re.search(r'<h1 lang="ar" dir="auto"', page)
    assert '<article class="item">' in article(0)


def test_titles_in_lists_carry_their_language_and_find_their_direction() -> None:
    assert re.search(r'<a href="/item/k0006" lang="zh" dir="auto">', front())


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
        assert page.count('class="size"') == listed


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
    text = Read(PAGES.source(health=samples.HEALTHS[5], latest=samples.LATEST)).text
    assert "The server answers 404 Not Found. The feed is no longer there." in text


def test_thanks_after_a_like() -> None:
    page = PAGES.article(
        item=samples.item(0),
        story=[],
        related=samples.RELATED,
        ranking=samples.RANKING,
        recommended=samples.RECOMMENDED,
        liked=True,
    )
    assert "Thank you." in page
    assert "Thank you." not in article()


def test_static_pages_have_no_forms() -> None:
    page = article(0, Pages(samples.SITE, static=True))
    assert "<form" not in page
    assert "veryGood! (5824)" in page


def test_one_source_does_not_fill_a_section_of_the_front_page() -> None:
    def named(*sources: int) -> Listing:
        places = tuple(Place(item=replace(samples.item(n), source=samples.SOURCES[s])) for n, s in enumerate(sources))
        return replace(samples.LATEST, places=places)

    def shown(*sources: int) -> list[str]:
        return [place.item.id for place in section_block.chosen(named(*sources)).places]

    assert shown(0, 0, 0, 0, 1, 0, 2) == ["k0000", "k0001", "k0002", "k0004", "k0006"], "rather others than a third"
    assert shown(0, 0, 1, 0, 1, 0, 2, 3) == ["k0000", "k0001", "k0002", "k0004", "k0006"]
    assert shown(0, 0, 0, 0, 0, 0) == ["k0000", "k0001", "k0002", "k0003", "k0004"], "unless there are no others"
    assert shown(0) == ["k0000"]


def test_the_front_page_cuts_the_latest_into_days() -> None:
    page = front()
    assert re.findall(r'<h3 class="day">(.*?)</h3>', page) == ["Saturday, 14 March 2026", "Friday, 13 March 2026"]
    assert 'href="/?before=x"' in page


def test_a_ranking_without_readers_says_what_stands_in() -> None:
    assert "coverage and links stand in" in front(ranking=replace(samples.RANKING, basis="signals"))
    assert "coverage and links stand in" not in front()


def test_a_ranking_says_its_window_once() -> None:
    told = ("28 readers in the last 24 hours", "rising")
    ranking = replace(samples.RANKING, places=(replace(samples.RANKING.places[0], reasons=told),))
    for page in (front(ranking=ranking), PAGES.listing(ranking)):
        assert '<span class="why">28 readers</span> <span class="why">rising</span>' in page
    recommended = replace(samples.RECOMMENDED, places=(replace(samples.RECOMMENDED.places[0], reasons=told),))
    assert '<span class="why">28 readers in the last 24 hours</span>' in front(recommended=recommended)


def test_every_feed_is_on_the_feeds_page() -> None:
    from aggregator.model import OwnFeed

    own = OwnFeed(name="ai", title="AI, most viewed this week")
    page = Pages(replace(samples.SITE, feeds=(own,))).feeds(sources=samples.SOURCES)
    links = set(Read(page).links())
    lists = ["latest", "ranking-1h", "ranking-1d", "ranking-7d", "ranking-30d", "recommended"]
    roots = ["/feeds", "/section/world", "/section/culture"]
    wanted = [f"{root}/{name}.{suffix}" for root in roots for name in lists for suffix in ("atom", "rss", "json")]
    assert {*wanted, "/feeds/ai.atom", "/source/source-1/latest.atom", "/feeds.opml", "/sources.opml"} <= links


def test_a_listing_gives_its_addresses_to_copy() -> None:
    search = replace(samples.LATEST, kind="search", path="/search", query="q=a%26b", page="/search?q=a%26b")
    page = PAGES.listing(search)
    assert "http://127.0.0.1:8080/search.atom?q=a%26b</code>" in page
    assert 'href="/search.json?q=a%26b"' in page
    assert "Counted from 2026-03-13 09:26:53 to 2026-03-14 09:26:53 (UTC)" in Read(PAGES.listing(samples.RANKING)).text


def test_pages_name_their_feeds_for_readers() -> None:
    found = [link["href"] for link in Read(article()).all("link") if link["rel"] == "alternate"]
    assert found[:3] == ["/item/k0000/related.atom", "/item/k0000/related.rss", "/item/k0000/related.json"]


def test_only_the_formats_that_are_published() -> None:
    page = front(Pages(replace(samples.SITE, formats=("rss",))))
    assert ".rss" in page
    assert ".atom" not in page


@pytest.mark.parametrize("state", ["new", "ok", "quiet", "failing", "gone", "disabled"])
def test_every_state_has_words(state: str) -> None:
    assert PAGES.source(health=samples.health(1, state), latest=samples.LATEST)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 418, 429, 500, 503, 599])
def test_every_error_has_a_page(status: int) -> None:
    assert str(status) in Read(PAGES.error(status)).text
    assert "because <b>" not in PAGES.error(status, message="because <b>")


def test_about_tells_todays_windows_and_figures() -> None:
    text = Read(PAGES.about(stats=samples.STATS, ranking=samples.RANKING, sources=8)).text
    assert "follows 8 sources" in text
    assert "the last hour, the last 24 hours, the last 7 days and the last 30 days" in text
    assert "counts from 2026-03-13 09:26:53 to 2026-03-14 09:26:53" in text
    assert "opened by 87 readers" in text


def test_the_pages_are_light() -> None:
    assert len(gzip.compress(front().encode())) < 30_000
    assert len(gzip.compress(PAGES.assets[style_path()].body)) < 10_000


def test_assets_are_served_under_the_names_that_pages_use() -> None:
    assert set(PAGES.assets) == {style_path(), "/favicon.svg", "/robots.txt"}
    assert all(asset.path == path and asset.body for path, asset in PAGES.assets.items())
    assert PAGES.assets[style_path()].immutable


def test_the_stylesheet_asks_nobody_else() -> None:
    css = PAGES.assets[style_path()].body.decode()
    assert "url(" not in css
    assert "@import" not in css
    assert css.count("{") == css.count("}")


def test_a_site_without_sections_or_items_has_pages() -> None:
    assert Read(Pages(Site()).feeds()).text


@pytest.mark.parametrize(
    ("expected", "minutes"),
    [("just now", 0), ("1 minute ago", 1), ("59 minutes ago", 59), ("1 hour ago", 60), ("47 hours ago", 47 * 60),
     ("2 days ago", 48 * 60), ("in 3 hours", -180), ("in a moment", -0.5)],
)  # fmt: skip
def test_how_long_ago(expected: str, minutes: float) -> None:
    assert wording.ago(samples.NOW - timedelta(minutes=minutes), samples.NOW) == expected


@given(st.text(max_size=400), st.integers(2, 300))
def test_an_excerpt_is_never_longer_than_asked(text: str, limit: int) -> None:
    short = article_page.excerpt(text, limit)
    assert len(short) <= limit
    assert short == " ".join(text.split()) or short.endswith("…")
