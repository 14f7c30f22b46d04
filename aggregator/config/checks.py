"""What no single table can know: duplicates, and names that one table has from another.

The checks read the raw document, so that they find what they can even where other parts of it are wrong.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from aggregator.config.locate import Layout, Path
from aggregator.config.suggest import did_you_mean
from aggregator.config.tables import Document, PollingTable, RankingTable
from aggregator.curate.sentences import HOW_TO_INSTALL, find_encoder
from aggregator.model import duration, duration_text
from aggregator.model.redact import public_url

Finding = tuple[Path, str]
#: asking a public server more often than this is rude
_POLITE = timedelta(minutes=5)


def errors(raw: Mapping[str, Any], layout: Layout) -> Iterator[Finding]:
    """What is wrong between the tables."""
    yield from _duplicate_sources(raw, layout)
    yield from _ambiguous_sections(raw, layout)
    yield from _duplicate_feeds(raw, layout)
    yield from _unknown_windows(raw)
    yield from _crossed_intervals(raw)


def warnings(settings: Document) -> Iterator[Finding]:
    """What is allowed and probably not meant."""
    if not settings.sources:
        yield (), "no [[sources]]: nothing is followed; add one with: aggregator add URL"
    elif not any(source.enabled for source in settings.sources):
        yield ("sources",), "no source is enabled: nothing is followed"
    if not settings.site.reached_at and _has_public_sources(settings):
        yield (
            ("site", "contact"),
            "contact is a placeholder and is not sent: put your own address here, so that publishers can reach you",
        )
    if settings.site.url.startswith(("http://127.", "http://localhost")) and not _is_local(settings.server.address[0]):
        yield (
            ("site", "url"),
            "url is this machine only, while [server] listen is open to others: their links will fail",
        )
    if settings.related.vectors and find_encoder() is None:
        yield ("related", "vectors"), f"{HOW_TO_INSTALL}; until then English is compared by its words alone"
    yield from _impolite(settings)
    yield from _overspent(settings)


def comparable(url: str) -> str:
    """What two addresses of the same feed have in common: without scheme, ``www.``, default port, final slash."""
    parts = urlsplit(url.strip())
    host = (parts.hostname or "").rstrip(".").removeprefix("www.")
    port = "" if parts.port in {None, 80, 443} else f":{parts.port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{host}{port}{parts.path.rstrip('/')}{query}"


def section_key(name: str) -> str:
    """What two spellings of a section have in common that would share an address."""
    return re.sub(r"[\W_]+", "-", unicodedata.normalize("NFKC", name).casefold()).strip("-")


def _rows(raw: Mapping[str, Any], table: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    rows = raw.get(table)
    if isinstance(rows, list):
        yield from ((index, row) for index, row in enumerate(rows) if isinstance(row, dict))


def _texts(raw: Mapping[str, Any], table: str, key: str) -> Iterator[tuple[int, str]]:
    for index, row in _rows(raw, table):
        if isinstance(row.get(key), str):
            yield index, row[key]


def _duplicate_sources(raw: Mapping[str, Any], layout: Layout) -> Iterator[Finding]:
    seen: dict[str, tuple[int, str]] = {}
    for index, url in _texts(raw, "sources", "url"):
        try:
            key = comparable(url)
        except ValueError:
            continue  # the table's own check says what is wrong with it
        first, first_url = seen.setdefault(key, (index, url))
        if first != index:
            as_what = "" if url == first_url else f" as {public_url(first_url)}"
            line = layout.line(("sources", first, "url"))
            yield (
                ("sources", index, "url"),
                f'"{public_url(url)}" is already followed{as_what} (line {line}); remove one',
            )


def _ambiguous_sections(raw: Mapping[str, Any], layout: Layout) -> Iterator[Finding]:
    seen: dict[str, tuple[Path, str]] = {}
    for path, name in _sections(raw):
        first, first_name = seen.setdefault(section_key(name), (path, name))
        if first_name != name:
            line = layout.line(first)
            yield (
                path,
                f'section "{name}" would have the same address as "{first_name}" (line {line}); write both alike',
            )


def _sections(raw: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """The sections that sources name, then those that rules name."""
    for index, name in _texts(raw, "sources", "section"):
        yield ("sources", index, "section"), name.strip()
    for index, action in _texts(raw, "rules", "action"):
        kind, _, name = action.partition(":")
        if kind.strip().lower() == "section" and name.strip():
            yield ("rules", index, "action"), name.strip()


def _duplicate_feeds(raw: Mapping[str, Any], layout: Layout) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, name in _texts(raw, "feeds", "name"):
        first = seen.setdefault(name, index)
        if first != index:
            line = layout.line(("feeds", first, "name"))
            yield ("feeds", index, "name"), f'a feed named "{name}" exists already (line {line}); choose another name'


def _unknown_windows(raw: Mapping[str, Any]) -> Iterator[Finding]:
    ranking = raw.get("ranking", {})
    ranking = ranking if isinstance(ranking, dict) else {}
    windows = ranking.get("windows", list(RankingTable().windows))
    if not isinstance(windows, list) or not windows or not all(isinstance(window, str) for window in windows):
        return
    default = ranking.get("window", RankingTable().window)
    if isinstance(default, str) and default not in windows:
        key = "window" if "window" in ranking else "windows"
        yield ("ranking", key), _not_a_window(default, windows, "ranking.window")
    for index, order in _texts(raw, "feeds", "order"):
        kind, _, window = order.partition(":")
        if kind == "ranking" and window and window not in windows:
            yield ("feeds", index, "order"), _not_a_window(window, windows, f'feeds[{index}].order: "{order}"')


def _not_a_window(window: str, windows: list[str], where: str) -> str:
    return f'{where}: "{window}" is not one of ranking.windows ({", ".join(windows)}){did_you_mean(window, windows)}'


def _crossed_intervals(raw: Mapping[str, Any]) -> Iterator[Finding]:
    polling = raw.get("polling")
    if not isinstance(polling, dict):
        return
    default = PollingTable()
    try:
        least = duration(polling.get("min_interval", duration_text(default.min_interval)))
        most = duration(polling.get("max_interval", duration_text(default.max_interval)))
    except (ValueError, AttributeError):
        return  # the table's own check says what is wrong with them
    if least > most:
        key = "min_interval" if "min_interval" in polling else "max_interval"
        yield (
            ("polling", key),
            f"polling: min_interval ({duration_text(least)}) is longer than max_interval ({duration_text(most)})",
        )


def _impolite(settings: Document) -> Iterator[Finding]:
    if settings.polling.min_interval < _POLITE and _has_public_sources(settings):
        yield (
            ("polling", "min_interval"),
            "sources may be asked more often than every 5 minutes; publishers may block you",
        )
    for index, source in enumerate(settings.sources):
        if source.interval is not None and source.interval < _POLITE and not _is_local(_host(source.url)):
            yield ("sources", index, "interval"), f"{public_url(source.url)} is asked more often than every 5 minutes"


def _overspent(settings: Document) -> Iterator[Finding]:
    fixed = [source.interval for source in settings.sources if source.enabled and source.interval is not None]
    polls = round(sum(timedelta(days=1) / interval for interval in fixed))
    if 0 < settings.polling.budget < polls:
        yield ("polling", "budget"), f"budget is overspent by fixed intervals alone: they are {polls} requests a day"


def _has_public_sources(settings: Document) -> bool:
    return any(not _is_local(_host(source.url)) for source in settings.sources)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _is_local(host: str) -> bool:
    """Whether the host is certainly on one's own machine or network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
    return address.is_private and not address.is_unspecified
