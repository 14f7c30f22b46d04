"""A headless Chromium for tests, driven over its DevTools protocol. Scripts of ours run beside a page, not in it: the
page's Content-Security-Policy stays as it is and is itself under test.

async with browser() as chromium:
    page = await chromium.open("http://127.0.0.1:1/", width=390, dark=True)
    await page.run("document.title")
"""

# ruff: noqa: ASYNC110, ASYNC240 (a document that is being replaced and a file that is being written tell nobody)
from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.*",  # nothing is asked of anybody: names lead nowhere
)  # fmt: skip
PATIENCE_S = 180.0


def found() -> str | None:
    """Where Chromium is."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Chromium:
    """A running browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: list[Page] = []
        #: by session: what the pages' consoles and policies complained about
        self.complaints: dict[str, list[str]] = {}
        self.reading = asyncio.create_task(self._read())

    async def send(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json(
            {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        )
        async with asyncio.timeout(PATIENCE_S):
            answer = await future
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def open(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> Page:
        """A page in a window of its own, loaded."""
        target = (await self.send("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = Page(self, session, target)
        self._pages.append(page)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.send(f"{domain}.enable", session)
        await page.resize(width, height)
        await page.media("", dark=dark)
        await page.go(url)
        return page

    async def close_all(self) -> None:
        """Closes every window that was opened."""
        for page in self._pages:
            await page.close()
        self._pages.clear()

    async def _read(self) -> None:
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                self._waiting.pop(said["id"]).set_result(said)
                continue
            if said["method"] == "Log.entryAdded":
                self.complaints.setdefault(said["sessionId"], []).append(said["params"]["entry"]["text"])


class Page:
    """One page in a browser."""

    def __init__(self, chromium: Chromium, session: str, target: str) -> None:
        self._chromium, self._session, self._target = chromium, session, target
        self._closed = False

    @property
    def complaints(self) -> list[str]:
        """What the browser has logged: refused scripts and styles, failed requests."""
        return self._chromium.complaints.get(self._session, [])

    async def go(self, url: str) -> None:
        await self.send("Page.navigate", url=url)
        await self.until(f"location.href === {url!r} && document.readyState === 'complete'")

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        return await self._chromium.send(method, self._session, **params)

    async def run(self, script: str) -> Any:
        """The value of an expression; a promise is waited for."""
        answer = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    async def media(self, kind: str, *, dark: bool = False) -> None:
        """Screen or print, light or dark."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", media=kind, features=[scheme])

    async def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            await self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)

    async def shot(self, *, whole: bool = True) -> bytes:
        """A picture of the page, as PNG."""
        answer = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    async def resize(self, width: int, height: int = 900) -> None:
        """Another size of the window."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.send("Emulation.setDeviceMetricsOverride", **size)

    async def until(self, expression: str) -> None:
        """Returns as soon as an expression is true."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self.run(expression):
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._chromium.send("Target.closeTarget", targetId=self._target)


@asynccontextmanager
async def browser() -> AsyncIterator[Chromium]:
    """A browser with an empty profile, gone in the end."""
    program = found()
    assert program is not None
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        nowhere = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            program,
            *FLAGS,
            f"--user-data-dir={profile}",
            stdout=nowhere,
            stderr=nowhere,
            start_new_session=True,
            env={**os.environ, "TMPDIR": profile},  # else it leaves a folder there each time
        )
        try:
            address = await _debugger(Path(profile) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
                chromium = Chromium(socket)
                yield chromium
                chromium.reading.cancel()
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(60):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _debugger(file: Path) -> str:
    async with asyncio.timeout(PATIENCE_S):
        while not (file.exists() and len(lines := file.read_text().splitlines()) == 2):
            await asyncio.sleep(0.05)
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
