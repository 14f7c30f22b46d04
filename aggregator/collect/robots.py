"""What a robots.txt allows us (RFC 9309). Pure.

Asked for before articles are fetched, which no person has named; feeds are requested by those who subscribe to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes, urlsplit

__all__ = ["ALLOW_ALL", "DISALLOW_ALL", "MAX_BYTES", "Robots", "parse_robots"]

#: of a file; what stands behind is not looked at (RFC 9309 2.5)
MAX_BYTES = 500 * 1024
#: by which a group addresses us, in lower case; the User-Agent begins with it
_PRODUCT = "aggregator"
_TOKEN = re.compile(r"[a-z_-]+|\*", re.IGNORECASE)
_MAX_LINES = 10_000
_SAFE = "/:?#[]@!$&'()*+,;=%~-._"


class _Rule(NamedTuple):
    allows: bool
    #: as it is written: the longest that matches counts (RFC 9309 2.2.2)
    length: int
    #: what stands between the asterisks
    parts: tuple[str, ...]
    #: the path ends with the last part
    is_anchored: bool = False

    def matches(self, path: str) -> bool:
        """In linear time, whatever the rule."""
        if len(self.parts) == 1:
            return path == self.parts[0] if self.is_anchored else path.startswith(self.parts[0])
        first, *middle, last = self.parts
        if not path.startswith(first):
            return False
        at = len(first)
        for part in middle:
            found = path.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        return path.endswith(last) and len(path) - len(last) >= at if self.is_anchored else path.find(last, at) >= 0


class Robots:
    """The rules for us; of two that match the longer one counts, of two of a length the one that allows."""

    def __init__(self, rules: Sequence[_Rule] = ()) -> None:
        self._rules = sorted(rules, key=lambda rule: (-rule.length, not rule.allows))

    def allows(self, url: str) -> bool:
        """Whether we may request `url`."""
        parts = urlsplit(url)
        path = _octets((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        if path == "/robots.txt":
            return True
        return next((rule.allows for rule in self._rules if rule.matches(path)), True)


ALLOW_ALL, DISALLOW_ALL = Robots(), Robots([_Rule(allows=False, length=0, parts=("",))])


def parse_robots(document: bytes) -> Robots:
    """The rules of the groups that name us; where none does, of those for everybody. Other lines are passed over."""
    ours, everybodys, is_named = list[_Rule](), list[_Rule](), False
    agents, in_rules = set[str](), True
    for name, value in _lines(document[:MAX_BYTES].decode("utf-8-sig", "replace")):
        if name == "user-agent":
            agents = set() if in_rules else agents
            in_rules = False
            token = _TOKEN.match(value)
            agents.add(token[0].lower() if token else "")
            is_named |= _PRODUCT in agents
        elif name in {"allow", "disallow"}:
            in_rules = True
            if (rule := _rule(value, allows=name == "allow")) is not None:
                ours += [rule] if _PRODUCT in agents else []
                everybodys += [rule] if "*" in agents else []
    return Robots(ours if is_named else everybodys)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in islice(text.splitlines(), _MAX_LINES):
        name, colon, value = line.partition("#")[0].partition(":")
        if colon:
            yield name.strip().lower(), value.strip()


def _rule(path: str, *, allows: bool) -> _Rule | None:
    """``*`` stands for anything, ``$`` at the end for the end; an empty one says nothing."""
    if not path:
        return None
    written = _octets(path)
    parts = tuple(re.sub(r"\*+", "*", written.removesuffix("$")).split("*"))
    return _Rule(allows, len(written), parts, written.endswith("$"))


def _octets(path: str) -> str:
    """In one spelling: what may be written as it is, is; the rest percent-encoded (RFC 9309 2.2.2)."""
    kept = re.sub(r"%(2[fF]|3[fF]|23|25|2[aA]|24)", lambda found: f"%25{found[1].upper()}", path)
    return quote(unquote_to_bytes(kept), safe=_SAFE)
