"""Two configurations, and what lies between them in words, which go into logs: addresses show no secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from aggregator.config.settings import Settings
from aggregator.config.tables import Document, Table
from aggregator.model import Subscription, duration_text
from aggregator.model.redact import public_url

#: keys that a running daemon cannot take over
_NEEDS_RESTART = frozenset({"server.listen", "store.url"})
_SINGLE_TABLES = tuple(name for name in Document.model_fields if name not in {"sources", "rules", "feeds"})


def diff(old: Settings, new: Settings) -> list[str]:
    """What taking over `new` in the place of `old` would change, a phrase each; empty if nothing."""
    changes = diff_sources(old.subscriptions(), new.subscriptions())
    for name in _SINGLE_TABLES:
        changes += _table_changes(name, getattr(old, name), getattr(new, name))
    changes += _count_changes("rule", old.rules, new.rules)
    changes += _count_changes("feed", old.feeds, new.feeds)
    return changes


def diff_sources(old: Iterable[Subscription], new: Iterable[Subscription]) -> list[str]:
    """What would change for the sources: added, changed, removed."""
    before, after = ({one.url: one for one in subscriptions} for subscriptions in (old, new))
    added = [f"would add source {public_url(url)} ({one.section})" for url, one in after.items() if url not in before]
    changed = [text for url, one in after.items() if url in before for text in _source_changes(before[url], one)]
    removed = [f"would stop following {public_url(url)} (its items stay)" for url in before if url not in after]
    return added + changed + removed


def _source_changes(old: Subscription, new: Subscription) -> Iterator[str]:
    for key in ("section", "name", "interval", "weight", "enabled", "full_text", "role"):
        before, after = getattr(old, key), getattr(new, key)
        if before != after:
            yield f"would change {key} of {public_url(new.url)} from {_shown(before)} to {_shown(after)}"


def _table_changes(name: str, old: Table, new: Table) -> Iterator[str]:
    for key, after in new:
        before = getattr(old, key)
        if before != after:
            note = " (needs a restart)" if f"{name}.{key}" in _NEEDS_RESTART else ""
            yield f"would change {name}.{key} from {_shown(before)} to {_shown(after)}{note}"


def _count_changes(kind: str, old: tuple[Table, ...], new: tuple[Table, ...]) -> Iterator[str]:
    added, removed = sum(one not in old for one in new), sum(one not in new for one in old)
    if added:
        yield f"would add {added} {kind}{'s' if added > 1 else ''}"
    if removed:
        yield f"would drop {removed} {kind}{'s' if removed > 1 else ''}"
    if old != new and not added and not removed:
        yield f"would reorder the {kind}s"


def _shown(value: object) -> str:
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return "none" if value is None else f'"{value}"' if isinstance(value, str) else str(value)
