"""``aggregator poll``."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from aggregator.cli.completion import complete_source
from aggregator.cli.context import Context, pass_context
from aggregator.cli.output import ProgressBar, note, print_table, printable
from aggregator.errors import NotFound
from aggregator.following import followed, refresh_feed_lists

if TYPE_CHECKING:
    from aggregator.assemble import Clock
    from aggregator.collect.poll import PollOutcome
    from aggregator.config import Settings
    from aggregator.daemon.poll_loop import PollLoop
    from aggregator.store import Store

#: without a free slot or a finished poll for that long, the rest cannot be claimed now
PATIENCE = timedelta(seconds=10)


@click.command()
@click.argument("names", nargs=-1, metavar="[SOURCE]...", shell_complete=complete_source)
@click.option("--all", "everything", is_flag=True, help="Poll every source, due or not.")
@pass_context
def poll(context: Context, names: tuple[str, ...], everything: bool) -> int:
    """Poll what is due once, then exit.

    With SOURCEs (addresses or names): only those, due or not. Not polled even then: hosts that have asked us to wait,
    feeds within hours that they ask to skip, and public servers that were polled less than ten minutes ago. The exit
    code is 1 if a source failed.
    """
    from aggregator.applied import effective

    settings = context.settings
    names = tuple(map(context.named, names))
    with context.store(create=True) as store:
        settings = effective(settings, store, now=context.now()).settings
        asyncio.run(_refresh_lists(settings, context.now))
        store.sync_sources(followed(settings), now=context.now())
        named = {_address(settings, name) for name in names}
        enabled = {source.url for source in followed(settings) if source.enabled}
        wanted = named or (enabled if everything else _due(store, context.now()))
        if names or everything:
            wanted -= _resting(store, wanted, context.now())
        done = asyncio.run(_poll(settings, store, wanted, force=bool(names) or everything, clock=context.now))
        _refresh(settings, store, context.now())
    return _summary(done, wanted)


def _address(settings: Settings, name: str) -> str:
    """The address of the enabled source `name`, which is its address or its name. Raises NotFound."""
    from aggregator.config import find_source

    source = find_source(settings, name)
    if not source.enabled:
        raise NotFound(f"{name} is not enabled in {settings.path}")
    return source.url


async def _refresh_lists(settings: Settings, clock: Clock) -> None:
    """Requests the lists of ``[[subscriptions]]`` that are due."""
    from aggregator import assemble

    if settings.subscriptions:
        fetcher = assemble.fetcher(settings, clock)
        try:
            await refresh_feed_lists(settings, fetcher, clock)
        finally:
            await fetcher.close()


def _due(store: Store, now: datetime) -> set[str]:
    """The feed addresses that are due."""
    return {
        health.subscription.url
        for health in store.sources(now=now)
        if health.subscription.enabled and (health.next_poll is None or health.next_poll <= now)
    }


def _resting(store: Store, wanted: set[str], now: datetime) -> set[str]:
    """Those of `wanted` that must not be polled now; each is named on standard error."""
    from aggregator.collect.decision import not_before

    resting = set[str]()
    for source in store.followed():
        if source.subscription.url in wanted and (due := not_before(source, now=now, on_demand=True)) > now:
            resting.add(source.subscription.url)
            why = "polled a short while ago, or its publisher asks us to wait"
            note(f"{printable(source.name)}: not polled before {due:%Y-%m-%d %H:%M} UTC: {why}")
    return resting


async def _poll(settings: Settings, store: Store, wanted: set[str], *, force: bool, clock: Clock) -> list[PollOutcome]:
    """One round: every wanted source once."""
    from aggregator import assemble
    from aggregator.daemon.poll_loop import PollLoop, lease_length

    done: list[PollOutcome] = []
    left = set(wanted)
    slots = assemble.address_slots(settings, store, clock)
    fetcher, parser = assemble.fetcher(settings, clock, slots), assemble.parser()
    with ProgressBar("polling", total=len(wanted)) as progress:

        def on_polled(polled: PollOutcome) -> None:
            done.append(polled)
            left.discard(polled.source.subscription.url)
            progress.advance()

        poll_loop = PollLoop(
            store,
            assemble.poller(
                settings,
                policy=assemble.policy(settings, store, clock()),
                store=store,
                fetcher=fetcher,
                web=fetcher,
                parser=parser,
                clock=clock,
            ),
            slots=settings.polling.concurrency,
            per_host=settings.polling.per_host,
            lease=lease_length(settings.polling.timeout),
            clock=clock,
            on_polled=on_polled,
        )
        try:
            await _drain(poll_loop, left, force=force)
        finally:
            await poll_loop.stop(within=timedelta(seconds=2))
            await asyncio.gather(fetcher.close(), parser.close())
    return done


async def _drain(poll_loop: PollLoop, left: set[str], *, force: bool) -> None:
    """Claims and waits until nothing is left, or until no more can be claimed."""
    loop = asyncio.get_running_loop()
    moved_s = loop.time()
    while left and loop.time() - moved_s < PATIENCE.total_seconds():
        begun = await poll_loop.claim_due(force=force, only=frozenset(left))
        if begun or await poll_loop.progress(within=timedelta(milliseconds=200)) or poll_loop.in_flight:
            moved_s = loop.time()
        if poll_loop.blocked is not None:
            raise poll_loop.blocked


def _refresh(settings: Settings, store: Store, now: datetime) -> None:
    """Compares new items with the rest and rebuilds the lists."""
    from aggregator import assemble

    with ProgressBar("comparing and ranking"):
        refresher = assemble.refresher(settings, store)
        refresher.load(now)
        refresher.run(now)


def _summary(done: list[PollOutcome], wanted: set[str]) -> int:
    """Prints the outcomes; returns the exit code."""
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
        note(printable(f"error: {public_url(polled.source.subscription.url)}: {error and error.message}"))
    for url in missing:
        note(f"error: {public_url(url)}: not polled: its host is busy or asked us to wait")
    return 1 if failed or missing else 0
