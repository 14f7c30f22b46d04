"""Adds and removes sources in config.toml; every other byte of it stays as its author wrote it.

The layout says on which lines a table stands; whole lines are put in or taken out, so comments, order, blank lines and
line ends stay. The result is read like any configuration before it replaces the file, in one step (temporary file,
fsync, rename), with the mode and owner of the old one.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import tomlkit

from aggregator.config.settings import Settings, parse
from aggregator.config.tables import SourceTable
from aggregator.config.toml_lines import Layout, layout
from aggregator.config.types import did_you_mean
from aggregator.config.validation import comparable
from aggregator.errors import ConfigError, NotFound, Problem
from aggregator.model.redact import public_url, redact


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSource:
    """A source to be added; keys that are None are not written."""

    url: str
    section: str | None = None
    name: str | None = None


def add_source(path: Path, url: str, *, section: str | None = None, name: str | None = None) -> None:
    """Adds one ``[[sources]]`` after the last of its section. Raises ConfigError; then nothing was changed."""
    add_sources(path, [NewSource(url=url, section=section, name=name)])


def add_sources(path: Path, sources: Iterable[NewSource]) -> None:
    """Adds several sources in one step. Raises ConfigError; then none was added."""
    content, text = _read(path)
    _replace(path, content, _with(text, list(sources), path))


def find_source(settings: Settings, name: str) -> SourceTable:
    """The source whose address or name is `name`. Raises NotFound, with the nearest address or name."""
    return settings.sources[_index(settings, name)]


def remove_source(path: Path, name: str) -> SourceTable:
    """Removes the source whose address (also with another scheme, or with ``www.``) or name is `name`; returns it.

    Raises NotFound if there is none and ConfigError if the file cannot be edited; then nothing was changed.
    """
    content, text = _read(path)
    settings = parse(text, path=path)
    index = _index(settings, name)
    lines, where = _lines(text), _array_layout(text, path)
    first, last = _block(lines, where, index)
    if last < len(lines) and not lines[last].strip() and (first == 0 or not lines[first - 1].strip()):
        last += 1  # of the two blank lines that would meet, one is enough
    _replace(path, content, "".join(lines[:first] + lines[last:]))
    return settings.sources[index]


def _read(path: Path) -> tuple[bytes, str]:
    """The bytes and the text of the file. Raises ConfigError if it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(Problem(message=f"cannot be read: {error.strerror or error}", file=str(path))) from error
    try:
        return content, content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(Problem(message="is not UTF-8: save it as UTF-8", file=str(path))) from error


def _with(text: str, sources: list[NewSource], path: Path) -> str:
    settings = parse(text, path=path)
    lines, where = _lines(text), _array_layout(text, path)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    line_end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    places: dict[int, list[str]] = {}
    sections = {source.all_sections[0] for source in settings.sources}
    for source in sorted(sources, key=lambda one: ((one.section or "News") not in sections, one.section or "")):
        anchor = _anchor(settings, source)
        at = _block(lines, where, anchor)[1] if anchor is not None else len(lines)
        places.setdefault(at, []).extend([line_end, *(line + line_end for line in written_source(source).splitlines())])
    for at in sorted(places, reverse=True):
        gap = [line_end] if at < len(lines) and lines[at].strip() else []
        lines[at:at] = places[at] + gap
    return "".join(lines)


def _lines(text: str) -> list[str]:
    """The lines of `text`, ends included. TOML ends lines at LF only, `str.splitlines` at ten characters."""
    return io.StringIO(text, newline="\n").readlines()


def written_source(source: NewSource) -> str:
    """The ``[[sources]]`` table of `source`."""
    table = tomlkit.table()
    for key in ("url", "section", "name"):
        value = getattr(source, key)
        if value is not None:
            table.add(key, value)
    return "[[sources]]\n" + tomlkit.dumps(table)


def _anchor(settings: Settings, new: NewSource) -> int | None:
    """The index of the source after which the new one is written: the last of its section, else the last."""
    same = [at for at, source in enumerate(settings.sources) if source.all_sections[0] == (new.section or "News")]
    return same[-1] if same else (len(settings.sources) - 1 if settings.sources else None)


def _index(settings: Settings, name: str) -> int:
    """The index of the source whose address or name is `name`; scheme and ``www.`` may differ. Raises NotFound."""
    exact = [at for at, source in enumerate(settings.sources) if name in {source.url, source.name}]
    near = [at for at, source in enumerate(settings.sources) if _is_at(source.url, name)]
    for at in exact + near:
        return at
    known = [known for source in settings.sources for known in (public_url(source.url), source.name) if known]
    raise NotFound(f"{settings.path}: no source has the address or the name {redact(name)}{did_you_mean(name, known)}")


def _is_at(url: str, given: str) -> bool:
    try:
        return comparable(given) in {comparable(url), comparable(public_url(url))}
    except ValueError:  # `given` is no address
        return False


def _array_layout(text: str, path: Path) -> Layout:
    """The layout of `text`. Raises ConfigError if the sources cannot be edited line by line."""
    where = layout(text)
    if ("sources",) in where.lines and ("sources", 0) not in where.ends:
        raise ConfigError(
            Problem(
                message="sources = [...] cannot be edited by a command: write each as [[sources]]",
                file=str(path),
                line=where.lines["sources",],
            )
        )
    return where


def _block(lines: list[str], where: Layout, index: int) -> tuple[int, int]:
    """The lines (from 0, end excluded) of a source: header, values, and comments that directly follow.

    Comments that lead over to the next header without a blank line belong to what follows them.
    """
    first, last = where.lines["sources", index] - 1, where.ends["sources", index]
    end = last
    while end < len(lines) and lines[end].lstrip().startswith("#"):
        end += 1
    leads_over = end < len(lines) and bool(lines[end].strip())
    return first, last if leads_over else end


def _replace(path: Path, old: bytes, text: str) -> None:
    """Replaces the file by `text`. Raises ConfigError if `text` is not valid or the file is no longer `old`."""
    parse(text, path=path)
    target = path.resolve()  # a link stays a link
    try:
        if target.read_bytes() != old:
            raise ConfigError(Problem(message="was changed by somebody else meanwhile; try again", file=str(path)))
        _write(target, text.encode("utf-8"))
    except OSError as error:
        raise ConfigError(Problem(message=f"cannot be written: {error.strerror or error}", file=str(path))) from error


def _write(target: Path, content: bytes) -> None:
    state = target.stat()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(handle, state.st_mode & 0o7777)
            if (state.st_uid, state.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(handle, state.st_uid, state.st_gid)
            os.fsync(handle)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
