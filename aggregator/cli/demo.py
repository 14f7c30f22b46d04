"""`aggregator demo`: the whole thing offline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from aggregator.demo import run_demo


@click.command()
@click.option("--port", default=8080, show_default=True, help="Where the site is served; taken by others: a free one.")
@click.option("--seconds", type=click.IntRange(min=1), help="Close after so many seconds instead of on Ctrl-C.")
def demo(port: int, seconds: int | None) -> None:
    """Show the whole thing offline: a newsroom on loopback, followed live, with readers who click."""
    run_demo(
        say=click.echo,
        clock=lambda: datetime.now(UTC),
        port=port,
        duration=timedelta(seconds=seconds) if seconds else None,
    )
