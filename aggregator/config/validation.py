"""Checks across tables (duplicates, references), warnings, and the words for errors of types.

The checks read the raw document, so that they find what they can even where other parts of it are wrong.
"""

from __future__ import annotations

import difflib
import importlib.util
import ipaddress
import re
import socket
import typing
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path as Folder
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from aggregator.config.tables import Configuration, PollingTable, RankingTable
from aggregator.config.toml_lines import Layout, Path
from aggregator.config.types import did_you_mean, nearest
from aggregator.curate.embeddings import HOW_TO_INSTALL, find_encoder
from aggregator.curate.rules import compile_match
from aggregator.errors import Problem, RuleError
from aggregator.model import duration, duration_text
from aggregator.model.redact import SECRET_KEY, public_url, redact
from aggregator.model.slug import slugify

Finding = tuple[Path, str]
_KINDS = {
    "string_type": 'text in quotes, e.g. "…"',
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": 'a list, e.g. ["…"]',
}
#: every reader loads the whole of it before the first word shows
MAX_STYLESHEET = 200_000
#: said of a pattern
_TOO_SLOW = (
    "can take too long on unlucky texts, which it then does not match: avoid repeats within repeats, or make the inner"
    " one possessive ('++', '*+')"
)
#: asking a public server more often than this is rude
_POLITE = timedelta(minutes=5)


def errors(raw: Mapping[str, Any], layout: Layout, *, base: Folder) -> Iterator[Finding]:
    """Errors across tables and in the files that they name, which are relative to `base`."""
    yield from _unreadable_stylesheet(raw, base)
    yield from _duplicate_sources(raw, layout)
    yield from _ambiguous_sections(raw, layout)
    yield from _unknown_names(raw)
    yield from _duplicate_feeds(raw, layout)
    yield from _unknown_windows(raw)
    yield from _crossed_intervals(raw)
    yield from _unsendable_digests(raw)


def warnings(settings: Configuration) -> Iterator[Finding]:
    """What is valid but probably not intended."""
    if not settings.sources and not settings.subscriptions:
        yield (), "no [[sources]]: nothing is followed; add one with: aggregator add URL"
    elif settings.sources and not any(source.enabled for source in settings.sources):
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
    yield from _no_extractor(settings)
    if importlib.util.find_spec("apprise") is None:
        for index, feed in enumerate(settings.feeds):
            if feed.notify:
                yield ("feeds", index, "notify"), 'nobody is notified: pip install "feed-aggregator[notify]"'
    yield from _blocked(settings)
    yield from _impolite(settings)
    yield from _overspent(settings)
    yield from _slow_patterns(settings)


def comparable(url: str) -> str:
    """A key that is equal for addresses of the same feed: no scheme, ``www.``, default port or final slash."""
    parts = urlsplit(url.strip())
    host = (parts.hostname or "").rstrip(".").removeprefix("www.")
    port = "" if parts.port in {None, 80, 443} else f":{parts.port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{host}{port}{parts.path.rstrip('/')}{query}"


def _unreadable_stylesheet(raw: Mapping[str, Any], base: Folder) -> Iterator[Finding]:
    site = raw.get("site")
    name = site.get("stylesheet") if isinstance(site, dict) else None
    if not isinstance(name, str) or not name:
        return
    try:
        text = (base / name).read_text("utf-8")
    except OSError as error:
        yield ("site", "stylesheet"), f"stylesheet: {name} cannot be read: {error.strerror or error}"
    except UnicodeDecodeError:
        yield ("site", "stylesheet"), f"stylesheet: {name} is not UTF-8"
    else:
        if len(text) > MAX_STYLESHEET:
            yield ("site", "stylesheet"), f"stylesheet: {name} has more than {MAX_STYLESHEET:,} characters"


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
        first, first_name = seen.setdefault(slugify(name), (path, name))
        if first_name != name:
            other = f'"{first_name}" (line {layout.line(first)})'
            yield path, f'section "{name}" would have the same address as {other}; write both alike, or rename one'


def _unknown_names(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Rules and feeds that are about a section, source or feed that does not exist: they would never match.

    Lists of feeds on the web bring sections and names of their own, and a source without a name has its feed's title:
    then nothing is known to be wrong.
    """
    if raw.get("subscriptions") or not raw.get("sources"):
        return
    known: dict[str, list[str]] = {"section": [name for _, name in _sections(raw)] or ["News"]}
    if any(not row.keys() & {"section", "sections"} for _, row in _rows(raw, "sources")):
        known["section"].append("News")
    known["feed"] = [url for _, url in _texts(raw, "sources", "url")]
    names = [name for _, name in _texts(raw, "sources", "name")]
    rows = [row for _, row in _rows(raw, "sources")]
    if len(names) == len(rows):
        known["source"] = names
    if any("url" not in row for row in rows):  # the address stands in a file of its own
        del known["feed"]
    for table in ("rules", "feeds"):
        for index, text in _texts(raw, table, "match"):
            for field, value in _equals(text):
                if field in known and value.strip().casefold() not in {one.strip().casefold() for one in known[field]}:
                    yield (table, index, "match"), _no_such(field, value, known[field])


def _equals(text: str) -> list[tuple[str, str]]:
    """What a match says fields are equal to; nothing where it cannot be read, which is an error of its own."""
    try:
        return [(field, value) for field, value, _ in compile_match(text).equals]
    except RuleError:
        return []


def _no_such(field: str, value: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(value, known, 1)
    if field == "feed":  # an address may hold a secret
        return f'there is no feed "{public_url(value)}" among the [[sources]], so this never matches'
    hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(dict.fromkeys(known))}"[:200]
    return f'there is no {field} "{value}", so this never matches: {hint}'


def _slow_patterns(settings: Configuration) -> Iterator[Finding]:
    """Patterns that take too long on unlucky texts, on which their rules do not match then."""
    matches = {
        "rules": [rule.match for rule in settings.rules],
        "feeds": [feed.match or "" for feed in settings.feeds],
    }
    for table, texts in matches.items():
        for index, text in enumerate(texts):
            for pattern in compile_match(text).patterns if text else ():
                if pattern.is_slow():
                    yield (table, index, "match"), f"the pattern {pattern.text} {_TOO_SLOW}"


def _sections(raw: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """The sections that sources name, then those that rules name."""
    for index, name in _texts(raw, "sources", "section"):
        yield ("sources", index, "section"), name.strip()
    for index, row in _rows(raw, "sources"):
        names = row.get("sections")
        for place, name in enumerate(names if isinstance(names, list) else []):
            if isinstance(name, str):
                yield ("sources", index, "sections", place), name.strip()
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


def _unsendable_digests(raw: Mapping[str, Any]) -> Iterator[Finding]:
    mail = raw.get("mail")
    if isinstance(mail, dict) and mail.get("server"):
        return
    for index, row in _rows(raw, "feeds"):
        if row.get("mail"):
            yield (
                ("feeds", index, "mail"),
                f"feeds[{index}].mail: a digest is mailed by [mail] server, which is not given",
            )


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


def _no_extractor(settings: Configuration) -> Iterator[Finding]:
    fetching = (index for index, source in enumerate(settings.sources) if source.full_text == "fetch")
    if (first := next(fetching, None)) is not None and importlib.util.find_spec("trafilatura") is None:
        yield (
            ("sources", first, "full_text"),
            'articles are not fetched: what extracts them is not installed: pip install "feed-aggregator[fulltext]"',
        )


def _blocked(settings: Configuration) -> Iterator[Finding]:
    """Warns of sources whose literal addresses polls may not connect to; names are not resolved."""
    allowed = [ipaddress.ip_network(network) for network in settings.polling.allow_private_addresses]
    for index, source in enumerate(settings.sources):
        host = _host(source.url)
        address = _literal(host)
        if source.enabled and address and not address.is_global and not any(address in one for one in allowed):
            length = 32 if address.version == 4 else 128
            allow = f'add "{address}/{length}" to [polling] allow_private_addresses if it is on your own network'
            yield ("sources", index, "url"), f"{host} is not a public address, so it is not polled: {allow}"


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address of `host` if that is ``localhost`` or a literal in any notation that systems accept."""
    name = unicodedata.normalize("NFKC", host).lower().rstrip(".").partition("%")[0]
    if name == "localhost" or name.endswith(".localhost"):
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    try:
        # inet_aton(3) knows 127.1, 0x7f000001 and 2130706433; it takes no name and asks nobody
        return ipaddress.IPv4Address(socket.inet_aton(name)) if re.fullmatch(r"[0-9a-fx.]+", name) else None
    except (OSError, ValueError):
        return None


def _impolite(settings: Configuration) -> Iterator[Finding]:
    if settings.polling.min_interval < _POLITE and _has_public_sources(settings):
        yield (
            ("polling", "min_interval"),
            "sources may be asked more often than every 5 minutes; publishers may block you",
        )
    for index, source in enumerate(settings.sources):
        if source.interval is not None and source.interval < _POLITE and not _is_local(_host(source.url)):
            yield ("sources", index, "interval"), f"{public_url(source.url)} is asked more often than every 5 minutes"


def _overspent(settings: Configuration) -> Iterator[Finding]:
    fixed = [source.interval for source in settings.sources if source.enabled and source.interval is not None]
    polls = round(sum(timedelta(days=1) / interval for interval in fixed))
    if 0 < settings.polling.budget < polls:
        yield ("polling", "budget"), f"budget is overspent by fixed intervals alone: they are {polls} requests a day"


def _has_public_sources(settings: Configuration) -> bool:
    return any(not _is_local(_host(source.url)) for source in settings.sources)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _is_local(host: str) -> bool:
    """Whether `host` is known to be on this machine or a private network."""
    address = _literal(host)
    if address is None:
        return host.endswith((".local", ".internal"))
    return address.is_private and not address.is_unspecified


def problems(error: ValidationError, *, file: str, layout: Layout) -> list[Problem]:
    """The problems of a pydantic error, each with its line and key."""
    return [_problem(detail, file=file, layout=layout) for detail in error.errors(include_url=False)]


def problem(path: Path, message: str, *, file: str, layout: Layout) -> Problem:
    """One problem at `path`."""
    return Problem(message=message, file=file, line=layout.line(path), key=dotted(path))


def dotted(path: Iterable[str | int]) -> str:
    """``sources[3].url``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _problem(detail: Mapping[str, Any], *, file: str, layout: Layout) -> Problem:
    path: Path = tuple(detail["loc"])
    return problem(path, _message(detail, path), file=file, layout=layout)


def _message(detail: Mapping[str, Any], path: Path) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown(path)
    if kind == "missing":
        return f"{_table(path[:-1])} needs a key '{path[-1]}'"
    if kind in {"model_type", "model_attributes_type"} or (kind == "tuple_type" and len(path) == 1):
        return _brackets(path)
    if SECRET_KEY.search(dotted(path)):
        return f"{dotted(path)}: {_wrong_value({**detail, 'input': ...})}"
    return f"{dotted(path)}: {redact(_wrong_value(detail))}"


def _wrong_value(detail: Mapping[str, Any]) -> str:
    kind, shown, context = detail["type"], _shown(detail["input"]), detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        listed = " or ".join(f'"{choice}"' for choice in choices)
        return f"{shown} must be {listed}{did_you_mean(str(detail['input']), choices)}"
    if kind == "too_short":
        return "must not be empty"
    if kind in _KINDS:
        return f"{shown} must be {_KINDS[kind]}"
    return f"{shown}: {detail['msg'].removeprefix('Input ')}"


def _shown(value: object) -> str:
    if value is ...:  # a secret
        return "the value"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _table(path: Path) -> str:
    return f"[[{path[0]}]]" if len(path) > 1 else f"[{path[0]}]"


def _brackets(path: Path) -> str:
    name = str(path[0])
    field = Configuration.model_fields.get(name)
    is_array = field is not None and _row(field.annotation) is not None
    right = f"[[{name}]], with two brackets" if is_array else f"[{name}], with one bracket"
    return f"'{name}' is a {'list of tables' if is_array else 'table'}: write {right}"


def _unknown(path: Path) -> str:
    key = str(path[-1])
    if len(path) == 1:
        return f"unknown table or key '{key}'{_top_level_hint(key)}"
    model = _model(path[:-1])
    known = key_names(model) if model else []
    if nearest(key, known):
        return f"unknown key '{key}' in {_table(path[:-1])}{did_you_mean(key, known)}"
    home = _home(key)
    hint = f"; it belongs into {home}" if home else f"; valid keys: {', '.join(known)}"
    return f"unknown key '{key}' in {_table(path[:-1])}{hint}"


def _top_level_hint(key: str) -> str:
    near = nearest(key, Configuration.model_fields)
    if near:
        return f"; did you mean {_heading(near)}?"
    home = _home(key)
    return (
        f"; it belongs into {home}"
        if home
        else f"; valid tables: {', '.join(map(_heading, Configuration.model_fields))}"
    )


def _home(key: str) -> str | None:
    """The table in which `key` would be right; None if no table has such a key."""
    keys = {name: table for table in Configuration.model_fields for name in _fields(table)}
    near = difflib.get_close_matches(key, keys, 1, cutoff=0.85)
    return _heading(keys[near[0]]) if near else None


def _heading(table: str) -> str:
    return f"[[{table}]]" if _row(Configuration.model_fields[table].annotation) else f"[{table}]"


def _fields(table: str) -> list[str]:
    model = _model((table,))
    return key_names(model) if model else []


def key_names(model: type[BaseModel]) -> list[str]:
    """The keys of a table as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _model(path: Path) -> type[BaseModel] | None:
    """The model of the table at `path`."""
    field = Configuration.model_fields.get(str(path[0]))
    if field is None:
        return None
    row = _row(field.annotation)
    if row is not None:
        return row
    return field.annotation if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel) else None


def _row(annotation: Any) -> type[BaseModel] | None:
    """The model of one row of an array of tables; None if it is no array of tables."""
    arguments = typing.get_args(annotation)
    return arguments[0] if arguments and issubclass(arguments[0], BaseModel) else None
