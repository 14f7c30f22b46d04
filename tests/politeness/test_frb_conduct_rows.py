"""FRB 080 to 141: identity, addresses, back-off, changes of servers, encodings."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import ssl
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from desk import DAY, HOUR, LIMITS, MINUTE, SOON_SILENT, START, Desk, InProcess
from origin import Answer, rss
from publishing import SITE
from rows import frb
from year import NEW, OLD, Year

from aggregator import __version__, assemble, config
from aggregator.cli import run_command
from aggregator.collect.discover import FoundFeed, discover
from aggregator.collect.fetch import Fetcher
from aggregator.collect.fetch.dialer import LookUp
from aggregator.collect.guard import Guard
from aggregator.errors import CollectError
from aggregator.model import PollResult, Subscription
from aggregator.publish.lists import Lists
from aggregator.publish.pages import Pages
from aggregator.publish.rendering import Rendering

CONTACT = "https://reader.dev/about"
SETTINGS = f'[site]\ncontact = "{CONTACT}"\n[[sources]]\nurl = "https://news.example/feed"\n'
PAGE = b"<!doctype html><html><head><title>The Shop</title></head><body>Please log in</body></html>"


def user_agent() -> str:
    return assemble.user_agent(config.parse(SETTINGS))


def look_at(url: str, *, look_up: LookUp | None = None) -> list[FoundFeed]:
    """The feeds found at `url`, as `aggregator add` finds them."""

    async def run() -> list[FoundFeed]:
        fetcher = Fetcher(LIMITS, Guard(["127.0.0.0/8"]), "test", look_up=look_up)
        try:
            return await discover(fetcher, InProcess(), url)
        finally:
            await fetcher.close()

    return asyncio.run(run())


# --- identity -------------------------------------------------------------------------------------------------------


@frb("080", "User-Agent")
def test_frb_080_there_is_a_user_agent(year: Year) -> None:
    """`aggregator/<version> (feed reader; +<contact>)` on every request; without a contact while there is none."""
    assert re.fullmatch(r"aggregator/\S+ \(feed reader; \+https?://\S+\)", user_agent())
    assert all(one.headers.get("user-agent") for one in year.asked)


@frb("081", "contact address")
def test_frb_081_the_contact_is_the_operators() -> None:
    """The operator's own page, `[site] contact`; every start asks for it while it is missing."""
    assert f"+{CONTACT}" in user_agent()


@frb("082", "useful version")
def test_frb_082_the_version_is_the_programs() -> None:
    """The version that runs."""
    assert user_agent().startswith(f"aggregator/{__version__} ")


@frb("083", "version that changes")
def test_frb_083_the_version_changes_with_the_program(year: Year) -> None:
    """From the first request after an upgrade on, the new one."""
    assert {one.headers["user-agent"] for one in year.asked if one.at < year.upgraded} == {OLD}
    assert {one.headers["user-agent"] for one in year.asked if one.at > year.upgraded} == {NEW}


@frb("084", "no masquerading")
def test_frb_084_no_masquerade() -> None:
    """No name of another program."""
    assert not re.search(r"compatible|like |feedly|newsblur|miniflux|feedparser|bot", user_agent(), re.IGNORECASE)


@frb("085", "no browser's User-Agent")
def test_frb_085_no_browser() -> None:
    """No Mozilla, no engine, no operating system."""
    assert not re.search(r"Mozilla|Gecko|WebKit|Chrome|Safari|Windows|Linux|X11", user_agent())


@frb("086", "not the library's User-Agent")
def test_frb_086_not_the_librarys(desk: Desk) -> None:
    """Not aiohttp's, and nothing of it beside ours."""
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=rss("One")))))
    desk.once()
    assert desk.origin.requests[0].headers["user-agent"] == desk.user_agent


@frb("087", "no morphing")
def test_frb_087_no_morphing(year: Year) -> None:
    """One and the same for a version, whatever the server answers."""
    assert len({one.headers["user-agent"] for one in year.asked}) == 2


@frb("088", "no user's id")
def test_frb_088_no_id_of_a_user(year: Year) -> None:
    """Nothing in a request tells one installation or reader from another, but the operator's contact."""
    known = {"host", "accept", "accept-encoding", "user-agent", "if-none-match", "if-modified-since", "a-im"}
    assert {name for one in year.asked for name in one.headers} <= known


@frb("089", "nobody else's name")
def test_frb_089_nobody_elses_name() -> None:
    """One product, named after this program; no list of ancestors."""
    assert re.findall(r"(\w+)/[\d.]+", user_agent()) == ["aggregator"]


@frb("090", "addresses in the User-Agent are real")
def test_frb_090_no_fake_contact_is_sent() -> None:
    """While a placeholder stands in config.toml (the one that is shipped, or any name that RFC 2606 keeps for nobody),
    no contact is sent at all, and every start and `aggregator check` warn."""
    assert not [one for one in config.parse(SETTINGS).warnings if "placeholder" in one.message]
    shipped = config.load(Path(__file__).parents[2] / "config.toml")
    bare = config.parse(SETTINGS.replace(CONTACT, "me@news.example"))
    for settings in (shipped, bare):
        assert [one for one in settings.warnings if "placeholder" in one.message]
        assert assemble.user_agent(settings) == f"aggregator/{__version__} (feed reader)"


# --- addresses ------------------------------------------------------------------------------------------------------


@frb("100", "do not add bad addresses")
def test_frb_100_bad_addresses_are_not_added(desk: Desk, tmp_path: Path) -> None:
    """`aggregator add` looks before it writes: an address that does not answer with a feed leaves config.toml as it
    was, and so does a page whose declared feed does not."""
    path = tmp_path / "config.toml"
    path.write_text('[polling]\nallow_private_addresses = ["127.0.0.0/8"]\n')
    before = path.read_text()
    desk.origin.on("/shop", Answer(body=PAGE))
    declares = b'<html><link rel="alternate" type="application/rss+xml" href="/nothing"></html>'
    desk.origin.on("/blog", Answer(body=declares))
    for bad in ("/shop", "/nothing", "/blog"):
        assert run_command(["--config", str(path), "add", desk.origin.url(bad)]) == 1
        assert path.read_text() == before


@frb("101", "show what came when adding fails")
def test_frb_101_what_came_is_shown(desk: Desk) -> None:
    """The message says what came instead: the title of the page, the root element, or how it begins."""
    for number, (body, said) in enumerate(((b"hello world", "hello world"), (b"<kml><a/></kml>", "kml"))):
        with pytest.raises(CollectError, match=said):
            look_at(desk.origin.on(f"/{number}", Answer(body=body)))


@frb("102", "recognise what is no feed when adding")
def test_frb_102_pages_are_recognised(desk: Desk) -> None:
    """Pages, sitemaps, lists of feeds and empty answers are told from feeds by their content, whatever their type."""
    desk.follow(Subscription(url=desk.origin.on("/shop", Answer(body=PAGE, headers={"Content-Type": "text/xml"}))))
    error = desk.once().error
    assert error is not None
    assert error.code == "not-a-feed"
    assert "The Shop" in error.message


@frb("103", "link rel=alternate")
def test_frb_103_declared_feeds_are_found(desk: Desk) -> None:
    """The feeds that a page declares are found in the page that was fetched; those of comments come last."""
    links = '<link rel="alternate" type="application/rss+xml" href="{}" title="{}">'
    page = "<html><head>" + links.format("/c", "Comments") + links.format("/all", "All") + "</head></html>"
    found = look_at(desk.origin.on("/", Answer(body=page.encode())))
    assert [one.url for one in found] == [desk.origin.url("/all"), desk.origin.url("/c")]
    assert len(desk.origin.requests) == 1


@frb("104", "no guessing of paths")
def test_frb_104_no_paths_are_guessed(desk: Desk) -> None:
    """None are tried."""
    assert look_at(desk.origin.on("/", Answer(body=PAGE))) == []
    assert len(desk.origin.requests) == 1


@frb("105", "no guessing of hosts")
def test_frb_105_no_hosts_are_guessed() -> None:
    """No www. before it, no feeds. instead, no http for https: a host that does not answer is an error, once."""
    asked: list[tuple[str, int]] = []

    def nobody(host: str, port: int, _: object) -> OSError:
        asked.append((host, port))
        return socket.gaierror(socket.EAI_NONAME, "no such name")

    for url in ("https://news.example/feed", "https://www.news.example/"):
        with pytest.raises(CollectError, match="cannot resolve"):
            look_at(url, look_up=nobody)
    assert asked == [("news.example", 443), ("www.news.example", 443)]


@frb("106", "addresses are private")
@pytest.mark.parametrize("status", [200, 500])
def test_frb_106_addresses_are_private(desk: Desk, capsys: pytest.CaptureFixture[str], status: int) -> None:
    """Passwords and keys within the addresses of feeds are shown nowhere: pages, feeds, logs, errors and commands have
    them redacted."""
    secret = desk.origin.on("/feed", Answer(body=rss("One"), status=status)).replace("//", "//me:s3cret@")
    path = desk.folder / "config.toml"
    path.write_text('[store]\nurl = "sqlite:test.db"\n[polling]\nallow_private_addresses = ["127.0.0.0/8"]\n')
    for command in (["add", "--no-check", f"{secret}?token=t0k3n"], ["poll"], ["status"], ["export"], ["check"]):
        assert run_command(["--config", str(path), *command]) == int(command == ["poll"] and status == 500)
    assert [request.path for request in desk.origin.requests] == ["/feed?token=t0k3n"]
    said = capsys.readouterr()
    for text in (said.out, said.err, *told(desk, capsys).values()):
        assert "s3cret" not in text
        assert "t0k3n" not in text


def told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What an operator is told of the sources, and where."""
    path = desk.folder / "config.toml"
    path.write_text('[store]\nurl = "sqlite:test.db"\n')
    assert run_command(["--config", str(path), "status"]) == 0
    site = Rendering(store=desk.store, site=SITE, lists=Lists(desk.store, SITE), pages=Pages(SITE))
    shown = {
        "page": site.page(lambda pages: pages.status(), now=desk.now).body.decode(),
        "feed": site.status_feed("atom", now=desk.now).body.decode(),
        "command": capsys.readouterr().out,
    }
    return {where: " ".join(text.split()) for where, text in shown.items()}


# --- back-off -------------------------------------------------------------------------------------------------------


def waits(desk: Desk, answer: Answer, times: int = 6) -> list[timedelta]:
    """How long the source is left alone after each of so many failures; it is hourly by configuration."""
    return waits_at(desk, desk.origin.on("/feed", answer), times)


def waits_at(desk: Desk, url: str, times: int) -> list[timedelta]:
    desk.follow(Subscription(url=url, interval=HOUR))
    found = []
    for _ in range(times):
        result = desk.once()
        assert result.outcome == "error"
        found.append(result.next_poll - desk.now)
        desk.now = result.next_poll
    return found


DOUBLING = [HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR, 12 * HOUR]


@frb("110", "slow down if it stops being a feed")
def test_frb_110_no_feed_any_more(desk: Desk) -> None:
    """A page or an empty answer where a feed was changes nothing that is held, and backs off like an error."""
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=rss("One")), Answer(body=PAGE)), interval=HOUR))
    desk.now = desk.once().next_poll
    assert [result.next_poll - result.polled_at for result in (desk.once(),)] == DOUBLING[:1]
    desk.now += HOUR
    assert desk.once().next_poll - desk.now == 2 * HOUR
    assert desk.titles() == ["One"]


@frb("111", "tell about 410")
def test_frb_111_gone_is_told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """A feed that is gone is shown as gone on the status page, in its feed, and by `aggregator status`."""
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(status=410))))
    desk.live(3 * DAY)
    assert desk.health().state == "gone"
    for where, text in told(desk, capsys).items():
        assert "gone" in text.lower(), where
        assert "answered 410" in text, where
        assert "has ended this feed" in text, where


@frb("112", "slow down on 403")
def test_frb_112_403(desk: Desk) -> None:
    """The interval doubles with every failure, up to a day; the upper half of it is drawn by lot."""
    assert waits(desk, Answer(status=403)) == DOUBLING


@frb("113", "slow down on 404")
def test_frb_113_404(desk: Desk) -> None:
    """The same; after two weeks of failures it is asked once a week."""
    assert waits(desk, Answer(status=404)) == DOUBLING
    desk.now += 15 * DAY
    assert desk.once().next_poll - desk.now >= 7 * DAY


@frb("114", "stop on 410")
def test_frb_114_410_ends_it(desk: Desk) -> None:
    """A 410 that is repeated a day later ends the polling for good; a single one may be an accident."""
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(status=410))))
    results = desk.live(3650 * DAY)
    assert [result.outcome for result in results] == ["error", "gone"]
    assert results[1].polled_at - results[0].polled_at >= DAY


@frb("115", "slow down on other 4xx")
@pytest.mark.parametrize("status", [400, 401, 402, 405, 406, 418, 451])
def test_frb_115_other_client_errors(desk: Desk, status: int) -> None:
    """The same doubling for every other 4xx."""
    assert waits(desk, Answer(status=status), times=3) == DOUBLING[:3]


@frb("116", "slow down on names that do not resolve")
def test_frb_116_names(desk: Desk) -> None:
    """The same doubling; unless most hosts fail at once, which is our own network and counted against nobody."""
    desk.follow(Subscription(url="http://nowhere.invalid/feed", interval=HOUR))
    desk.now = desk.once().next_poll
    assert desk.once().next_poll - desk.now == 2 * HOUR


@frb("117", "slow down on connections that fail")
@pytest.mark.parametrize("how", ["refused", "reset", "silent"])
def test_frb_117_connections(desk: Desk, how: str) -> None:
    """The same doubling for refused, reset and silent connections."""
    desk.limits = SOON_SILENT
    answers = {"reset": Answer(raw=b"", end="reset"), "silent": Answer(delay_s=9)}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]  # nobody listens there any more below
    url = f"http://127.0.0.1:{port}/feed" if how == "refused" else desk.origin.on("/feed", answers[how])
    assert waits_at(desk, url, times=3) == DOUBLING[:3]


@frb("118", "slow down on 5xx")
@pytest.mark.parametrize("status", [500, 502, 504, 521])
def test_frb_118_server_errors(desk: Desk, status: int) -> None:
    """The same doubling; 503 as 429: what Retry-After says, else four intervals."""
    assert waits(desk, Answer(status=status), times=3) == DOUBLING[:3]


@frb("119", "slow down on other errors")
@pytest.mark.parametrize(
    "raw",
    [
        b"rubbish\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8bxxxxxxxx",
        b"HTTP/1.1 302 Found\r\nLocation: /feed\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: javascript:1\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_frb_119_other_errors(desk: Desk, raw: bytes) -> None:
    """The same doubling for all that goes wrong besides: bad HTTP, damaged compression, endless redirects."""
    assert waits(desk, Answer(raw=raw), times=3) == DOUBLING[:3]


@frb("120", "communicate errors")
def test_frb_120_errors_are_told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """The status page, its feed and `aggregator status` show each error with a sentence and what to do; the page and
    the command also since when and how often, the feed and the command also a stable code."""
    waits(desk, Answer(status=500), times=3)
    for where, text in told(desk, capsys).items():
        assert "answered 500 Internal Server Error" in text, where
        assert "The server has an internal error" in text, where
        assert where == "page" or "http-500" in text, where
        assert where == "feed" or "3 times" in text, where
    health = desk.health()
    assert health.error is not None
    assert (health.state, health.error.code, health.error_count, health.error_since) == (
        "failing",
        "http-500",
        3,
        START,
    )


# --- changes of servers ---------------------------------------------------------------------------------------------


def redirected(desk: Desk, status: int, span: timedelta = 12 * DAY) -> list[PollResult]:
    """A source that is asked daily, whose address redirects to the feed."""
    desk.origin.on("/old", Answer(status=status, headers={"Location": "/new"}))
    desk.origin.on("/new", Answer(body=rss("One"), conditional=True))
    desk.follow(Subscription(url=desk.origin.url("/old"), interval=DAY))
    return desk.live(span)


@frb("130", "301 is permanent")
def test_frb_130_301(desk: Desk) -> None:
    """Taken over for good after seven days and five polls that all led there, each redirect on the way permanent,
    each time to a feed that shares its entries with the one before."""
    redirected(desk, 301)
    assert len(desk.origin.asked("/old")) == 8
    assert len(desk.origin.asked("/new")) > 11


@frb("131", "308 is permanent")
def test_frb_131_308(desk: Desk) -> None:
    """The same."""
    redirected(desk, 308)
    assert len(desk.origin.asked("/old")) == 8


@frb("132", "tell about permanent redirects")
def test_frb_132_permanent_redirects_are_told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """The status page and `aggregator status` say so from the first sighting on (`moved-permanently`), and where the
    feed is asked once that has been taken over."""
    redirected(desk, 301, span=timedelta(0))
    assert desk.health().warnings == ("moved-permanently",)
    shown = told(desk, capsys)
    assert all("has moved permanently. After a week" in shown[where] for where in ("page", "command"))
    desk.live(12 * DAY)
    shown = told(desk, capsys)
    assert all(f"is polled at {desk.origin.url('/new')}" in shown[where] for where in ("page", "command"))


@frb("133", "302 is temporary")
def test_frb_133_302(desk: Desk) -> None:
    """Followed every time, never taken over."""
    redirected(desk, 302)
    assert len(desk.origin.asked("/old")) == len(desk.origin.asked("/new")) > 11


@frb("134", "307 is temporary")
def test_frb_134_307(desk: Desk) -> None:
    """The same."""
    redirected(desk, 307)
    assert len(desk.origin.asked("/old")) == len(desk.origin.asked("/new")) > 11


@frb("135", "tell about temporary redirects")
def test_frb_135_temporary_redirects_are_told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """The status page and `aggregator status` say so (`redirected`)."""
    redirected(desk, 302, span=timedelta(0))
    assert desk.health().warnings == ("redirected",)
    shown = told(desk, capsys)
    assert all("Its address redirects temporarily" in shown[where] for where in ("page", "command"))


@frb("136", "TLS problems")
def test_frb_136_tls_is_not_given_up(desk: Desk, tls_origin: Callable[[], str]) -> None:
    """A certificate that does not hold is an error with its reason; plain http is never tried instead."""
    desk.follow(Subscription(url=tls_origin()))
    error = desk.once().error
    assert error is not None
    assert error.code == "tls-untrusted"
    assert desk.origin.requests == []


@frb("137", "feeds can merge")
def test_frb_137_merged_feeds_are_asked_for_once(desk: Desk) -> None:
    """Two addresses that lead to one feed for good: the feed is asked for under one of them only, and the other
    source says so; its items stay."""
    desk.origin.on("/old", Answer(status=301, headers={"Location": "/new"}))
    desk.origin.on("/new", Answer(body=rss("One"), conditional=True))
    desk.follow(*(Subscription(url=desk.origin.url(path), interval=DAY) for path in ("/old", "/new")))
    desk.live(9 * DAY)
    before = len(desk.origin.requests)
    desk.live(5 * DAY)
    assert len(desk.origin.requests) - before == 5
    states = {health.ref.url: health for health in desk.store.sources(now=desk.now)}
    merged = states[desk.origin.url("/old")]
    assert merged.error is not None
    assert (merged.state, merged.error.code) == ("gone", "same-feed")
    assert desk.titles() == ["One"]


# --- encodings ------------------------------------------------------------------------------------------------------


@frb("140", "compression of answers")
def test_frb_140_compression_is_asked_for(year: Year) -> None:
    """gzip and deflate; br and zstd too where a module is installed that can decode them within a limit."""
    assert all(one.headers["accept-encoding"].startswith("gzip, deflate") for one in year.asked)


@frb("141", "willingness to decompress")
def test_frb_141_compressed_answers_are_read(desk: Desk) -> None:
    """Bodies are decompressed piece by piece under the size limit, also where the label is missing or wrong."""
    body = rss("One")
    forms = [(gzip.compress(body), "gzip"), (zlib.compress(body), "deflate"), (gzip.compress(body), ""), (body, "gzip")]
    for number, (packed, label) in enumerate(forms):
        headers = {"Content-Encoding": label} if label else {}
        desk.follow(Subscription(url=desk.origin.on(f"/{number}", Answer(body=packed, headers=headers))))
        assert desk.once().outcome == "new"
        desk.now += MINUTE


@pytest.fixture
def tls_origin(desk: Desk) -> Callable[[], str]:
    """A server whose certificate nobody has signed but itself."""
    pem = Path(__file__).parents[1] / "collect" / "self-signed.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    desk.origin._server.socket = context.wrap_socket(desk.origin._server.socket, server_side=True)
    return lambda: desk.origin.url("/feed").replace("http:", "https:")
