"""Pages in a real browser: accessible, usable by keyboard, nothing that runs; and the Nu checker's word on the HTML."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import chromium
import page_samples as samples
import pytest
from aiohttp import web
from chromium import Chromium
from test_pages import EVERY, article, front

from aggregator.publish.listing import Listing
from aggregator.publish.pages import Pages
from aggregator.publish.pages.assets import THEMES
from aggregator.publish.web.app import _headers

PAGES = Pages(samples.SITE)
#: where `make tools` puts what npm has
NPM = Path(__file__).parents[2] / ".venv" / "npm" / "node_modules"
AXE = NPM / "axe-core" / "axe.min.js"
NU = NPM / "vnu-jar" / "build" / "dist" / "vnu.jar"

needs_chromium = pytest.mark.skipif(chromium.found() is None, reason="needs chromium")
needs_axe = pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: make tools")
needs_nu = pytest.mark.skipif(not NU.exists() or not shutil.which("java"), reason="needs vnu-jar and java: make tools")


@asynccontextmanager
async def site(pages: dict[str, str], made: Pages = PAGES, late: asyncio.Event | None = None) -> AsyncIterator[str]:
    """These pages and what they refer to, under the headers of the real server; the address before their paths.

    ``/late.jpg`` is not found, once `late` is set.
    """

    async def handle(request: web.Request) -> web.Response:
        asset = made.assets.get(request.path)
        if asset is not None:
            response = web.Response(body=asset.body, headers={"Content-Type": asset.content_type})
        elif request.path in pages:
            response = web.Response(text=pages[request.path], content_type="text/html", charset="utf-8")
        elif request.path == "/late.jpg" and late is not None:
            await late.wait()
            response = web.Response(status=404)
        else:
            response = web.Response(status=204)
        response.headers.update(_headers(made.site, response))
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        listener = web.TCPSite(runner, "127.0.0.1", 0)
        await listener.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@cache
def named() -> dict[str, str]:
    """Every page under an address of its own."""
    return {f"/{name.replace(' ', '-').replace(',', '')}": make(PAGES) for name, make in EVERY.items()}


Story = Callable[[Chromium, str], Awaitable[None]]
Look = Callable[..., None]


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[asyncio.Runner, Chromium]]:
    """One browser for all of these tests; each has windows of its own."""
    with asyncio.Runner() as runner:
        starting = chromium.browser()
        opened = runner.run(starting.__aenter__())
        yield runner, opened
        runner.run(starting.__aexit__(None, None, None))


@pytest.fixture
def look(running: tuple[asyncio.Runner, Chromium]) -> Look:
    """Plays a story over pages that are served to the browser, and closes its windows."""
    runner, opened = running

    def looks(pages: dict[str, str], story: Story, **served: Any) -> None:
        async def run() -> None:
            async with site(pages, **served) as base:
                await story(opened, base)
                await opened.close_all()

        runner.run(run())

    return looks


@needs_chromium
@needs_axe
def test_axe_finds_nothing_on_any_page(look: Look) -> None:
    """Wide in light colours, narrow in dark ones."""
    found: list[str] = []

    async def story(opened: Chromium, base: str) -> None:
        page = await opened.open("about:blank")
        await page.send("Page.addScriptToEvaluateOnNewDocument", source=AXE.read_text("utf-8"))
        for path in named():
            await page.go(base + path)
            for width, dark in ((1280, False), (390, True)):
                await page.resize(width)
                await page.media("", dark=dark)
                result = await page.run(
                    "axe.run(document, {resultTypes: ['violations'], preload: false, iframes: false})"
                )
                found.extend(_in_words(f"{path} at {width}", violation) for violation in result["violations"])

    look(named(), story)
    assert not found, "\n".join(found)


def _in_words(path: str, violation: dict[str, Any]) -> str:
    nodes = "; ".join(f"{node['html'][:120]} {node['failureSummary']}" for node in violation["nodes"][:3])
    return f"{path}: {violation['id']} ({violation['help']}): {nodes}"


@needs_nu
def test_the_nu_checker_has_no_objection(tmp_path: Path) -> None:
    for path, text in named().items():
        (tmp_path / f"{path[1:]}.html").write_text(text, encoding="utf-8")
    command = ["java", "-jar", str(NU), "--format", "json", "--exit-zero-always", *map(str, tmp_path.glob("*.html"))]
    checked = subprocess.run(command, capture_output=True, check=True, timeout=240)
    messages = json.loads(checked.stderr)["messages"]
    assert [
        f"{Path(message['url']).name}:{message.get('lastLine')}: {message['message']} {message.get('extract', '')}"
        for message in messages
    ] == []


@needs_chromium
def test_data_for_machines_passes_the_policy_and_nothing_runs(look: Look) -> None:
    """The page of an item whose every text tries to run something."""
    evil = '</script><script>document.title="ran"</script><img src=x onerror=\'document.title="ran"\'>'
    text = article(0, title=evil, author=evil, section=evil)
    inline = text.replace("</main>", '<script>document.title="ran"</script><p style="color:red">x</p></main>')

    async def story(opened: Chromium, base: str) -> None:
        page = await opened.open(f"{base}/evil")
        data = await page.run("JSON.parse(document.querySelector('script').textContent).headline")
        assert data == evil[:110]
        assert "ran" not in (await page.run("document.title")).split(" - ")
        assert [line for line in page.complaints if "Content Security Policy" in line] == []
        page = await opened.open(f"{base}/inline")
        assert await page.run("document.title") != "ran"
        refused = [line for line in page.complaints if "Content Security Policy" in line]
        assert len(refused) == 2, "one inline script, one inline style: the policy is in force"

    look({"/evil": text, "/inline": inline}, story)


@needs_chromium
def test_the_keyboard_is_enough(look: Look) -> None:
    """Tab leads to the skip link first, every stop is visible, and Enter on the skip link goes to the content."""

    async def story(opened: Chromium, base: str) -> None:
        page = await opened.open(f"{base}/article")
        await page.press("Tab", 9)
        assert await page.run("document.activeElement.className") == "skip"
        assert await page.run("document.activeElement.getBoundingClientRect().top >= 0")
        await page.press("Enter", 13)
        assert await page.run("document.activeElement.id || location.hash") in {"content", "#content"}
        stops = set()
        for _ in range(12):
            await page.press("Tab", 9)
            stops.add(await page.run("document.activeElement.textContent.trim().slice(0, 20)"))
            style = "getComputedStyle(document.activeElement)"
            assert await page.run(f"{style}.outlineStyle !== 'none' && parseFloat({style}.outlineWidth) >= 2")
        assert len(stops) > 8
        assert "Skip to the content" not in stops

    look({"/article": article()}, story)


@needs_chromium
def test_no_page_is_wider_than_its_window(look: Look) -> None:
    async def story(opened: Chromium, base: str) -> None:
        page = await opened.open("about:blank")
        for path in named():
            await page.go(base + path)
            for width in (1280, 768, 390, 320):
                await page.resize(width)
                assert await page.run("document.documentElement.scrollWidth <= innerWidth"), (path, width)

    look(named(), story)


#: where nobody listens
DEAD = "http://127.0.0.1:9/gone.jpg"


def pictured(image: str) -> str:
    """The front page with this picture beside every story."""

    def told(listing: Listing) -> Listing:
        items = (replace(place, item=replace(place.item, image_url=image)) for place in listing.places)
        return replace(listing, places=tuple(items))

    return front(recommended=told(samples.RECOMMENDED), latest=told(samples.LATEST), covered=())


@needs_chromium
def test_a_picture_that_does_not_come_takes_no_room(look: Look) -> None:
    """Neither beside a story nor in a text, unless words say what it shows; and no broken one is seen."""
    html = f'<p>One.</p><p><img src="{DEAD}"></p><p><img src="{DEAD}?2" alt="A boat"></p>'

    async def story(opened: Chromium, base: str) -> None:
        page = await opened.open(f"{base}/front", width=1440)
        pictures = "[...document.querySelectorAll('.pic img')]"
        await page.run(
            f"Promise.all({pictures}.map(one => (one.loading = 'eager', one.decode().catch(() => 0)))).then(() => 0)"
        )
        assert await page.run(f"{pictures}.length") > 3
        assert set(await page.run(f"{pictures}.map(one => one.getBoundingClientRect().height)")) == {0}
        page = await opened.open(f"{base}/there", width=1440)
        width, height = await page.run(f"(box => [box.width, box.height])({pictures}[0].getBoundingClientRect())")
        assert width > 300
        assert width / height == pytest.approx(16 / 9, rel=0.01)
        page = await opened.open(f"{base}/text")
        pictures = "[...document.querySelectorAll('.prose img')]"
        await page.run(f"Promise.all({pictures}.map(one => one.decode().catch(() => 0))).then(() => 0)")
        silent, told = await page.run(f"{pictures}.map(one => one.getBoundingClientRect().height)")
        assert silent == 0
        assert told > 12

    there = pictured("https://here.example/a.svg").replace("https://here.example/a.svg", "/favicon.svg")
    look({"/text": article(1, summary_html=html), "/front": pictured(DEAD), "/there": there}, story)


#: adds up how far things move that nobody has asked to (layout-instability, 2.3)
MOVES = """window.moved = 0; new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.moved += entry.value;
}).observe({type: 'layout-shift', buffered: true})"""


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_where_a_small_picture_fails_late(look: Look, width: int) -> None:
    """And there is nothing to be seen in its place."""
    late = asyncio.Event()
    page_text = pictured("https://here.example/a.jpg").replace("https://here.example/a.jpg", "/late.jpg")
    lead, rest = page_text.split('<div class="seconds">', 1)

    async def story(opened: Chromium, base: str) -> None:
        page = await opened.open("about:blank", width=width)
        await page.send("Page.addScriptToEvaluateOnNewDocument", source=MOVES)
        await page.send("Page.navigate", url=f"{base}/front")
        await page.until("performance.getEntriesByType('paint').length > 1")
        small = "[...document.querySelectorAll('.side .pic img')]"
        rooms = f"{small}.map(one => one.parentElement.getBoundingClientRect().width)"
        before = await page.run(rooms)
        assert min(before) > 60
        late.set()
        await page.until("document.readyState === 'complete'")
        await page.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))")
        assert await page.run(f"{small}.every(one => one.complete && !one.naturalWidth)")
        assert await page.run(rooms) == before
        assert await page.run("window.moved") == 0
        assert set(await page.run(f"{small}.map(one => one.getBoundingClientRect().height)")) == {0}
        ground = f"{small}.map(one => getComputedStyle(one.parentElement).backgroundColor)"
        assert set(await page.run(ground)) == {"rgba(0, 0, 0, 0)"}

    whole = lead.replace('src="/late.jpg"', 'src="/favicon.svg"') + '<div class="seconds">' + rest
    look({"/front": whole}, story, late=late)


@needs_chromium
def test_a_theme_is_chosen_by_one_rule(look: Look) -> None:
    """`/theme.css` decides, whatever the system says; without a choice the system does."""

    async def story(opened: Chromium, base: str) -> None:
        for system in (False, True):
            page = await opened.open(f"{base}/front", dark=system)
            paper = "getComputedStyle(document.body).backgroundColor"
            dark, light = "rgb(23, 21, 19)", "rgb(252, 250, 246)"
            assert await page.run(paper) == (dark if system else light)
            for name, colour in (("dark", dark), ("light", light)):
                rule = THEMES[name].decode()
                await page.run("document.adoptedStyleSheets = [new CSSStyleSheet()]; 0")
                await page.run(f"document.adoptedStyleSheets[0].replaceSync({rule!r}); 0")
                assert await page.run(paper) == colour

    look({"/front": front()}, story)


@needs_chromium
def test_keys_go_from_title_to_title_where_the_script_is_on(look: Look) -> None:
    pages = Pages(replace(samples.SITE, script=True))

    async def story(opened: Chromium, base: str) -> None:
        page = await opened.open(f"{base}/front")
        assert [line for line in page.complaints if "Content Security Policy" in line] == []
        titles = "[...document.querySelectorAll(\"main :is(h2, h3, h4, .t) > a[href*='/item/']\")]"
        at = f"{titles}.indexOf(document.activeElement)"
        for key, expected in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
            await page.press(key, ord(key.upper()))
            assert await page.run(at) == expected
        where = await page.run("document.activeElement.pathname")
        await page.run(
            "addEventListener('click', event => { event.preventDefault(); window.opened = event.target.pathname; }); 0"
        )
        await page.press("o", ord("O"))
        assert await page.run("window.opened") == where

    look({"/front": front(pages)}, story, made=pages)


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_every_stop_of_the_keyboard_is_in_the_window(look: Look, width: int) -> None:
    """The search button among them: nothing that is focused stands beside the page."""

    async def story(opened: Chromium, base: str) -> None:
        page = await opened.open(f"{base}/front", width=width)
        for _ in range(14):
            await page.press("Tab", 9)
            box = await page.run("(b => [b.left, b.right, b.width])(document.activeElement.getBoundingClientRect())")
            told = await page.run("document.activeElement.outerHTML.slice(0, 90)")
            # the sections scroll inside their row, where a browser may leave the end of one outside
            assert box[0] >= 0, told
            assert box[0] + min(box[2], 24) <= width, told
            assert box[2] > 1
        assert await page.run("document.documentElement.scrollLeft") == 0

    look({"/front": front()}, story)


@needs_chromium
def test_where_the_keyboard_is_is_not_cut_off(look: Look) -> None:
    """The ring stands around the title: the title cuts off what is around its link."""

    async def story(opened: Chromium, base: str) -> None:
        page = await opened.open(f"{base}/front")
        await page.run("document.querySelector('.card h3 a').focus({focusVisible: true})")
        style = "getComputedStyle(document.activeElement)"
        assert await page.run(f"{style}.outlineStyle") == "solid"
        assert await page.run(f"{style}.outlineWidth") == "2px"

    look({"/front": front()}, story)


@needs_chromium
def test_a_wide_table_is_scrolled_and_its_words_stay_whole(look: Look) -> None:
    async def story(opened: Chromium, base: str) -> None:
        page = await opened.open(f"{base}/article", width=390)
        assert await page.run("document.querySelector('.prose table').scrollWidth > innerWidth")
        assert await page.run("document.querySelector('.prose td').offsetHeight") < 60

    look({"/article": article()}, story)
