"""A fleet on loopback: processes with roles on one PostgreSQL, a watching publisher, nginx in front of the servers."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from daemon_process import BROWSER, Answer, Running, free_port, start

HERE = Path(__file__).parent
#: names on loopback addresses
NAMES = {"PYTHONPATH": os.pathsep.join([str(HERE / "loopback_names"), os.environ.get("PYTHONPATH", "")])}
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
#: requests are passed in turn; a server that does not answer is tried again soon; visitors name themselves
_NGINX = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Test-Client;
    upstream aggregator {{ {servers} }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://aggregator;
            proxy_next_upstream error timeout;
            proxy_connect_timeout 2s;
            proxy_set_header Host $host:$server_port;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
}}
"""


@contextlib.contextmanager
def publisher(**how: Any) -> Iterator[int]:
    """A watching publisher that runs meanwhile; its port."""
    port = int(how.setdefault("port", free_port()))
    command = [sys.executable, str(HERE / "watching_publisher.py"), json.dumps(how)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield port
    finally:
        process.kill()
        process.communicate()


def seen(host: str, port: int, path: str = "/state") -> dict[str, Any]:
    """What the publisher has seen."""
    with contextlib.closing(http.client.HTTPConnection(host, port, timeout=400)) as connection:
        connection.request("GET", path)
        return dict(json.loads(connection.getresponse().read()))


@contextlib.contextmanager
def nginx(folder: Path, ports: Sequence[int], port: int) -> Iterator[None]:
    """nginx on `port` in front of servers on `ports`."""
    folder.mkdir(exist_ok=True)
    servers = " ".join(f"server 127.0.0.1:{one} max_fails=1 fail_timeout=1s;" for one in ports)
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(user=user, folder=folder, servers=servers, port=port))
    process = subprocess.Popen(
        [str(NGINX), "-c", str(config), "-e", str(folder / "error.log")], stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def visit(
    port: int, path: str, client: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
) -> Answer:
    """A reader's request by way of nginx, from the address `client`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=400)
    with contextlib.closing(connection):
        connection.request(method, path, headers={**BROWSER, "X-Test-Client": client, **(headers or {})})
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


class Fleet:
    """Processes by name, on one configuration but for the address each listens on; all are killed at the end."""

    def __init__(
        self, folder: Path, store_url: str, sources: Sequence[str], *, site_port: int, extra: str = ""
    ) -> None:
        self.folder, self.site_port = folder, site_port
        self.processes: dict[str, Running] = {}
        self.roles: dict[str, str] = {}
        self._environ: dict[str, Mapping[str, str]] = {}
        self._store_url, self._extra = store_url, extra
        self.sources = tuple(sources)

    def text(self, port: int, *, extra: str = "", sources: Sequence[str] | None = None) -> str:
        """The configuration of a process that listens on `port`."""
        listed = "".join(
            f'\n[[sources]]\nurl = "{url}"\nsection = "World"\ninterval = "1s"\n' for url in sources or self.sources
        )
        return (
            f'[site]\nurl = "http://127.0.0.1:{self.site_port}"\ncontact = "https://example.org/test"\n'
            f'[server]\nlisten = "127.0.0.1:{port}"\ntrusted_proxies = ["127.0.0.1"]\n'
            '[polling]\nmin_interval = "1s"\nmax_interval = "1s"\ntimeout = "10s"\n'
            f'allow_private_addresses = ["127.0.0.0/8"]\n[store]\nurl = "{self._store_url}"\n'
            f"{self._extra}{extra}{listed}"
        )

    def begin(
        self,
        name: str,
        roles: str,
        *,
        text: str | None = None,
        port: int = 0,
        environ: Mapping[str, str] | None = None,
    ) -> Running:
        """Starts a process that has not been started before."""
        self._environ[name] = {**NAMES, **(environ or {})}
        directory = self.folder / name
        directory.mkdir()
        self.roles[name] = roles
        text = text or self.text(port or free_port())
        self.processes[name] = start(directory, text, arguments=("--roles", roles), environ=self._environ[name])
        return self.processes[name]

    def again(self, name: str) -> Running:
        """Starts a process that has ended, as a service manager would."""
        arguments = ("--roles", self.roles[name])
        self.processes[name] = start(self.folder / name, arguments=arguments, environ=self._environ[name])
        return self.processes[name]

    def end(self) -> None:
        """Kills what is left."""
        for running in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                running.process.kill()
            running.process.wait()

    @property
    def tracebacks(self) -> list[str]:
        """What has tripped over itself."""
        return [running.tracebacks for running in self.processes.values() if running.tracebacks]


def until(look: Any, what: str, *, patience_s: float = 240.0) -> Any:
    """The first true answer of `look`, errors of a connection aside."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if found := look():
                return found
        time.sleep(0.1)
    raise AssertionError(f"waited {patience_s:.0f} s for {what}")


def item_ids(answer: Answer) -> list[str]:
    """The public ids of the items that a page links to."""
    found = re.findall(rb"/(?:item|go)/([0-9a-z]+)", answer.body)
    return list(dict.fromkeys(one.decode() for one in found))
