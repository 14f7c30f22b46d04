"""Pages in a real browser: accessible, usable by keyboard, nothing that runs; and the Nu checker's word on the HTML."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import chromium
import page_samples as samples
import pytest
from aiohttp import web
from chromium import Chromium
from test_pages import EVERY, article, front

from aggregator.publish.pages import Pages
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
async def site(pages: dict[str, str]) -> AsyncIterator[str]:
    """These pages and what they refer to, under the headers of the real server; the address before their paths."""

    async def handle(request: web.Request) -> web.Response:
        asset = PAGES.assets.get(request.path)
        if asset is not None:
            response = web.Response(body=asset.body, headers={"Content-Type": asset.content_type})
        elif request.path in pages:
            response = web.Response(text=pages[request.path], content_type="text/html", charset="utf-8")
        else:
            response = web.Response(status=204)
        response.headers.update(_headers(samples.SITE, response))
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


def named() -> dict[str, str]:
    """Every page under an address of its own."""
    return {f"/{name.replace(' ', '-').replace(',', '')}": make(PAGES) for name, make in EVERY.items()}


def look(pages: dict[str, str], story: Callable[[Chromium, str], Awaitable[None]]) -> None:
    async def run() -> None:
        async with site(pages) as base, chromium.browser() as opened:
            await story(opened, base)

    asyncio.run(run())


@needs_chromium
@needs_axe
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_axe_finds_nothing_on_any_page(width: int, dark: bool) -> None:
    found: list[str] = []

    async def story(opened: Chromium, base: str) -> None:
        for path in named():
            page = await opened.open(base + path, width=width, dark=dark)
            await page.run(AXE.read_text("utf-8") + "; 0")
            result = await page.run("axe.run(document, {resultTypes: ['violations']})")
            found.extend(_in_words(path, violation) for violation in result["violations"])
            await page.close()

    look(named(), story)
    assert not found, "\n".join(found)


def _in_words(path: str, violation: dict[str, Any]) -> str:
    nodes = "; ".join(f"{node['html'][:120]} {node['failureSummary']}" for node in violation["nodes"][:3])
    return f"{path}: {violation['id']} ({violation['help']}): {nodes}"


@needs_nu
@pytest.mark.timeout(300)
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
@pytest.mark.timeout(120)
def test_data_for_machines_passes_the_policy_and_nothing_runs() -> None:
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
@pytest.mark.timeout(120)
def test_the_keyboard_is_enough() -> None:
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
@pytest.mark.timeout(120)
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_page_is_wider_than_its_window(width: int) -> None:
    async def story(opened: Chromium, base: str) -> None:
        page = await opened.open("about:blank", width=width)
        for path in named():
            await page.go(base + path)
            assert await page.run("document.documentElement.scrollWidth <= innerWidth"), path

    look(named(), story)


#: where nobody listens
DEAD = "http://127.0.0.1:9/gone.jpg"


def led_by(image: str) -> str:
    """The front page with a picture at its head."""
    first, *others = samples.RECOMMENDED.places
    first = replace(first, item=replace(first.item, image_url=image))
    return front(recommended=replace(samples.RECOMMENDED, places=(first, *others)))


@needs_chromium
@pytest.mark.timeout(120)
def test_a_picture_that_does_not_come_shows_no_broken_one() -> None:
    """Covered by a plate with its publisher's name, or by the words that say what it shows; without any, no room."""
    html = f'<p>One.</p><p><img src="{DEAD}"></p><p><img src="{DEAD}?2" alt="A boat"></p>'

    async def story(opened: Chromium, base: str) -> None:
        for path, name in (("/front", "The Harbour Post"), ("/lead", "Field Notes")):
            page = await opened.open(base + path, width=1440)
            cover = "getComputedStyle(document.querySelector(':is(.lead-story, .plate) img'), '::after')"
            assert await page.run(f"{cover}.content") == f'"{name}"'
            assert await page.run(f"{cover}.position") == "absolute"
            assert await page.run(f"{cover}.backgroundColor") == "rgb(244, 239, 229)"
            picture = "document.querySelector(':is(.lead-story, .plate) img').getBoundingClientRect()"
            plate = await page.run(f"[{picture}.width, {picture}.height]")
            assert await page.run(f"[parseFloat({cover}.width), parseFloat({cover}.height)]") == pytest.approx(
                plate, abs=1
            )
        page = await opened.open(f"{base}/text")
        pictures = "[...document.querySelectorAll('.prose img')]"
        await page.run(f"Promise.all({pictures}.map(one => one.decode().catch(() => 0))).then(() => 0)")
        silent, told = await page.run(f"{pictures}.map(one => one.getBoundingClientRect().height)")
        assert silent == 0
        assert told > 12
        assert await page.run(f"getComputedStyle({pictures}[1], '::after').content") == '"A boat"'

    look({"/lead": article(2, image_url=DEAD), "/text": article(1, summary_html=html), "/front": led_by(DEAD)}, story)


@needs_chromium
@pytest.mark.timeout(120)
def test_what_stands_in_columns_stands_in_line() -> None:
    """The picture at the head of the front page above the second column; the tables of the status page."""

    async def story(opened: Chromium, base: str) -> None:
        page = await opened.open(f"{base}/front", width=1440)
        lefts = "one => document.querySelector(one).getBoundingClientRect().left"
        picture, column = await page.run(f"['.lead-story img', '.others li:nth-child(2)'].map({lefts})")
        assert abs(picture - column) < 1
        page = await opened.open(f"{base}/status", width=1440)
        heads = "[...document.querySelectorAll('.board th:nth-child(3)')]"
        assert len(set(await page.run(f"{heads}.map(one => one.getBoundingClientRect().left)"))) == 1

    pages = {"/front": led_by("/favicon.svg"), "/status": EVERY["status"](PAGES)}
    look(pages, story)


@needs_chromium
@pytest.mark.timeout(120)
def test_where_the_keyboard_is_is_not_cut_off() -> None:
    """The ring stands around the title: the title cuts off what is around its link."""

    async def story(opened: Chromium, base: str) -> None:
        page = await opened.open(f"{base}/front")
        await page.run("document.querySelector('.river h4 a').focus({focusVisible: true})")
        style = "getComputedStyle(document.querySelector('.river h4'))"
        assert await page.run(f"{style}.outlineStyle") == "solid"
        assert await page.run(f"{style}.outlineWidth") == "2px"

    look({"/front": front()}, story)


@needs_chromium
@pytest.mark.timeout(120)
def test_a_wide_table_is_scrolled_and_its_words_stay_whole() -> None:
    async def story(opened: Chromium, base: str) -> None:
        page = await opened.open(f"{base}/article", width=390)
        assert await page.run("document.querySelector('.prose table').scrollWidth > innerWidth")
        assert await page.run("document.querySelector('.prose td').offsetHeight") < 60

    look({"/article": article()}, story)
