"""COLLECT.md 4, rows 1 to 35: what real servers do, each served by HTTP to the real way in, a poll an answer.

The table says what is stored in the end and what each poll came to; what a row asks for beyond that is a test of its
own below, with the row's number in its name.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from desk import DAY, HOUR, START, Desk
from origin import Answer, Request

from aggregator.model import Item, PollResult, Scope, Subscription

SITE = "http://nasty.example"
PAGE = b"<!doctype html><html><head><title>Under construction</title></head><body>Back soon</body></html>"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
Script = Answer | Callable[[Request], Answer]


def feed(*items: str, head: str = "", root: str = "") -> str:
    """An RSS document around `items`."""
    return f'<rss version="2.0"{root}><channel><title>Nasty</title>{head}{"".join(items)}</channel></rss>'


def item(title: str, *, link: str | None = "", guid: str | None = "", extra: str = "") -> str:
    """An item; link and guid are made of its title, or left out (None)."""
    place = f"{SITE}/2026/{title.lower().replace(' ', '-')}"
    link_element = "" if link is None else f"<link>{link or place}</link>"
    guid_element = "" if guid is None else f"<guid isPermaLink='false'>{guid or place}</guid>"
    return f"<item><title>{title}</title>{link_element}{guid_element}{extra}</item>"


def doc(*items: str, head: str = "", root: str = "", **headers: str) -> Answer:
    return Answer(body=feed(*items, head=head, root=root).encode(), headers=headers)


def dated(date: str) -> str:
    return f"<pubDate>{date}</pubDate>"


ONE, TWO = item("Story one"), item("Story two")
BOTH = ("Story one", "Story two")
GOOD = doc(ONE, TWO)
CUT = feed(item("Story three"), ONE, TWO).encode()
TRACKED = f"{SITE}/story?id=7&amp;utm_source=rss"


@dataclass(frozen=True, kw_only=True)
class Nasty:
    """A row, or one of its cases."""

    id: str
    answers: Sequence[Script]
    #: titles that are stored in the end
    titles: Sequence[str] = ()
    #: what each poll came to: the code of its error, or its outcome
    outcomes: Sequence[str]
    #: of the last poll
    warnings: Sequence[str] = ()


def nasty(row: str, *answers: Script, titles: Sequence[str] = BOTH, said: str = "new", warned: str = "") -> Nasty:
    """`said`: the outcomes, apart by blanks."""
    return Nasty(id=row, answers=answers, titles=titles, outcomes=said.split(), warnings=warned.split())


def raw(body: bytes, **headers: str) -> Answer:
    return Answer(body=body, headers=headers)


RDF = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
    '<channel rdf:about="x"><title>R</title></channel>{}</rdf:RDF>'
)
OUTSIDE = "".join(
    f'<item rdf:about="{SITE}/{n}"><title>Story {n}</title><link>{SITE}/{n}</link></item>' for n in ("one", "two")
)
ATOM_03 = '<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title>A</title>{}</feed>'
ENTRIES = "".join(f"<entry><id>urn:{n}</id><title>Story {n}</title></entry>" for n in ("one", "two"))
HAN = "".join(item(title, extra=dated(date)) for title, date in (("Story one", "2. März 2026"), ("Story two", "soon")))


def guids(prefix: str) -> Answer:
    """The same four stories under other guids."""
    return doc(*(item(f"Story {n}", guid=f"{prefix}-{n}") for n in FOUR))


FOUR = ("one", "two", "three", "four")
FOUR_TITLES = tuple(sorted(f"Story {n}" for n in FOUR))
MANY = tuple(f"Story {n}" for n in range(300))

ROWS = [
    nasty("1 byte order mark", raw(b"\xef\xbb\xbf" + b'<?xml version="1.0"?>' + feed(ONE, TWO).encode())),
    nasty("2 blank lines first", raw(b"\n \r\n\t" + b'<?xml version="1.0"?>' + feed(ONE, TWO).encode())),
    nasty("3 no declaration", GOOD),
    nasty(
        "4 control characters",
        doc(item("Story\x02 o\x06ne"), item("Sto\x08ry \x0btwo")),
        warned="control-characters",
    ),
    nasty(
        "5 not well-formed",
        doc(item("Story one", extra="<description>a & b <br> c</description></b>"), TWO),
        warned="ill-formed",
    ),
    nasty(
        "6 short Content-Length",
        GOOD,
        Answer(raw=OK + b"Content-Length: 9999\r\n\r\n" + CUT[: CUT.index(b"Story two") + 5]),
        titles=(*BOTH, "Story three"),
        said="new new",
        warned="truncated",
    ),
    nasty(
        "6 cut chunk",
        GOOD,
        Answer(raw=OK + b"Transfer-Encoding: chunked\r\n\r\nfff\r\n" + CUT),
        said="new protocol-error",
    ),
    *(
        nasty(f"7 {name}", answer, titles=("Störy one",))
        for name, answer in {
            "utf-8 said to be latin": raw(
                feed(item("Störy one")).encode(), **{"Content-Type": "text/xml; charset=iso-8859-1"}
            ),
            "latin said to be utf-8": raw(
                b'<?xml version="1.0" encoding="utf-8"?>' + feed(item("Störy one")).encode("latin-1")
            ),
            "unknown label": raw(feed(item("Störy one")).encode(), **{"Content-Type": "text/xml; charset=klingon"}),
            "utf8 without its dash": raw(b'<?xml version="1.0" encoding="utf8"?>' + feed(item("Störy one")).encode()),
            "utf-16 said, utf-8 meant": raw(
                b'<?xml version="1.0" encoding="utf-16"?>' + feed(item("Störy one")).encode()
            ),
        }.items()
    ),
    *(
        nasty(f"8 {kind or 'no type'}", doc(ONE, TWO, **{"Content-Type": kind}))
        for kind in ("text/html", "text/plain", "application/octet-stream", "image/png", "")
    ),
    nasty("9 a page with 200", GOOD, raw(PAGE), said="new not-a-feed"),
    nasty(
        "10 challenge 202", GOOD, Answer(status=202, headers={"x-amzn-waf-action": "challenge"}), said="new challenge"
    ),
    nasty("10 challenge 403", GOOD, Answer(status=403, headers={"cf-mitigated": "challenge"}), said="new challenge"),
    nasty("10 plain 202", GOOD, Answer(status=202), said="new http-202"),
    nasty("10 429, empty", GOOD, Answer(status=429), said="new http-429"),
    nasty("11 for ever", GOOD, Answer(status=302, headers={"Location": "/feed"}), said="new redirect-loop"),
    nasty(
        "12 maintenance",
        GOOD,
        *[Answer(status=301, headers={"Location": "/maintenance"})] * 9,
        doc(item("Story three"), ONE),
        titles=(*BOTH, "Story three"),
        said="new " + "not-a-feed " * 9 + "new",
    ),
    nasty("13 never 200", Answer(status=304), titles=(), said="http-304"),
    nasty("14 ETag of the moment", *(doc(ONE, TWO, ETag=f'"{n}"') for n in range(3)), said="new same same"),
    nasty("15 Retry-After: -1", GOOD, Answer(status=503, headers={"Retry-After": "-1"}), said="new http-503"),
    nasty(
        "16 no guid",
        *[doc(item("Story one", guid=None), item("Story two", guid=None), head=h) for h in ("", " ")],
        said="new new",
    ),
    nasty(
        "16 neither guid nor link",
        *[doc(item("Story one", guid=None, link=None), item("Story two", guid=None, link=None), head=h) for h in "ab"],
        said="new new",
    ),
    nasty(
        "17 empty guid",
        doc(item("Story one", guid=" "), item("Story two", guid=" ")),
    ),
    nasty(
        "17 one guid for all",
        *[doc(item("Story one", guid="x"), item("Story two", guid="x"), head=h) for h in ("", " ")],
        said="new new",
        warned="duplicate-guids",
    ),
    nasty(
        "18 new guids at every poll",
        *(guids(str(n)) for n in range(4)),
        titles=FOUR_TITLES,
        said="new new new new",
        warned="unstable-ids",
    ),
    nasty(
        "19 guids migrate",
        guids("old"),
        guids("new"),
        titles=FOUR_TITLES,
        said="new new",
        warned="guids-changed",
    ),
    nasty("21 no dates, odd dates", raw(feed(HAN).encode())),
    nasty(
        "25 tracking",
        *(doc(item("Story one", guid=None, link=TRACKED + n)) for n in "ab"),
        titles=BOTH[:1],
        said="new new",
    ),
    nasty(
        "28 escaped twice",
        doc(item("Story &amp;amp; one"), item("&lt;b&gt;Story&lt;/b&gt; two")),
        titles=("Story & one", "Story two"),
    ),
    nasty("31 three hundred items", doc(*map(item, MANY)), titles=sorted(MANY)),
    nasty("31 a single item", *(doc(item(f"Story {n}")) for n in FOUR), titles=FOUR_TITLES, said="new new new new"),
    nasty("32 empty", GOOD, raw(b""), said="new empty-body"),
    nasty("32 no items", GOOD, doc(), said="new new"),
    nasty(
        "32 far shorter",
        doc(*map(item, MANY)),
        doc(item("Story 0")),
        titles=sorted(MANY),
        said="new new",
        warned="shrunk",
    ),
    nasty("32 all gone", doc(*map(item, MANY)), doc(), titles=sorted(MANY), said="new new", warned="shrunk"),
    nasty("33 bomb", GOOD, raw(gzip.compress(bytes(20_000_000)), **{"Content-Encoding": "gzip"}), said="new too-large"),
    nasty("33 gzip in gzip", raw(gzip.compress(gzip.compress(GOOD.body)), **{"Content-Encoding": "gzip"})),
    nasty("33 gzip unsaid", raw(gzip.compress(GOOD.body))),
    nasty("33 gzip said, not done", raw(GOOD.body, **{"Content-Encoding": "gzip"})),
    nasty(
        "33 laughs",
        GOOD,
        raw(b'<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + feed(item("&b;")).encode()),
        said="new xml-entity",
    ),
    nasty("33 doctype", raw(b'<!DOCTYPE rss SYSTEM "http://127.0.0.1:9/rss.dtd">' + feed(ONE, TWO).encode())),
    nasty("34 items outside the channel", raw(RDF.format(OUTSIDE).encode())),
    nasty("34 CDATA", doc(item("<![CDATA[Story one]]>", link=f"{SITE}/1", guid="1"), TWO)),
    nasty("34 undeclared prefix", doc(item("Story one", extra="<media:thing>x</media:thing>"), TWO)),
    nasty("34 Atom 0.3", raw(ATOM_03.format(ENTRIES).encode())),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_real_server_does(desk: Desk, row: Nasty) -> None:
    desk.origin.on("/maintenance", raw(PAGE))
    results = polls(desk, *row.answers)
    assert [result.error.code if result.error else result.outcome for result in results] == list(row.outcomes)
    assert desk.titles() == sorted(row.titles)
    assert set(row.warnings) <= set(results[-1].warnings)
    assert all(result.next_poll >= result.polled_at + HOUR for result in results)


def test_every_row_is_here() -> None:
    in_table = {int(row.id.split()[0]) for row in ROWS}
    on_their_own = {int(number) for name in globals() for number in re.findall(r"(?<=_)\d+(?=_)", name)}
    assert in_table | on_their_own >= set(range(1, 36))


def polls(desk: Desk, *answers: Script) -> list[PollResult]:
    """A source that is asked hourly, once for each answer."""
    desk.follow(Subscription(url=desk.origin.on("/feed", *answers), interval=HOUR))
    results = []
    for _ in answers:
        results.append(desk.once())
        desk.now = results[-1].next_poll
    return results


def items(desk: Desk) -> list[Item]:
    """What is stored, newest first."""
    return desk.store.latest(Scope(), limit=0)


def test_6_half_a_document_edits_nothing_and_is_asked_for_again(desk: Desk) -> None:
    edited = CUT.replace(b"Story one</title>", b"Story one, edited</title>")
    half = Answer(raw=OK + b'ETag: "2"\r\nContent-Length: 9999\r\n\r\n' + edited[:-60])
    polls(desk, doc(ONE, TWO, ETag='"1"'), half, GOOD)
    assert desk.titles() == ["Story one", "Story three", "Story two"]
    assert [request.headers.get("if-none-match") for request in desk.origin.requests] == [None, '"1"', '"1"']


def test_9_the_page_is_quoted_and_slows_polls_down(desk: Desk) -> None:
    *_, first, second = polls(desk, GOOD, raw(PAGE), raw(PAGE))
    assert first.error is not None
    assert "Under construction" in first.error.message
    assert second.next_poll - second.polled_at == 2 * (first.next_poll - first.polled_at)


def test_11_a_server_that_wants_its_cookie_back_gets_it_once(desk: Desk) -> None:
    def bound(request: Request) -> Answer:
        back = {"Location": "/feed", "Set-Cookie": "seen=1"}
        return GOOD if "seen=1" in request.headers.get("cookie", "") else Answer(status=302, headers=back)

    assert [result.outcome for result in polls(desk, bound)] == ["new"]
    assert len(desk.origin.requests) == 2


def test_12_a_redirect_that_ends_has_changed_nothing(desk: Desk) -> None:
    desk.origin.on("/maintenance", raw(PAGE))
    polls(desk, GOOD, *[Answer(status=301, headers={"Location": "/maintenance"})] * 30, GOOD)
    assert desk.now - START > 10 * DAY
    assert desk.origin.requests[-1].path == "/feed"


@pytest.mark.parametrize("body", [b"", GOOD.body])
def test_13_a_304_may_bring_a_body_that_nobody_reads(desk: Desk, body: bytes) -> None:
    rest = b"HTTP/1.1 304 Not Modified\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    results = polls(desk, doc(ONE, TWO, ETag='"1"'), Answer(raw=rest), Answer(raw=rest))
    assert [result.outcome for result in results] == ["new", "not-modified", "not-modified"]


def test_13_a_304_for_ever_is_doubted(desk: Desk) -> None:
    def always(request: Request) -> Answer:
        is_conditional = "if-none-match" in request.headers
        return Answer(status=304) if is_conditional else doc(*posts, ETag='"for ever"')

    daily = [format_datetime(START - n * DAY) for n in range(9)]
    posts = [item(f"Story {n}", extra=dated(date)) for n, date in enumerate(daily)]
    desk.follow(Subscription(url=desk.origin.on("/feed", always), interval=6 * HOUR))
    desk.live(HOUR)
    posts = [item("At last"), *posts]
    desk.live(20 * DAY)
    assert "At last" in desk.titles()


@pytest.mark.parametrize("date", ["Tue, 19 Jan 2038 03:14:07 GMT", "Tue, 01 Jan 1980 00:00:00 GMT", "yesterday"])
def test_14_validators_are_echoed_whatever_they_say(desk: Desk, date: str) -> None:
    polls(desk, doc(ONE, **{"Last-Modified": date}), Answer(status=304))
    assert desk.origin.requests[-1].headers["if-modified-since"] == date


@pytest.mark.parametrize(
    ("headers", "hours"),
    [
        ({"Cache-Control": "max-age=504576000"}, 24),
        ({"Expires": "Thu, 01 Jan 1981 00:00:00 GMT"}, 1),
        ({"Cache-Control": "max-age=a while"}, 1),
    ],
)
def test_15_hints_that_nobody_can_mean(desk: Desk, headers: dict[str, str], hours: int) -> None:
    (result,) = polls(desk, doc(ONE, **headers))
    assert result.next_poll - result.polled_at == hours * HOUR


@pytest.mark.parametrize("value", ["-1", "soon", "9 9"])
def test_15_a_retry_after_that_is_none_is_four_intervals(desk: Desk, value: str) -> None:
    (result,) = polls(desk, Answer(status=503, headers={"Retry-After": value}))
    assert result.next_poll - result.polled_at == 4 * HOUR


def test_20_dates_that_are_always_now_move_nothing(desk: Desk) -> None:
    def now(_: Request) -> Answer:
        return doc(item("Story one", extra=dated(format_datetime(desk.now))))

    first = polls(desk, now, now, now)[0]
    (one,) = items(desk)
    assert one.published == first.polled_at


@pytest.mark.parametrize(
    ("date", "read"),
    [
        ("2. März 2026", datetime(2026, 3, 2, tzinfo=UTC)),
        ("lunes, 2 de marzo de 2026", datetime(2026, 3, 2, tzinfo=UTC)),
        ("Mon, 02 Mar 2026 10:00:00 EST", datetime(2026, 3, 2, 15, tzinfo=UTC)),
        ("Mon, 02 Mar 2026 10:00:00 XYZ", datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ("Mon, 02 Mar 2026 00:00:00 GMT", datetime(2026, 3, 2, tzinfo=UTC)),
        ("when it suits us", START),
        ("", START),
        (format_datetime(START + 300 * DAY), START),
    ],
)
def test_21_22_23_dates_as_they_are_written(desk: Desk, date: str, read: datetime) -> None:
    polls(desk, doc(item("Story one", extra=dated(date))))
    (one,) = items(desk)
    assert one.published == read


@pytest.mark.parametrize("date", ["", dated("Mon, 02 Mar 2026 00:00:00 GMT"), dated("Mon, 02 Mar 2099 00:00:00 GMT")])
def test_24_one_date_for_all_is_the_order_of_the_document(desk: Desk, date: str) -> None:
    titles = [f"Story {n}" for n in range(20)]
    polls(desk, doc(*(item(title, extra=date) for title in titles)))
    assert [one.title for one in items(desk)] == titles


def test_25_links_stay_as_they_are_and_are_compared_without_their_tracks(desk: Desk) -> None:
    links = [f"{SITE}/story?id=7&amp;{track}" for track in ("utm_source=rss", "at_medium=RSS", "fbclid=x", "ref=rss")]
    polls(desk, *(doc(item("Story one", guid=None, link=link)) for link in links))
    (one,) = items(desk)
    assert one.url == f"{SITE}/story?id=7&ref=rss", "the latest, as it is written"


def test_26_the_original_behind_a_proxy_is_the_address(desk: Desk) -> None:
    original = f"<feedburner:origLink>{SITE}/story</feedburner:origLink>"
    root = ' xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0"'
    polls(desk, doc(item("Story one", link="http://feedproxy.google.com/~r/x/~3/abc/", extra=original), root=root))
    assert [one.url for one in items(desk)] == [f"{SITE}/story"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("/story", "/story"),
        ("\n   story\n", "/story"),
        (f"{SITE}/a\n/story", None),
        ("?id=7&amp;amp;ref=rss", "/feed?id=7&ref=rss"),
    ],
)
def test_27_links_that_need_a_hand(desk: Desk, written: str, read: str | None) -> None:
    polls(desk, doc(item("Story one", link=written)))
    (one,) = items(desk)
    assert one.url == (f"{SITE}/a/story" if read is None else desk.origin.url(read))


def test_29_what_has_no_title_or_no_link_gets_one(desk: Desk) -> None:
    note = "<item><guid isPermaLink='false'>1</guid><description>A word or two about the weather</description></item>"
    talk = item("Talk", link=None, guid="2", extra=f'<enclosure url="{SITE}/talk.mp3" length="9" type="audio/mpeg"/>')
    polls(desk, doc(note, talk))
    assert {one.title: one.url for one in items(desk)} == {
        "A word or two about the weather": None,
        "Talk": f"{SITE}/talk.mp3",
    }


def test_30_counters_are_no_edits(desk: Desk) -> None:
    def counted(request: Request) -> Answer:
        views = len(desk.origin.requests)
        root = ' xmlns:media="http://search.yahoo.com/mrss/"'
        counter = f'<media:community><media:statistics views="{views}"/></media:community>'
        head = f"<lastBuildDate>{format_datetime(desk.now)}</lastBuildDate>"
        return doc(item("Story one", extra=counter), head=head, root=root)

    desk.follow(Subscription(url=desk.origin.on("/feed", counted), interval=HOUR))
    for _ in range(3):
        (polled,) = desk.poll()
        assert polled.stored is not None
        assert polled.stored.updated == 0
        desk.now = polled.result.next_poll
    assert polled.result.outcome == "new", "the document has changed, the story has not"


def test_35_two_addresses_of_one_feed_are_one_item_each(desk: Desk) -> None:
    desk.follow(*(Subscription(url=desk.origin.on(path, GOOD)) for path in ("/a", "/b")))
    for _ in range(2):
        desk.poll()
        desk.now += timedelta(seconds=2)
    assert len({one.id for one in items(desk)}) == 2


def test_32_short_documents_and_slow_shrinking_are_no_sign_of_anything(desk: Desk) -> None:
    sizes = (9, 1, 60, 30, 12, 5, 1)
    results = polls(desk, *(doc(*map(item, MANY[:size])) for size in sizes))
    assert [result.warnings for result in results] == [()] * len(sizes)
