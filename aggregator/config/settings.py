"""config.toml → Settings, or everything that is wrong with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aggregator.config import checks
from aggregator.config.locate import layout
from aggregator.config.problems import problem, problems
from aggregator.config.tables import Document
from aggregator.curate.rules import Rule
from aggregator.errors import ConfigError, Problem
from aggregator.model import OwnFeed, Subscription

#: where the configuration is looked for when none is named
PLACES = (Path("config.toml"), Path("/etc/aggregator/config.toml"))


class Settings(Document):
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
    def sections(self) -> tuple[str, ...]:
        """The sections in the order in which the sources name them, then those that only rules name."""
        shown = [source.section for source in self.sources if source.role == "source"]
        ruled = [rule.action.section for rule in self.rules_compiled() if rule.action.section]
        return tuple(dict.fromkeys(shown + ruled))

    def subscriptions(self) -> tuple[Subscription, ...]:
        """The sources, as the store takes them over."""
        return tuple(source.subscription() for source in self.sources)

    def own_feeds(self) -> tuple[OwnFeed, ...]:
        """The operator's own output feeds."""
        return tuple(feed.own_feed(self.ranking.window) for feed in self.feeds)

    def rules_compiled(self) -> tuple[Rule, ...]:
        """The rules, in their order, ready to be asked."""
        return tuple(rule.compiled() for rule in self.rules)


def find(explicit: Path | None = None) -> Path:
    """The configuration file: the named one, else the first of `PLACES` that exists; ConfigError if there is none."""
    if explicit is not None:
        return explicit
    for place in PLACES:
        if place.is_file():
            return place
    raise ConfigError(Problem(message=f"no configuration: looked for {' and '.join(map(str, PLACES))}; use --config"))


def load(path: Path) -> Settings:
    """The configuration in `path`. ConfigError carries all problems found, in the order of the file."""
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


def parse(text: str, *, path: Path = Path("config.toml")) -> Settings:
    """The configuration `text`; `path` is where it is from, for messages and for relative paths in it."""
    text = text.removeprefix("\ufeff")
    raw, file = _toml(text, str(path)), str(path)
    where = layout(text)
    found = [problem(at, message, file=file, layout=where) for at, message in checks.errors(raw, where)]
    try:
        document = Document.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(*_in_order(problems(error, file=file, layout=where) + found)) from error
    if found:
        raise ConfigError(*_in_order(found))
    warnings = [problem(at, message, file=file, layout=where) for at, message in checks.warnings(document)]
    return Settings.model_construct(path=path.absolute(), warnings=tuple(_in_order(warnings)), **dict(document))


def _toml(text: str, file: str) -> dict[str, Any]:
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
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
    written = text.split("\n")[min(line, text.count("\n") + 1) - 1].strip()
    return Problem(
        message=f"not valid TOML: {message[: found.start()].lower()} in: {written[:80]}",
        file=file,
        line=line,
    )


def _in_order(found: list[Problem]) -> list[Problem]:
    return sorted(found, key=lambda one: one.line or 0)
