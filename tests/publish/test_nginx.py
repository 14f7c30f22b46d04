"""nginx in front: at the root and below a path that it keeps or takes away, by TCP and by a unix socket."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import pytest
from publishing import BROWSER, SITE, make_services
from test_web import filled

from aggregator.publish.audience import Audience
from aggregator.publish.pages import Pages
from aggregator.publish.web import create_app, serve

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
CONFIG = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Test-Client;
    upstream aggregator {{ server {upstream}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location {prefix}/ {{
            proxy_pass http://aggregator{strip};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@asynccontextmanager
async def nginx(folder: Path, upstream: str, prefix: str, *, strips: bool) -> AsyncIterator[int]:
    port = free_port()
    config = folder / "nginx.conf"
    strip = "/" if strips else ""
    # its workers have to reach the socket: as root they would be somebody else
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(CONFIG.format(user=user, folder=folder, port=port, upstream=upstream, prefix=prefix, strip=strip))
    process = subprocess.Popen(  # noqa: ASYNC220  # it runs beside the test
        [str(NGINX), "-c", str(config), "-e", str(folder / "error.log")], stderr=subprocess.DEVNULL
    )
    try:
        while True:
            assert process.poll() is None, (folder / "error.log").read_text()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                break
        yield port
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


@pytest.mark.skipif(NGINX is None, reason="needs nginx")
@pytest.mark.parametrize("socket_kind", ["tcp", "unix"])
@pytest.mark.parametrize(("prefix", "strips"), [("", False), ("/news", False), ("/news", True)])
def test_behind_nginx(tmp_path: Path, socket_kind: str, prefix: str, strips: bool) -> None:
    async def run() -> None:
        store, port_or_path = filled(), tmp_path / "web.sock"
        os.chmod(tmp_path, 0o755)  # noqa: PTH101  # nginx's workers are somebody else when it runs as root
        site = replace(SITE, url=f"http://127.0.0.1{prefix}")
        audience = Audience(
            store.store(), state_dir=tmp_path / "state", site_url=site.url, trusted_proxies=["127.0.0.1", "unix"]
        )
        app = create_app(make_services(store.store(), tmp_path, site=site, audience=audience, pages=Pages(site)))
        listen = ["127.0.0.1:0", f"unix:{port_or_path}"]
        server = await serve(app, listen=listen, socket_mode=0o666)
        upstream = f"unix:{port_or_path}" if socket_kind == "unix" else f"127.0.0.1:{server.addresses[0][1]}"
        async with nginx(tmp_path, upstream, prefix, strips=strips) as port, aiohttp.ClientSession() as session:
            base = f"http://127.0.0.1:{port}{prefix}"
            await looked_at(session, base)
            for number in (1, 2, 2, 3):
                headers = {**BROWSER, "X-Test-Client": f"203.0.113.{number}"}
                async with session.get(f"{base}/item/item9", headers=headers) as page:
                    assert page.status == 200
            liked = {**BROWSER, "Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
            async with session.post(f"{base}/item/item9/like", headers=liked, allow_redirects=False) as answer:
                assert answer.status == 303
                thanks = urljoin(f"{base}/item/item9/like", answer.headers["Location"])
                assert f"Path={prefix}/;" in answer.headers["Set-Cookie"]
            assert thanks.startswith(f"{base}/item/item9?liked")
        await server.stop()
        assert len(store.views) == 3, "readers behind the proxy are told apart"
        assert len(store.likes) == 1

    asyncio.run(run())


async def looked_at(session: aiohttp.ClientSession, base: str) -> None:
    """Pages, feeds and what pages refer to, twice: by a handler and by the fast path."""
    for path in ("/", "/about", "/section/world", "/feeds/latest.atom", "/feeds.opml", "/metrics", "/healthz") * 2:
        async with session.get(base + path) as response:
            assert response.status == 200, path
            html = await response.text()
        if path == "/":
            style = html.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
            async with session.get(urljoin(f"{base}/", style)) as response:
                assert response.content_type == "text/css"
