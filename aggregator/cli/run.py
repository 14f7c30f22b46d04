"""``aggregator run`` and ``demo``: what goes on until it is stopped."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta

import click

from aggregator.cli.context import Context, pass_context


@click.command()
@click.option("--verbose", is_flag=True, help="Log every step.")
@pass_context
def run(context: Context, verbose: bool) -> None:
    """Run the daemon in the foreground.

    Logs to standard error, one line an event. Speaks to systemd (READY, watchdog, STOPPING, socket activation) where
    it was started by it. SIGTERM and SIGINT stop it within five seconds; SIGHUP, or saving the file, reloads the
    configuration.
    """
    # Everything is imported now: a process that has run out of file descriptors can import nothing any more.
    from aggregator import logs, sdnotify
    from aggregator.daemon import Daemon, runtime

    settings = context.settings
    notifier = sdnotify.Notifier.from_environment(os.environ, pid=os.getpid())
    sockets = sdnotify.inherited_sockets(os.environ, pid=os.getpid())
    running = logs.set_up(environ=os.environ, verbose=verbose)
    try:
        runtime.run(Daemon.run(settings, notifier=notifier, sockets=sockets))
    finally:
        running.close()
    _leave_hung_threads()


def _leave_hung_threads() -> None:
    """Everything is stored and closed; a thread that still waits for a name server must not hold the process."""
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon]
    if others:
        os._exit(0)


@click.command()
@click.option("--port", default=8080, show_default=True, help="Where the site is served; taken by others: a free one.")
@click.option("--seconds", type=click.IntRange(min=1), help="Close after so many seconds instead of on Ctrl-C.")
def demo(port: int, seconds: int | None) -> None:
    """Show the whole thing offline: a newsroom on loopback, followed live, with readers who click."""
    from aggregator.demo import run_demo

    run_demo(
        say=click.echo,
        clock=lambda: datetime.now(UTC),
        port=port,
        duration=timedelta(seconds=seconds) if seconds else None,
    )
