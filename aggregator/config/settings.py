"""Finds, reads and compares configurations. All problems of a file are reported at once."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from aggregator.config import secrets, validation
from aggregator.config.tables import Configuration, Table
from aggregator.config.toml_lines import layout
from aggregator.config.validation import problem, problems
from aggregator.curate.rules import Rule
from aggregator.errors import ConfigError, Problem
from aggregator.model import OwnFeed, Subscription, duration_text
from aggregator.model.redact import SECRET_KEY, public_url, redact

#: the system's configuration, looked for last
SYSTEM_CONFIG = Path("/etc/aggregator/config.toml")
#: where the service keeps its state (StateDirectory= of the units)
SYSTEM_STATE = Path("/var/lib/aggregator")
#: tables that make a ``config.toml`` in the current folder ours: other programs have files of that name
_OURS = re.compile(r"^\s*(?:\[\s*site\s*\]|\[\[\s*sources\s*\]\]|sources\s*=)", re.MULTILINE)

#: keys that a running daemon cannot take over
_NEEDS_RESTART = frozenset({"server.listen", "store.url"})
_SINGLE_TABLES = tuple(
    name for name in Configuration.model_fields if name not in {"sources", "subscriptions", "rules", "feeds"}
)


class Settings(Configuration):
    """The configuration: one frozen value, replaced whole when the file changes.

    The tables are attributes with the names they have in the file: ``settings.polling.timeout``.
    """

    #: the file it came from, absolute; the store's relative path is relative to its folder
    path: Path
    #: what is allowed and probably not meant
    warnings: tuple[Problem, ...] = ()

    @property
    def base(self) -> Path:
        """The folder that relative paths are relative to."""
        return self.path.parent

    @property
    def store_base(self) -> Path:
        """The folder that a relative path of the store is relative to.

        The state directory of the service where the file lies in /etc, which no service may write to.
        """
        return SYSTEM_STATE if self.path.is_relative_to("/etc") else self.base

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections in the order of the sources, then those that only rules name."""
        shown = [name for source in self.sources if source.role == "source" for name in source.all_sections]
        ruled = [rule.action.section for rule in self.rules_compiled() if rule.action.section]
        return tuple(dict.fromkeys(shown + ruled))

    def followed(self) -> tuple[Subscription, ...]:
        """The ``[[sources]]``, as the store takes them over; feeds of ``[[subscriptions]]`` are not among them."""
        return tuple(source.subscription() for source in self.sources)

    def own_feeds(self) -> tuple[OwnFeed, ...]:
        """The operator's own output feeds."""
        return tuple(feed.own_feed(self.ranking.window) for feed in self.feeds)

    def rules_compiled(self) -> tuple[Rule, ...]:
        """The compiled rules, in their order."""
        return tuple(rule.compiled(self.site.timezone) for rule in self.rules)


def user_config(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The user's configuration file (XDG Base Directory Specification); None without a home."""
    return _xdg(environ, "XDG_CONFIG_HOME", ".config", "config.toml")


def user_state(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The user's folder for stores (XDG Base Directory Specification); None without a home."""
    return _xdg(environ, "XDG_STATE_HOME", ".local/state", "")


def _xdg(environ: Mapping[str, str], variable: str, default: str, name: str) -> Path | None:
    folder, home = Path(environ.get(variable, "")), Path(environ.get("HOME", ""))
    if folder.is_absolute():
        return folder / "aggregator" / name
    return home / default / "aggregator" / name if home.is_absolute() else None


def find(explicit: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The configuration file: `explicit`, ``$AGGREGATOR_CONFIG``, or the first of three that exists.

    The three: ``./config.toml`` if it has ``[site]`` or ``[[sources]]``, the user's (`user_config`), the system's. A
    folder that may not be read counts as one without the file. Raises ConfigError if there is none.
    """
    if explicit is not None:
        return explicit
    if environ.get("AGGREGATOR_CONFIG"):
        return Path(environ["AGGREGATOR_CONFIG"])
    looked = []
    for place in (Path("config.toml"), user_config(environ), SYSTEM_CONFIG):
        if place is not None:
            why_not = _why_not(place)
            if not why_not:
                return place
            looked.append(f"{place} ({why_not})")
    raise ConfigError(
        Problem(message=f"no configuration: {', '.join(looked)}; `aggregator init` writes one, --config names another")
    )


def _why_not(place: Path) -> str:
    """Why `place` is not the configuration; "" if it is."""
    try:
        if not stat.S_ISREG(place.stat().st_mode):
            return "not a file"
        if not place.is_absolute() and not _OURS.search(place.read_text("utf-8", "replace")):
            return "another program's: it has neither [site] nor [[sources]]"
    except FileNotFoundError:
        return "not there"
    except OSError as error:
        # A file that exists and cannot be read is the configuration: `load` says so. A folder is passed over.
        return "" if _exists(place) else (error.strerror or str(error)).lower()
    return ""


def _exists(place: Path) -> bool:
    try:
        place.stat()
    except OSError:
        return False
    return True


def load(path: Path) -> Settings:
    """The configuration in `path`. Raises ConfigError with all problems, in the order of the file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(Problem(message=f"cannot be read: {error.strerror or error}", file=str(path))) from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(Problem(message="is not UTF-8: save it as UTF-8", file=str(path), line=line)) from error
    return parse(text, path=path)


def parse(text: str, *, path: Path = Path("config.toml"), environ: Mapping[str, str] = os.environ) -> Settings:
    """The configuration `text`; `path` is where it is from, for messages and for relative paths in it.

    Raises ConfigError with all problems. Addresses that `text` keeps elsewhere (`secrets`) are read.
    """
    text = text.removeprefix("\ufeff")
    raw, file = _toml(text, str(path)), str(path)
    where = layout(text)
    findings = [
        *secrets.resolve(raw, base=path.parent, environ=environ),
        *secrets.unreadable(raw, base=path.parent, environ=environ),
        *validation.errors(raw, where, base=path.parent),
    ]
    found = [problem(at, message, file=file, layout=where) for at, message in findings]
    try:
        document = Configuration.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(*_in_order(problems(error, file=file, layout=where) + found)) from error
    if found:
        raise ConfigError(*_in_order(found))
    warnings = [problem(at, message, file=file, layout=where) for at, message in validation.warnings(document)]
    return Settings.model_construct(path=path.absolute(), warnings=tuple(_in_order(warnings)), **dict(document))


def _toml(text: str, file: str) -> dict[str, Any]:
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of too many digits
        raise ConfigError(_syntax(error, text, file)) from error
    if not raw:
        raise ConfigError(Problem(message="is empty: it needs at least one [[sources]] table", file=file))
    return raw


def _syntax(error: Exception, text: str, file: str) -> Problem:
    message = str(error) or "nested too deeply"
    found = re.search(r" ?\(at (?:line (\d+), column (\d+)|end of document)\)", message)
    if found is None:
        return Problem(message=f"not valid TOML: {message}", file=file)
    line = int(found[1]) if found[1] else text.rstrip().count("\n") + 1
    written = _public_line(text.split("\n")[min(line, text.count("\n") + 1) - 1].strip())
    return Problem(
        message=f"not valid TOML: {message[: found.start()].lower()} in: {written[:80]}",
        file=file,
        line=line,
    )


def _public_line(line: str) -> str:
    """A line of the file as messages may quote it: without passwords and tokens."""
    key, equals, _ = line.partition("=")
    return f"{key}{equals} …" if equals and SECRET_KEY.search(key) else redact(line)


def _in_order(found: list[Problem]) -> list[Problem]:
    return sorted(found, key=lambda one: one.line or 0)


def diff(old: Settings, new: Settings) -> list[str]:
    """The changes from `old` to `new`, a phrase each, without secrets."""
    changes = diff_sources(old.followed(), new.followed())
    for name in _SINGLE_TABLES:
        changes += _table_changes(name, getattr(old, name), getattr(new, name))
    changes += _count_changes("rule", old.rules, new.rules)
    changes += _count_changes("feed", old.feeds, new.feeds)
    return changes


def diff_sources(old: Iterable[Subscription], new: Iterable[Subscription]) -> list[str]:
    """The sources that would be added, changed and removed, a phrase each."""
    before, after = ({one.url: one for one in subscriptions} for subscriptions in (old, new))
    added = [
        f"would add source {public_url(url)} ({', '.join(one.sections)})"
        for url, one in after.items()
        if url not in before
    ]
    changed = [text for url, one in after.items() if url in before for text in _source_changes(before[url], one)]
    removed = [f"would stop following {public_url(url)} (its items stay)" for url in before if url not in after]
    return added + changed + removed


def _source_changes(old: Subscription, new: Subscription) -> Iterator[str]:
    for key in (field.name for field in dataclasses.fields(Subscription)):
        before, after = getattr(old, key), getattr(new, key)
        if before != after:
            values = "" if SECRET_KEY.search(key) else f" from {_shown(before)} to {_shown(after)}"
            yield f"would change {key} of {public_url(new.url)}{values}"


def base_path(url: str) -> str:
    """The path of the address of a site, below which its routes stand; "" for the root."""
    return urlsplit(url).path.rstrip("/")


def _table_changes(name: str, old: Table, new: Table) -> Iterator[str]:
    for key, after in new:
        before = getattr(old, key)
        if before != after:
            needs_restart = f"{name}.{key}" in _NEEDS_RESTART or (
                f"{name}.{key}" == "site.url" and base_path(before) != base_path(after)
            )
            note = " (needs a restart)" if needs_restart else ""
            values = "" if SECRET_KEY.search(key) else f" from {_shown(before)} to {_shown(after)}"
            yield f"would change {name}.{key}{values}{note}"


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
    return "none" if value is None else f'"{redact(value)}"' if isinstance(value, str) else redact(str(value))
