"""Values for the tests of pages: a small newsroom's worth of items, in several scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape

from aggregator.model import (
    Activity,
    Copy,
    Enclosure,
    Item,
    PollError,
    Process,
    Push,
    SearchCounts,
    SourceHealth,
    SourceRef,
    StoreStats,
    Story,
    Subscription,
    Upstream,
)
from aggregator.publish.listing import Kind, Listing, Place
from aggregator.publish.site import Site

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
SECTIONS = ("World", "Technology", "Science", "Business", "Culture")
SITE = Site(
    title="The Daily Aggregate", url="http://127.0.0.1:8080", sections=SECTIONS, contact="https://example.org/about"
)

NAMES = (
    "The Harbour Post",
    "Nordlicht",
    "Signal & Noise",
    "Field Notes",
    "The Ledger",
    "Low Tide Review",
    "الميناء",
    "晨报",
)
SOURCES = tuple(
    SourceRef(id=n, slug=f"source-{n}", name=name, url=f"https://s{n}.example/feed.xml", home=f"https://s{n}.example/")
    for n, name in enumerate(NAMES, 1)
)

#: (title, section, source, language)
STORIES: Sequence[tuple[str, str, int, str]] = (
    ("Fishing fleets return as the strait reopens after eleven weeks", "World", 0, "en"),
    ("A compiler that explains itself", "Technology", 2, "en"),
    ("Deep under Greenland, drillers reach ice a million years old", "Science", 3, "en"),
    ("Grain prices fall for the ninth week, and nobody agrees why", "Business", 4, "en"),
    ("The last projectionist of Valparaíso", "Culture", 5, "en"),
    ("عودة قوارب الصيد بعد فتح المضيق أمام الملاحة", "World", 6, "ar"),
    ("海峡重新开放，渔船陆续返港", "World", 7, "zh"),
    ("Yes", "Culture", 5, "en"),
    (
        (
            "In a decision that surprised both of the parties, three of the four observers and most of the people who "
            "had waited outside since Tuesday, the tribunal has asked for the whole of the evidence to be read out "
            "once more, from the beginning, in both of the official languages"
        ),
        "World", 0, "en",
    ),
    ("Warum die Züge im Norden wieder pünktlich sind", "World", 1, "de"),
    ("Small batteries, big lakes: storing summer for the winter", "Technology", 2, "en"),
    ("Bees can tell a forgery from a flower", "Science", 3, "en"),
    ("Central bank holds, hints, and holds again", "Business", 4, "en"),
    ("A museum without walls opens in the rain", "Culture", 5, "en"),
    ('Seven <script>alert(1)</script> & other "odd" titles', "Technology", 2, "en"),
    ("What the tide gauges of 1890 knew", "Science", 3, "en"),
    ("Port cranes stand still in a dispute over night shifts", "Business", 0, "en"),
    ("How to read a river", "Science", 5, "en"),
)  # fmt: skip

LEAD = (
    "The first trawlers passed the lighthouse before dawn, and by noon the quay was full. Eleven weeks without a catch "
    "had emptied the cold stores and the patience of the town; what came ashore on Saturday will not fill either, but "
    "nobody here was counting.\n\nThe harbour master, who had slept in her office since January, went home."
)
BODY = (
    f"<p>{LEAD.partition(chr(10))[0]}</p><p>The harbour master, who had slept in her office since January, went home. "
    'Nets that had dried <a href="https://s1.example/nets">stiff on the piers</a> were cut loose and thrown over '
    "the side to soften.</p><blockquote><p>We will see tomorrow what the sea thinks of all this.</p></blockquote>"
    '<p><img src="https://s1.example/boats.jpg" alt="Boats"></p><p>Prices at the evening auction were half of '
    "what they were in December.</p>"
    f"<pre>{'a line of code that nothing breaks, ' * 6}</pre><table><tr>{'<td>cod</td>' * 40}</tr></table>"
    "<ul><li>Cod: 412 boxes</li><li>Herring: 1,180 boxes</li></ul>"
)


def item(number: int) -> Item:
    """The item with this number; the same number gives the same item."""
    title, section, source, language = STORIES[number % len(STORIES)]
    ref = SOURCES[source]
    published = NOW - timedelta(minutes=47 * number + 12)
    url = f"https://s{ref.id}.example/{number}"
    copies = [Copy(source=ref, entry_id=url, title=title, url=url, published=published, first_seen=published)]
    if number == 0:
        figures = {"containment": 0.92, "titles": 0.8, "same_numbers": 1.0, "score": 0.95}
        copies += [
            replace(
                copies[0], source=SOURCES[1], url="https://s2.example/copy", rule="near-duplicate", figures=figures
            ),
            replace(copies[0], source=SOURCES[2], url="https://s3.example/copy", rule="canonical-url"),
        ]
    return Item(
        id=f"k{number:04d}", title=title, url=url, source=ref, section=section,
        author="Mara Lindqvist" if number % 2 == 0 else None, published=published, first_seen=published,
        updated=published, summary_html=BODY if number == 0 else f"<p>{escape(title)}: what is known so far.</p>",
        content_html="", text=LEAD if language == "en" else title, language=language, categories=(),
        image_url=None, enclosures=(),
        upstream=Upstream(), copies=tuple(copies), story=f"k{number:04d}", views=1284 - 61 * (number % 20),
        likes=5824 if number == 0 else number,
    )  # fmt: skip


REASONS = ("6 sources", "41 readers today", "rising")


def listing(kind: Kind, numbers: Sequence[int], *, path: str = "", page: str = "/", **changes: object) -> Listing:
    """A listing of these items."""
    places = tuple(
        Place(item=item(n), views=90 - n if kind == "ranking" else None, reasons=REASONS[: n % 3]) for n in numbers
    )
    made = Listing(
        kind=kind, title=kind.capitalize(), description="What is listed here, and by what count.",
        path=path or f"/feeds/{kind}", page=page, places=places,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


LATEST = listing("latest", range(36))
RANKING = listing(
    "ranking",
    range(3, 11),
    path="/feeds/ranking-1d",
    window="1d",
    since=NOW - timedelta(days=1),
    until=NOW,
    basis="views",
)
RECOMMENDED = listing("recommended", [0, 2, 11, 10, 13, 1, 15, 17])
RELATED = listing("related", range(5, 15), path="/item/k0000/related", page="/item/k0000")
SECTION_LISTS = tuple(
    listing("latest", [n for n in range(36) if item(n).section == name][:5], path=f"/section/{name.lower()}/latest",
            page=f"/section/{name.lower()}")
    for name in SECTIONS
)  # fmt: skip
#: (place in the list before) of each place
MOVED = replace(
    RANKING,
    compared_at=NOW - timedelta(hours=1),
    places=tuple(
        replace(place, rank_before=before)
        for place, before in zip(RANKING.places, (None, 2, 7, 2, 5, 6, 3, 8), strict=True)
    ),
)
STORY = Story(id="k0016", items=tuple(item(number) for number in (16, 12, 9, 8, 0)))
COVERED = tuple(Place(item=item(number), others=(item(number + 1), item(number + 3))) for number in (20, 24))
ACTIVITY = Activity(
    items=310,
    stories=280,
    stories_by_section={"World": 120, "Technology": 40},
    items_by_source={1: 40, 2: 1, 3: 7},
)
HITS = SearchCounts(items=36, by_section={"World": 20, "Culture": 16}, by_source={1: 30, 7: 6})
STATS = StoreStats(
    sources=8, entries=4210, items=3977, stories=3120, views=18204, likes=512, size_bytes=1 << 24, pending=0
)
PODCAST = Enclosure(url="https://s1.example/talk.mp3", type="audio/mpeg", size_bytes=31_457_280)


def health(number: int, state: str = "ok", **changes: object) -> SourceHealth:
    """The health of a source, fine unless said otherwise."""
    made = SourceHealth(
        ref=SOURCES[number], subscription=Subscription(url=SOURCES[number].url, section=SECTIONS[number % 5]),
        state=state,  # type: ignore[arg-type]
        last_poll=NOW - timedelta(minutes=4), last_success=NOW - timedelta(minutes=4),
        next_poll=NOW + timedelta(minutes=26),
        items_per_day=3.4 * (number + 1), items=120 * (number + 1), last_item=NOW - timedelta(hours=3), http_status=200,
        error=None, error_since=None, error_count=0, daily=tuple((7 * n * (number + 3)) % 11 for n in range(30)),
        daily_polls=tuple(24 + (5 * n * (number + 2)) % 17 for n in range(30)),
        daily_failures=tuple(5 * (n % 13 == number) for n in range(30)),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def many(count: int) -> tuple[SourceHealth, ...]:
    """So many sources that those that are well are a list of names; one in forty fails."""
    made = (health(n % 4) if n % 40 else replace(HEALTHS[5]) for n in range(count))
    return tuple(
        replace(one, ref=replace(one.ref, id=n, slug=f"many-{n}", name=f"{one.ref.name} {n}"))
        for n, one in enumerate(made)
    )


PUSHES = (
    Push(token="t0ken1", source_id=1, hub="https://hub.example/", topic="https://s1.example/feed.xml", state="active",
         asked_at=NOW - timedelta(hours=3), until=NOW + timedelta(days=8), delivered_at=NOW - timedelta(minutes=5)),
    Push(token="t0ken2", source_id=2, hub="https://no.example/", topic="https://s2.example/feed.xml", state="resting",
         asked_at=NOW - timedelta(hours=3), failures=4, retry_at=NOW + timedelta(hours=8)),
)  # fmt: skip
PROCESSES = tuple(
    Process(
        id=f"p{number}", roles=roles, host=f"machine-{number}", version="0.1.0", holds=holds,
        started=NOW - timedelta(days=number + 1), seen=NOW - timedelta(seconds=20 * number),
    )
    for number, (roles, holds) in enumerate([
        (("collect", "curate", "serve"), ("curate", "hubs")), (("serve",), ("subscribers",)), (("collect",), ()),
    ])
)  # fmt: skip
HEALTHS = (
    *(health(n) for n in range(4)),
    health(4, "quiet", last_item=NOW - timedelta(days=40), daily=(0,) * 30, items_per_day=0.0),
    health(
        5, "failing", http_status=404, error=PollError(code="http-404", message="The server answers 404 Not Found."),
        error_since=NOW - timedelta(days=3), error_count=14, last_success=NOW - timedelta(days=3),
    ),
    health(
        6, "failing", http_status=None, error_count=1,
        error=PollError(code="dns-failure", message="s7.example: no such host"),
    ),
    health(7, "new", last_poll=None, last_success=None, next_poll=None, daily=(), http_status=None, items=0,
           daily_polls=(0,) * 30, daily_failures=(0,) * 30),
)  # fmt: skip
