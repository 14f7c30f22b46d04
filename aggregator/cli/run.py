"""``aggregator run``."""

from __future__ import annotations

import os
import threading

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
    from aggregator.daemon import Daemon, interpreter

    settings = context.settings
    notifier = sdnotify.Notifier.from_environment(os.environ, pid=os.getpid())
    sockets = sdnotify.inherited_sockets(os.environ, pid=os.getpid())
    running = logs.set_up(environ=os.environ, verbose=verbose)
    try:
        interpreter.run(Daemon.run(settings, notifier=notifier, sockets=sockets))
    finally:
        running.close()
    _leave_hung_threads()


def _leave_hung_threads() -> None:
    """Everything is stored and closed; a thread that still waits for a name server must not hold the process."""
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon]
    if others:
        os._exit(0)
