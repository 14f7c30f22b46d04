"""The snippets of docs/PROXIES.md in the real nginx, Caddy and Apache, with the real daemon behind them."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from daemon_process import Running, config_text, daemon, free_port
from origin import Answer, Origin, rss

from aggregator.store import open_store

PAGE = (Path(__file__).parents[1] / "docs/PROXIES.md").read_text("utf-8")
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Accept-Language": "en",
}

#: subdirectory of the snippet → the part of its address behind the host
PATHS = {0: "", 1: "/news"}


def snippet(language: str, number: int, *, port: int, behind: int) -> str:
    """The snippet, listening on `port` of loopback for every host name, with the daemon on port `behind`."""
    text = re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)[number]
    assert "127.0.0.1:8080" in text
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{behind}")
    text = re.sub(r"listen 80;[^\n]*", f"listen 127.0.0.1:{port};", text)
    return re.sub(r"http://(news\.)?example\.org \{", f"http://127.0.0.1:{port} {{", text).replace(
        "<VirtualHost *:80>", f"<VirtualHost 127.0.0.1:{port}>"
    )


def nginx(folder: Path, text: str, port: int) -> list[str]:
    temporary = "".join(
        f"{kind}_temp_path {folder}/tmp;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {temporary}\n{text}}}"
    )
    return ["nginx", "-c", str(config), "-e", str(folder / "error.log")]


def caddy(folder: Path, text: str, port: int) -> list[str]:
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\n{text}")
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def apache2(folder: Path, text: str, port: int) -> list[str]:
    modules = {"mpm_event": "mpm_event_module", "authz_core": "authz_core_module", "alias": "alias_module"}
    modules |= {"proxy": "proxy_module", "proxy_http": "proxy_http_module"}
    loaded = "".join(f"LoadModule {name} /usr/lib/apache2/modules/mod_{file}.so\n" for file, name in modules.items())
    config = folder / "apache.conf"
    config.write_text(
        f"ServerRoot {folder}\nServerName x\nPidFile {folder}/pid\nErrorLog {folder}/error.log\n{loaded}"
        f"Listen 127.0.0.1:{port}\n{text}"
    )
    return ["apache2", "-f", str(config), "-X"]


class Site(NamedTuple):
    port: int
    path: str
    daemon: Running

    def get(self, path: str, reader: str = "127.0.0.2", **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
        """Status, headers and text of the answer of the proxy."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=400, source_address=(reader, 0))
        with contextlib.closing(connection):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode("utf-8", "replace")


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while process.poll() is None:
                with (
                    contextlib.suppress(OSError),
                    contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as one,
                ):
                    one.connect()
                    break
                time.sleep(0.05)
            assert process.poll() is None, "the proxy has ended"
            yield
        finally:
            process.terminate()


@pytest.fixture(params=[0, 1], ids=["site", "path"])
def number(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=[nginx, caddy, apache2], ids=["nginx", "caddy", "apache"])
def site(request: pytest.FixtureRequest, number: int, tmp_path: Path) -> Iterator[Site]:
    write: Callable[[Path, str, int], list[str]] = request.param
    if shutil.which(write.__name__) is None:
        pytest.skip(f"needs {write.__name__}")
    port, behind, path = free_port(), free_port(), PATHS[number]
    language = {"nginx": "nginx", "caddy": "caddyfile", "apache2": "apache"}[write.__name__]
    with Origin() as origin:
        feed = origin.on("/feed", Answer(body=rss("One comet over the harbour", "Two ferries", feed="The feed")))
        text = config_text(feed, port=behind, interval="1h").replace('max_interval = "1s"', "")
        text = text.replace(f'url = "http://127.0.0.1:{behind}"', f'url = "http://127.0.0.1:{port}{path}"')
        text = text.replace("[polling]", 'trusted_proxies = ["127.0.0.1/32"]\n[polling]')
        proxy_folder = tmp_path / "proxy"
        proxy_folder.mkdir()
        command = write(proxy_folder, snippet(language, number, port=port, behind=behind), port)
        with daemon(tmp_path, text) as one, running(command, port):
            one.wait_for(lambda: "comet" in one.get("/feeds/latest.atom").body.decode())
            yield Site(port=port, path=path, daemon=one)


def test_a_proxy_serves_the_site_and_hides_what_is_private(site: Site) -> None:
    status, _, page = site.get(f"{site.path}/", **BROWSER)
    assert status == 200
    assert "One comet over the harbour" in page
    base = f"http://127.0.0.1:{site.port}{site.path}"
    status, headers, feed = site.get(f"{site.path}/feeds/latest.atom")
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, "application/atom+xml")
    assert f'href="{base}/feeds/latest.atom"' in feed
    for private in ("metrics", "healthz", "readyz"):
        assert site.get(f"{site.path}/{private}")[0] == 404
    if site.path:
        status, headers, _ = site.get(site.path)
        assert (status, headers["Location"].removeprefix(f"http://127.0.0.1:{site.port}")) == (301, "/news/")
        assert all(link.startswith(site.path) for link in re.findall(r'<a[^>]* href="(/[^"]*)"', page))
    item = next(iter(re.findall(rf"{re.escape(base)}/(?:go|item)/([0-9a-z]+)", feed)))
    etag = site.get(f"{site.path}/feeds/latest.atom")[1]["ETag"]
    assert site.get(f"{site.path}/feeds/latest.atom", **{"If-None-Match": etag})[0] == 304

    # what a client claims in front of what the proxy adds is not believed: one reader, whatever it says
    for claimed in ("203.0.113.9", "203.0.113.10"):
        site.get(f"{site.path}/item/{item}", **BROWSER, **{"X-Forwarded-For": claimed})
    site.get(f"{site.path}/item/{item}", reader="127.0.0.3", **BROWSER)
    assert site.daemon.stop()[0] == 0
    store = open_store("sqlite:aggregator.db", base=site.daemon.config.parent, create=False)
    try:
        assert [one.views for one in store.items([item])] == [2]
    finally:
        store.close()
