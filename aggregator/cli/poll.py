"""``aggregator poll``."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import Context, pass_context

if TYPE_CHECKING:
    from aggregator.collect.poll import PollOutcome
    from aggregator.config import Settings
    from aggregator.daemon.poll_loop import PollLoop
    from aggregator.store import Store

#: without a free slot or a finished poll for that long, what is left is not to be had now (a host asked for silence)
PATIENCE = timedelta(seconds=10)


@click.command()
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("--all", "everything", is_flag=True, help="Poll every source, due or not.")
@pass_context
def poll(context: Context, urls: tuple[str, ...], everything: bool) -> int:
    """Poll once what is due, then exit.

    With URLs: those sources, due or not. A host that has asked for silence is left alone even so, and so is a server
    of the web that was asked less than ten minutes ago. Ends with 1 if a source failed.
    """
    from aggregator.errors import NotFound

    settings = context.settings
    with context.store(create=True) as store:
        store.sync_sources(settings.subscriptions(), now=context.now())
        configured = {source.url for source in settings.sources if source.enabled}
        unknown = [url for url in urls if url not in configured]
        if unknown:
            raise NotFound(f"not a source of {settings.path.name}: {', '.join(unknown)} (see `aggregator status`)")
        wanted = set(urls) or (configured if everything else _due(store, context.now()))
        if urls or everything:
            wanted -= _resting(store, wanted, context.now())
        done = asyncio.run(_poll(settings, store, wanted, force=bool(urls) or everything))
        _refresh(settings, store, context.now())
    return _summary(done, wanted)


def _due(store: Store, now: datetime) -> set[str]:
    """The feed addresses that are due."""
    return {
        health.subscription.url
        for health in store.sources(now=now)
        if health.subscription.enabled and (health.next_poll is None or health.next_poll <= now)
    }


def _resting(store: Store, wanted: set[str], now: datetime) -> set[str]:
    """Those of `wanted` that are left alone all the same; they are told about."""
    from aggregator.collect.decision import is_cooling_down

    resting = [
        one for one in store.sources(now=now) if one.subscription.url in wanted and is_cooling_down(one, now=now)
    ]
    for one in resting:
        click.echo(f"{one.ref.name}: left alone, it was asked a short while ago or its server is busy", err=True)
    return {one.subscription.url for one in resting}


async def _poll(settings: Settings, store: Store, wanted: set[str], *, force: bool) -> list[PollOutcome]:
    """One round: every wanted source once."""
    from aggregator import assemble
    from aggregator.cli.output import Progress
    from aggregator.daemon.poll_loop import PollLoop, lease_length

    done: list[PollOutcome] = []
    left = set(wanted)
    fetcher, parser = assemble.fetcher(settings, Context.now), assemble.parser()
    with Progress("polling", total=len(wanted)) as progress:

        def on_polled(polled: PollOutcome) -> None:
            done.append(polled)
            left.discard(polled.source.subscription.url)
            progress.advance()

        poll_loop = PollLoop(
            store,
            assemble.poller(
                settings,
                policy=assemble.policy(settings, store, Context.now()),
                store=store,
                fetcher=fetcher,
                parser=parser,
                clock=Context.now,
            ),
            slots=settings.polling.concurrency,
            per_host=settings.polling.per_host,
            lease=lease_length(settings.polling.timeout),
            clock=Context.now,
            on_polled=on_polled,
        )
        try:
            await _drain(poll_loop, left, force=force)
        finally:
            await poll_loop.stop(within=timedelta(seconds=2))
            await asyncio.gather(fetcher.close(), parser.close())
    return done


async def _drain(poll_loop: PollLoop, left: set[str], *, force: bool) -> None:
    """Claims and waits until nothing is left, or until nothing more can be had."""
    loop = asyncio.get_running_loop()
    moved_s = loop.time()
    while left and loop.time() - moved_s < PATIENCE.total_seconds():
        begun = await poll_loop.claim_due(force=force, only=frozenset(left))
        if begun or await poll_loop.progress(within=timedelta(milliseconds=200)) or poll_loop.in_flight:
            moved_s = loop.time()
        if poll_loop.store_error is not None:
            raise poll_loop.store_error


def _refresh(settings: Settings, store: Store, now: datetime) -> None:
    """Compares what has come with the rest, and makes the lists anew."""
    from aggregator import assemble
    from aggregator.cli.output import Progress

    with Progress("comparing and ranking"):
        refresher = assemble.refresher(settings, store)
        refresher.load(now)
        refresher.run(now)


def _summary(done: list[PollOutcome], wanted: set[str]) -> int:
    """Says what came of it; the exit code."""
    from aggregator.cli.output import print_table, stderr
    from aggregator.model.redact import public_url

    outcomes = Counter(polled.result.outcome for polled in done)
    new_items = sum(polled.stored.new_items for polled in done if polled.stored)
    updated = sum(polled.stored.updated for polled in done if polled.stored)
    failed = [polled for polled in done if polled.result.error is not None]
    missing = sorted(wanted - {polled.source.subscription.url for polled in done})
    counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()) or "nothing was due"
    print_table(["polled", "outcomes", "new items", "edited"], [[len(done), counts, new_items, updated]])
    for polled in failed:
        error = polled.result.error
        where = public_url(polled.source.subscription.url)
        stderr().print(f"{where}: {error and error.message}", markup=False, soft_wrap=True)
    for url in missing:
        why = "not polled, its host is busy or has asked for silence"
        stderr().print(f"{public_url(url)}: {why}", markup=False, soft_wrap=True)
    return 1 if failed or missing else 0
