"""``aggregator run`` and ``demo``: what runs until it is stopped."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta

import click

from aggregator.cli.context import Context, pass_context, program
from aggregator.cli.output import LogLines, say
from aggregator.model import ROLES


@click.command()
@click.option("--verbose", is_flag=True, help="Log every step.")
@click.option(
    "--roles",
    default=",".join(ROLES),
    show_default=True,
    help="What this process does; other processes on the same PostgreSQL do the rest.",
)
@pass_context
def run(context: Context, verbose: bool, roles: str) -> None:
    """Run the daemon in the foreground.

    Logs to standard error, one event a line: logfmt, or formatted for people on a terminal. Under systemd it reports
    READY, watchdog and STOPPING and takes over sockets. SIGTERM and SIGINT stop it within five seconds; SIGHUP, or
    saving the file, reloads the configuration.
    """
    # Everything is imported now: a process that has run out of file descriptors can import nothing any more.
    from aggregator import logs, sdnotify
    from aggregator.daemon import Daemon, runtime

    # files hold addresses with passwords and the tokens of readers
    os.umask(0o077)
    settings = context.settings
    wanted = _roles(roles, settings.store.url)
    notifier = sdnotify.Notifier.from_environment(os.environ, pid=os.getpid())
    sockets = sdnotify.inherited_sockets(os.environ, pid=os.getpid())
    running = logs.set_up(environ=os.environ, verbose=verbose, terminal=LogLines())
    try:
        runtime.run(Daemon.run(settings, notifier=notifier, sockets=sockets, roles=wanted))
    finally:
        running.close()
    _leave_hung_threads()


def _roles(text: str, store_url: str) -> tuple[str, ...]:
    """The roles in ``--roles``, in their usual order; names of units can hold no comma. Raises UsageError."""
    from aggregator.store import is_postgresql

    wanted = {role.strip() for role in text.replace("-", ",").split(",") if role.strip()}
    if unknown := wanted.difference(ROLES):
        raise click.UsageError(f"--roles {text}: {', '.join(sorted(unknown))} is none of {', '.join(ROLES)}")
    if not wanted:
        raise click.UsageError(f"--roles: at least one of {', '.join(ROLES)}")
    if wanted != set(ROLES) and not is_postgresql(store_url):
        raise click.UsageError("--roles needs [store] url = postgresql://…: on SQLite one process does everything")
    return tuple(role for role in ROLES if role in wanted)


def _leave_hung_threads() -> None:
    """Everything is stored and closed; a thread that still waits for a name server must not hold the process."""
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon]
    if others:
        os._exit(0)


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8080,
    show_default=True,
    help="Port of the site; a free one if it is in use.",
)
@click.option("--seconds", type=click.IntRange(1, 10_000_000), help="End after so many seconds instead of on Ctrl-C.")
@click.option("--postgresql", metavar="URL", help="An empty PostgreSQL database: one process for each role shares it.")
def demo(port: int, seconds: int | None, postgresql: str | None) -> None:
    """Run an offline demonstration with invented papers and readers.

    A newsroom on loopback addresses, followed live by a real daemon in a temporary folder, with readers who click.
    """
    from aggregator.demo import run_demo

    run_demo(
        say=say,
        program=program(),
        clock=lambda: datetime.now(UTC),
        port=port,
        duration=timedelta(seconds=seconds) if seconds else None,
        postgresql=_postgresql(postgresql),
    )


def _postgresql(url: str | None) -> str:
    """The address behind ``--postgresql``, or "". Raises UsageError."""
    from aggregator.store import is_postgresql

    if url is not None and not is_postgresql(url):
        raise click.UsageError(f"--postgresql {url}: write postgresql://user@host/database")
    return url or ""
