"""``aggregator status``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from aggregator.cli.context import Context, pass_context
from aggregator.cli.output import (
    json_option,
    limit_option,
    local,
    print_json,
    print_table,
    printable,
    source_row,
    stdout,
)
from aggregator.curate.explanations import counted
from aggregator.model import SourceHealth
from aggregator.publish.diagnostics import advice, remarks

#: failing sources first, sources without news last
_ORDER = {state: place for place, state in enumerate(("failing", "gone", "new", "ok", "quiet", "disabled"))}

#: columns that a narrow terminal does without
WIDE = 130
_SPARE = frozenset({"section", "items", "http"})


@click.command()
@json_option
@limit_option(0)
@pass_context
def status(context: Context, as_json: bool, limit: int) -> None:
    """Show the health of each source.

    Last success, next poll, items a day, HTTP state, error and since when, and what to do about it. A quiet source
    posts rarely; it is not dead.
    """
    now = context.now()
    with context.store() as store:
        sources = store.sources(now=now)
        stats = store.stats()
    shown = sources[: limit or None]
    if as_json:
        print_json(map(source_row, shown))
        return
    zone = context.settings.site.timezone
    wide = stdout().width >= WIDE
    ordered = sorted(shown, key=lambda health: _ORDER[health.state])
    table = [_cells(health, zone, now, wide=wide) for health in ordered]
    columns = [name for name in table[0] if wide or name not in _SPARE] if table else ["source"]
    print_table(columns, ([row[name] for name in columns] for row in table))
    if not wide:
        _explain(ordered, zone)
    stdout().print(
        f"\n{counted(len(sources), 'source')}, {counted(stats.items, 'item')} in "
        f"{counted(stats.stories, 'story', 'stories')}, {counted(stats.views, 'view')}, "
        f"{counted(stats.likes, 'like')}, {stats.size_bytes / 1e6:.1f} MB"
    )


def _explain(sources: Sequence[SourceHealth], zone: ZoneInfo) -> None:
    """Beneath a narrow table, what would not fit into it."""
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
    """How long it is until `at`."""
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
        what = health.error.message.rstrip(".")
        return f"{health.error.code}: {what}{times}. {advice(health.error.code)}"
    return "\n".join(f"{code}: {sentence}" for code, sentence in remarks(health))
