"""An item is rendered once for all lists, again when it has changed, and nobody can tell from the bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from publishing import SITE, make_item

from aggregator.model import Item
from aggregator.publish.channel import compose
from aggregator.publish.feeds import atom, json_feed, rss
from aggregator.publish.listing import Listing, Place
from aggregator.publish.render_cache import RenderCache
from aggregator.publish.site import Site

FORMATS = (atom, rss, json_feed)


class Counting(RenderCache):
    """Knows what was rendered."""

    def __init__(self, most: int = 1_000_000) -> None:
        super().__init__(most)
        self.made: Counter[str] = Counter()

    def get(self, key: Hashable, value: Any, make: Callable[[], Any], **how: Any) -> Any:
        def counted() -> Any:
            assert isinstance(key, tuple)
            self.made[getattr(key[0], "__name__", str(key[0]))] += 1
            return make()

        return super().get(key, value, counted, **how)


def a_list(number: int, items: list[Item], *, kind: Any = "latest") -> Listing:
    places = tuple(Place(item=item, related=(items[0],), views=number, reasons=("6 sources",)) for item in items)
    path = f"/feeds/list-{number}"
    return Listing(kind=kind, title=f"List {number}", description="", path=path, page=path, places=places)


def render(lists: list[Listing], cache: RenderCache, site: Site = SITE) -> list[bytes]:
    return [form(compose(one, site, cache), cache) for one in lists for form in FORMATS]


def plain(lists: list[Listing], site: Site = SITE) -> list[bytes]:
    return [form(compose(one, site)) for one in lists for form in FORMATS]


def test_an_item_is_rendered_once_for_all_lists() -> None:
    items, cache = [make_item(number) for number in range(10)], Counting()
    lists = [replace(a_list(1, items), path=f"/feeds/list-{number}") for number in range(20)]
    assert render(lists, cache) == plain(lists)
    assert cache.made == {"told": 10, "_AtomEntry": 10, "_RssEntry": 10, "json": 10}


def test_what_changes_is_rendered_again_and_nothing_else() -> None:
    items = [make_item(number) for number in range(10)]
    cache = Counting()
    render([replace(a_list(1, items), path=f"/feeds/list-{number}") for number in range(20)], cache)
    cache.made.clear()
    items[4] = replace(items[4], title="Edited", views=3)
    items[5] = replace(items[5], views=7, likes=1)
    lists = [replace(a_list(1, items), path=f"/feeds/list-{number}") for number in range(20)]
    assert render(lists, cache) == plain(lists)
    assert cache.made == {"told": 1, "_AtomEntry": 1, "_RssEntry": 1, "json": 1}, "counts are told in places only"


def test_ranked_lists_and_other_sites_have_their_own() -> None:
    items = [make_item(number) for number in range(3)]
    lists = [a_list(1, items), a_list(2, items, kind="ranking"), a_list(3, items[::-1], kind="recommended")]
    cache = RenderCache()
    assert render([a_list(number, items) for number in range(5)], cache) == plain(
        [a_list(number, items) for number in range(5)]
    )
    for site in (SITE, replace(SITE, url="https://elsewhere.example/news", entry_link="page"), SITE):
        assert render(lists, cache, site) == plain(lists, site)


def test_no_more_is_kept_than_said() -> None:
    cache = Counting(most=16_000)
    items = [make_item(number) for number in range(10)]
    lists = [a_list(1, items)] * 3
    assert render(lists, cache) == plain(lists)
    assert cache.made["told"] == len(lists) * len(FORMATS) * len(items)


def test_threads_share_what_they_have_rendered() -> None:
    cache, expected = RenderCache(), {}
    versions = [[make_item(number, title=f"{number}, {version}") for number in range(20)] for version in range(4)]
    for items in versions:
        expected[items[0].title] = plain([a_list(1, items)])

    def work(turn: int) -> bool:
        items = versions[turn % len(versions)]
        return render([a_list(1, items)], cache) == expected[items[0].title]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(80)))
