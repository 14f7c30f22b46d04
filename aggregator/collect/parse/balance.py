"""Ill-formed XML → well-formed XML of the same elements, so that the reader reads it by the same tables.

What is mended is what people write by hand and templates get wrong: end tags that are missing, crossed or begin
nowhere, attributes without quotes or twice, a "<" that begins no tag, comments with "--" in them.
"""

from __future__ import annotations

import html
import re
from collections import Counter

from aggregator.collect.parse.formats import DOCUMENT, PREFIXES, Container, Rule, Rules

__all__ = ["balanced"]

_TOKEN = re.compile(
    r"(?P<section><!\[CDATA\[[^\]]*+(?:\](?!\]>)[^\]]*+)*+\]\]>)|<!--[^-]*+(?:-(?!->)[^-]*+)*+-->|<[?!][^<>]*+>"
    r"|<(?P<end>/?)(?P<name>[A-Za-z_][\w.-]*+(?::[A-Za-z_][\w.-]*+)?)(?=[\s/>])"
    r"(?P<attributes>(?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+)>|(?P<stray><)|(?P<bracket>\]\]>)"
)
#: as XML asks for them
_SOUND = re.compile(r"(?:\s+[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*\s*/?")
_ATTRIBUTE = re.compile(
    r"(?<![\w.:-])([A-Za-z_][\w.-]*+(?::[A-Za-z_][\w.-]*+)?)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>]+))"
)
#: they are elements of HTML too, and may stand in a text
_AMBIGUOUS = frozenset({"body", "content", "image", "source", "summary", "title", "xhtml:body", "xhtml:div"})
_ENTRIES = frozenset({"item", "entry"})
#: open elements; what is deeper holds nothing
_MAX_DEPTH = 200
_NOTHING: Rules = {}


def balanced(text: str) -> str:
    """`text` with every element closed, and nothing closed that is not open; it begins with its root element.

    An element that holds text or attributes only ends where the next one of its parent begins.
    """
    return _Balancer().run(text)


class _Balancer:
    def __init__(self) -> None:
        self._pieces: list[str] = []
        #: open elements: name as written, name to compare, what its children mean; none for text and leaves
        self._stack: list[tuple[str, str, Rules | None]] = []
        self._open: Counter[str] = Counter()
        #: places in `_stack` of elements whose children count
        self._parents: list[int] = []

    def run(self, text: str) -> str:
        at = 0
        # neither is looked for the end of that has none
        comment = text.find("<!--", text.rfind("-->") + 1)
        text = text[:comment] if comment >= 0 else text
        last = text.rfind("]]>") + 1
        text = text[:last] + text[last:].replace("<![CDATA[", "")
        for token in _TOKEN.finditer(text):
            self._pieces.append(text[at : token.start()])
            at = token.end()
            if token["name"]:
                self._tag(token["name"], token["attributes"], is_end=bool(token["end"]))
            elif token["stray"] or token["bracket"]:
                self._pieces.append(html.escape(token[0]))
            elif token["section"]:
                self._pieces.append(token[0])
        self._pieces.append(text[at:])
        self._close(0)
        return "".join(self._pieces)

    def _tag(self, name: str, attributes: str, *, is_end: bool) -> None:
        key = name.lower()
        if not is_end:
            self._start(name, key, attributes)
        elif self._open[key] and self._stack[0][1] != key:  # the root ends with the document
            self._close(next(place for place in range(len(self._stack) - 1, -1, -1) if self._stack[place][1] == key))

    def _start(self, name: str, key: str, attributes: str) -> None:
        prefix, colon, local = key.rpartition(":")
        known = f"{PREFIXES.get(prefix, prefix + ':')}{local}" if colon else key
        if not self._stack:
            self._pieces.append(f"<{name}{_sound(attributes)}>")
            self._push(name, key, DOCUMENT.get(known, ("", _NOTHING))[1])
            return
        if known in _ENTRIES:
            self._close_for_entry(known)
        parent = self._parents[-1]
        rules = self._stack[parent][2] or _NOTHING
        if parent < len(self._stack) - 1 and known in rules and known not in _AMBIGUOUS:
            self._close(parent + 1)
        is_empty = attributes.endswith("/") or len(self._stack) >= _MAX_DEPTH
        self._pieces.append(f"<{name}{_sound(attributes)}{'/' if is_empty else ''}>")
        if not is_empty:
            self._push(name, key, _children(rules.get(known)) if parent == len(self._stack) - 1 else None)

    def _close_for_entry(self, known: str) -> None:
        """Ends a category, an author or the like that is still open where an entry begins."""
        depth = next((place + 1 for place in reversed(self._parents) if known in (self._stack[place][2] or ())), 0)
        if depth:
            self._close(depth)

    def _push(self, name: str, key: str, children: Rules | None) -> None:
        if children is not None:
            self._parents.append(len(self._stack))
        self._stack.append((name, key, children))
        self._open[key] += 1

    def _close(self, depth: int) -> None:
        """Ends all elements but the outermost `depth`."""
        while len(self._stack) > depth:
            name, key, _ = self._stack.pop()
            self._open[key] -= 1
            if self._parents[-1] == len(self._stack):
                self._parents.pop()
            self._pieces.append(f"</{name}>")


def _children(rule: Rule | None) -> Rules | None:
    """What may stand in an element; None: text, an attribute's value, or something that nobody knows."""
    return rule.children if isinstance(rule, Container) else None


def _sound(attributes: str) -> str:
    """Attributes in quotes, each once."""
    found = _ATTRIBUTE.findall(attributes)
    if _SOUND.fullmatch(attributes) and len({name for name, *_ in found}) == len(found):
        return attributes.rstrip("/")
    values: dict[str, str] = {}
    for name, double, single, bare in found:
        values.setdefault(name, html.escape(html.unescape(double or single or bare.rstrip("/"))))
    return "".join(f' {name}="{value}"' for name, value in values.items())
