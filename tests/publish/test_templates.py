"""Lists are rendered once for all pages that show them, again when readers would see a difference."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import page_samples as samples
import pytest

from aggregator.model import Item
from aggregator.publish.listing import Listing, Place
from aggregator.publish.pages import Frame, Pages
from aggregator.publish.pages.assets import Assets
from aggregator.publish.pages.templates import make_environment
from aggregator.publish.render_cache import RenderCache

FRAME = Frame(now=samples.NOW)
ITEMS = [samples.item(number) for number in range(8)]


def test_environments_share_compiled_templates_where_the_site_is_the_same() -> None:
    """What was compiled for one site does not say the words, the title or the addresses of another."""
    for language, title in (("en", "First"), ("de", "Second"), ("en", "First"), ("en", "Third")):
        site = replace(samples.SITE, language=language, title=title, url=f"http://{title.lower()}.example/{title}")
        pages = Pages(site)
        front, _, article = page(pages, *lists())
        assert f"<title>{title}</title>" in front
        assert ("Rangliste" in front, "Ranking" in front) == (language == "de", language == "en")
        assert f'href="/{title}/sources"' in article
        kept, equal, static = (
            make_environment(one, pages.words, Assets(one, pages.words), static=files).bytecode_cache
            for one, files in ((site, False), (replace(site), False), (site, True))
        )
        assert kept is equal
        assert kept is not static


def page(pages: Pages, ranking: Listing, recommended: Listing, latest: Listing) -> tuple[str, str, str]:
    """All pages that hold the three lists."""
    item = latest.places[0].item
    return (
        pages.front(FRAME, latest=latest, ranking=ranking, recommended=recommended).html,
        pages.section(FRAME, name="World", latest=latest, ranking=ranking, recommended=recommended).html,
        pages.article(FRAME, item=item, story=(), related=latest, ranking=ranking, recommended=recommended).html,
    )


def lists(items: Sequence[Item] = ITEMS, *, views: int = 3, window: str = "1d") -> tuple[Listing, Listing, Listing]:
    """A ranking, a recommendation and the latest."""
    places = tuple(Place(item=item, views=views, reasons=("4 sources",)) for item in items)
    ranking = Listing(
        kind="ranking",
        title="Ranking",
        description="",
        path=f"/feeds/ranking-{window}",
        page="/",
        places=places,
        window=window,
        since=samples.NOW,
        basis="views",
    )
    recommended = replace(ranking, kind="recommended", path="/feeds/recommended", window=None)
    return ranking, recommended, replace(recommended, kind="latest", path="/item/k0000/related")


def changed(**change: Any) -> tuple[Listing, Listing, Listing]:
    return lists([ITEMS[0], replace(ITEMS[1], **change), *ITEMS[2:]])


def without_readers() -> tuple[Listing, Listing, Listing]:
    ranking, recommended, latest = lists()
    return replace(ranking, basis="signals"), recommended, latest


SEEN: dict[str, Callable[[], tuple[Listing, Listing, Listing]]] = {
    "title": lambda: changed(title="Another title"),
    "source": lambda: changed(source=replace(ITEMS[1].source, name="Renamed")),
    "language": lambda: changed(language="ar"),
    "published": lambda: changed(published=ITEMS[1].published + timedelta(minutes=1)),
    "readers": lambda: lists(views=4),
    "order": lambda: lists(ITEMS[::-1]),
    "one less": lambda: lists(ITEMS[:-1]),
    "window": lambda: lists(window="7d"),
    "nobody has opened anything": without_readers,
    "counts of all times": lambda: changed(views=77, likes=8),
}


@pytest.mark.parametrize("change", SEEN)
def test_what_readers_see_is_rendered_again(change: str) -> None:
    pages = Pages(samples.SITE)
    for given in (lists(), SEEN[change](), lists()):
        assert page(pages, *given) == page(Pages(samples.SITE), *given)


def test_what_is_opened_meanwhile_costs_no_list_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    get = RenderCache.get

    def counting(self: RenderCache, key: Any, value: Any, make: Callable[[], Any], **how: Any) -> Any:
        def counted() -> Any:
            made.append(key)
            return make()

        return get(self, key, value, counted, **how)

    monkeypatch.setattr(RenderCache, "get", counting)
    pages = Pages(samples.SITE)
    page(pages, *lists())
    assert len(made) == len({str(key) for key in made}) > 0
    made.clear()
    opened = [replace(item, views=item.views + 1) for item in ITEMS]
    page(pages, *(replace(one, since=samples.NOW + timedelta(minutes=5)) for one in lists(opened)))
    assert made == []


def test_a_block_is_rendered_again_when_what_it_says_of_ages_is_no_longer_right() -> None:
    pages = Pages(samples.SITE)
    ranking, recommended, latest = lists()
    ahead = [place.item for place in latest.places]

    def ages(minutes: int) -> list[str]:
        frame = Frame(now=samples.NOW + timedelta(minutes=minutes))
        made = pages.article(
            frame, item=ahead[7], story=(), related=replace(latest, places=()), ranking=ranking, recommended=recommended
        )
        return re.findall(r'<time datetime="[^"]*">(\d+[mhd])</time>', made.html.split('id="ranking"')[1])[:2]

    assert ages(0) == ["12m", "59m"]
    assert ages(1) == ["13m", "1h"]
    assert ages(49) == ["1h", "1h"]
