"""``aggregator status`` and ``health``: the sources, and the daemon."""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from aggregator.cli.context import Context, listen_addresses, pass_context
from aggregator.cli.output import (
    json_option,
    limit_option,
    local,
    note,
    print_json,
    print_table,
    printable,
    say,
    source_row,
    stdout,
)
from aggregator.curate.explanations import counted
from aggregator.errors import AggregatorError
from aggregator.model import Process, SourceHealth
from aggregator.model.redact import redact
from aggregator.publish.diagnostics import advice, remarks

#: failing sources first, sources without news last
_ORDER = {state: place for place, state in enumerate(("failing", "gone", "new", "ok", "quiet", "disabled"))}

#: terminals of fewer columns are shown fewer of the table
WIDE = 130
_SPARE = frozenset({"section", "items", "http"})


_PROCESS_COLUMNS = ("process", "roles", "holds", "since", "last heard of")

#: how long the daemon may take to answer `health`, in seconds
HEALTH_TIMEOUT_S = 5


@click.command()
@json_option
@limit_option(0)
@pass_context
def status(context: Context, as_json: bool, limit: int) -> None:
    """Show the health of each source.

    Last success, next poll, items a day, HTTP status, the error with the time it began, and what to do about it. A
    quiet source posts rarely; that is no error. Where several processes share a PostgreSQL store, those that live are
    listed below.
    """
    from aggregator import assemble
    from aggregator.daemon.notices import read_notices

    now = context.now()
    for one in read_notices(assemble.state_dir(context.settings)):
        note(f"since {local(one.since, context.settings.site.timezone)}: {printable(one.message)}")
    with context.store() as store:
        sources = store.sources(now=now)
        stats = store.stats()
        processes = store.processes()
    shown = sources[: limit or None]
    if as_json:
        print_json(map(source_row, shown))
        return
    zone = context.settings.site.timezone
    wide = not sys.stdout.isatty() or stdout().width >= WIDE
    ordered = sorted(shown, key=lambda health: _ORDER[health.state])
    table = [_cells(health, zone, now, wide=wide) for health in ordered]
    columns = [name for name in table[0] if wide or name not in _SPARE] if table else ["source"]
    print_table(columns, ([row[name] for name in columns] for row in table))
    if not wide:
        _explain(ordered, zone)
    say(
        f"\n{counted(len(sources), 'source')}, {counted(stats.items, 'item')} in "
        f"{counted(stats.stories, 'story', 'stories')}, {counted(stats.views, 'view')}, "
        f"{counted(stats.likes, 'like')}, {stats.size_bytes / 1e6:.1f} MB"
    )
    if processes:
        say("")
        print_table(_PROCESS_COLUMNS, (_process_cells(process, zone) for process in processes))


def _process_cells(process: Process, zone: ZoneInfo) -> list[object]:
    """A process of the fleet as a row of `_PROCESS_COLUMNS`."""
    roles = ", ".join(process.roles)
    return [process.id, roles, ", ".join(process.holds), local(process.started, zone), local(process.seen, zone)]


def _explain(sources: Sequence[SourceHealth], zone: ZoneInfo) -> None:
    """Prints below a narrow table what is wrong with each source."""
    for health in sources:
        if wrong := _wrong(health, zone):
            stdout().print(f"\n{printable(health.ref.name)}\n{printable(wrong)}", markup=False)


def _cells(health: SourceHealth, zone: ZoneInfo, now: datetime, *, wide: bool) -> dict[str, object]:
    """A row by column."""
    codes = [health.error.code] if health.error else [code for code, _ in remarks(health)]
    return {
        "state": health.state,
        "source": health.ref.name,
        "section": health.subscription.section,
        "last success": local(health.last_success, zone),
        "next poll": _ahead(health.next_poll, now),
        "items/day": f"{health.items_per_day:.1f}",
        "items": health.items,
        "http": health.http_status,
        "what is wrong": _wrong(health, zone) if wide else ", ".join(codes),
    }


def _ahead(at: datetime | None, now: datetime) -> str:
    """The time until `at`, for people."""
    if at is None:
        return ""
    seconds = (at - now).total_seconds()
    if seconds <= 0:
        return "now"
    if seconds < 60:
        return f"in {seconds:.0f} s"
    minutes = int(seconds // 60)
    return f"in {minutes} min" if minutes < 100 else f"in {minutes // 60} h {minutes % 60} min"


def _wrong(health: SourceHealth, zone: ZoneInfo) -> str:
    if health.error is not None:
        since = f" since {local(health.error_since, zone)}" if health.error_since else ""
        times = f" ({health.error_count} times{since})" if health.error_count > 1 else ""
        what = redact(health.error.message).rstrip(".")
        return f"{health.error.code}: {what}{times}. {advice(health.error.code)}"
    return "\n".join(f"{code}: {sentence}" for code, sentence in remarks(health))


@click.command()
@click.option("--ready", is_flag=True, help="Ask /readyz: whether it also takes writes.")
@pass_context
def health(context: Context, ready: bool) -> int:
    """Ask the running daemon whether it is healthy.

    For health checks of containers and monitoring: asks /healthz at [server] listen, prints the answer, and exits with
    0 if the daemon is healthy, else with 1.
    """
    address = listen_addresses(context.settings)[0]
    path = "/readyz" if ready else "/healthz"
    connection = _connection(address)
    try:
        connection.request("GET", path, headers={"Host": "localhost", "User-Agent": "aggregator-health"})
        response = connection.getresponse()
        body = response.read(65_536).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise AggregatorError(
            f"the daemon does not answer at {address}: {getattr(error, 'strerror', None) or error}"
        ) from error
    finally:
        connection.close()
    say(printable(body))
    return 0 if response.status == http.client.OK else 1


def _connection(listen: str) -> http.client.HTTPConnection:
    """A connection to the address that the daemon listens on; any-address stands for this machine."""
    from aggregator.config import listen_address

    if listen.startswith("unix:"):
        return _UnixConnection(listen.removeprefix("unix:"))
    host, port = listen_address(listen)
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
    return http.client.HTTPConnection(loopback.get(host, host), port, timeout=HEALTH_TIMEOUT_S)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=HEALTH_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(HEALTH_TIMEOUT_S)
        self.sock.connect(self._path)
