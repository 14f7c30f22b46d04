"""The line of every key of a TOML text. tomllib does not tell them, so the text is scanned a second time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

#: ``("sources", 3, "url")``
Path = tuple[str | int, ...]

_KEY = re.compile(r"""[ \t]*("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*""")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'", re.DOTALL)
_BARE = re.compile(r"[^,\]}#\n]+")


@dataclass(frozen=True, slots=True)
class Layout:
    """The lines of tables, keys and elements of arrays in a valid TOML text."""

    #: the line (from 1) of every key, table header and element
    lines: dict[Path, int] = field(default_factory=dict)
    #: the last line of what belongs to a table: of its last value, or of its header if it has none
    ends: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int | None:
        """The line of `path`, or of the innermost table around it that has one."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None


def layout(text: str) -> Layout:
    """The layout of `text`, which must be valid TOML."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        self._at = 0
        #: a place that was asked for, and its line: places are asked for in their order
        self._counted = (0, 1)
        self._found = Layout()
        #: how many tables each array of tables has so far
        self._counts: dict[Path, int] = {}

    def scan(self) -> Layout:
        table: Path = ()
        self._skip_blank()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._assignment(table)
            self._found.ends[table] = self._line()
            self._skip_blank()
        return self._found

    def _line(self) -> int:
        place, line = self._counted
        line += self._text.count("\n", place, self._at)
        self._counted = (self._at, line)
        return line

    def _skip_blank(self) -> None:
        found = _BLANK.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _note(self, path: Path) -> None:
        self._found.lines.setdefault(path, self._line())

    def _header(self) -> Path:
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        path = self._real(self._keys())
        if is_array:
            self._counts[path] = self._counts.get(path, -1) + 1
            self._note(path)
            path = (*path, self._counts[path])
        self._note(path)
        self._at += 2 if is_array else 1
        return path

    def _real(self, keys: list[str]) -> Path:
        """The path with the indices of the arrays of tables it goes through."""
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, key)
            self._note(path)
            if path in self._counts:
                path = (*path, self._counts[path])
        return (*path, keys[-1])

    def _keys(self) -> list[str]:
        keys = []
        while found := _KEY.match(self._text, self._at):
            keys.append(found[1].strip("\"'"))
            self._at = found.end()
            if not self._text.startswith(".", self._at):
                break
            self._at += 1
        return keys

    def _assignment(self, table: Path) -> None:
        path: Path = table
        for key in self._keys():
            path = (*path, key)
            self._note(path)
        self._at += 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip_blank()
        match self._text[self._at : self._at + 1]:
            case "[":
                self._elements(path)
            case "{":
                self._members(path)
            case _:
                found = _STRING.match(self._text, self._at) or _BARE.match(self._text, self._at)
                # Whatever it is, go on: a wrong line is better than none, and standing still is worse than either.
                self._at = found.end() if found else self._at + 1

    def _elements(self, path: Path) -> None:
        self._at += 1
        index = 0
        while not self._closes("]"):
            self._note((*path, index))
            self._value((*path, index))
            index += 1

    def _members(self, path: Path) -> None:
        self._at += 1
        while not self._closes("}"):
            self._assignment(path)

    def _closes(self, bracket: str) -> bool:
        """Skips blanks and a comma; True, behind it, if the bracket closes here (or the text ends)."""
        self._skip_blank()
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip_blank()
        if self._text.startswith(bracket, self._at):
            self._at += 1
            return True
        return self._at >= len(self._text)
