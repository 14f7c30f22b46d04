"""An element begins, an element ends: what feedparser does then, with what there is to know of a name found out once.

Elements inside of content (XHTML), and those with attributes that change what is around them, go its own way. Names of
methods and attributes are feedparser's: `parsers.strict`, `mixin`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from xml.sax.xmlreader import AttributesNSImpl

from aggregator.collect.parse.quicker.addresses import make_safe_absolute_uri
from aggregator.collect.parse.quicker.bounds import bounded
from aggregator.collect.parse.quicker.values import QuickValues

__all__ = ["QuickParser"]

_XHTML = "application/xhtml+xml"
_ROOTS = frozenset({"feed", "rss", "rdf:RDF"})
_LOWERED = frozenset({"rel", "type"})
#: attributes by which the addresses and words of all elements inside are read
_SCOPED = frozenset({"base", "lang"})
#: elements of their own names in which a text input or a picture goes on
_IN_TEXT_INPUT = frozenset({"title", "link", "description", "name"})
_IN_IMAGE = frozenset({"title", "link", "description", "url", "href", "width", "height"})
#: to these feedparser gives an attribute
_ISLANDS = frozenset({("http://www.w3.org/1998/Math/MathML", "math"), ("http://www.w3.org/2000/svg", "svg")})

Attributes = Mapping[str, str]


class _Start(NamedTuple):
    """What is done when an element of some name begins."""

    tag: str
    #: under what it is stored where no method is for it
    key: str
    method: Callable[..., Any] | None
    ends_text_input: bool
    ends_image: bool
    island: bool


class _End(NamedTuple):
    """What is done when an element of some name ends."""

    tag: str
    key: str
    method: Callable[..., Any] | None
    svg: bool


class QuickParser(QuickValues):
    """feedparser's strict parser."""

    def __init__(self, *arguments: Any) -> None:
        self._starts: dict[str, _Start] = {}
        self._ends: dict[str, _End] = {}
        #: a base address that comes out of being resolved against itself as it went in
        self._settled_base: str | None = None
        super().__init__(*arguments)

    def track_namespace(self, prefix: str | None, uri: str) -> None:
        """A namespace is declared: what was found out of names may be another thing now."""
        super().track_namespace(prefix, uri)
        self._starts.clear()
        self._ends.clear()

    def begin(self, name: str, attributes: Attributes) -> None:
        """An element begins; its name and those of its attributes are "namespace local prefix", as expat gives them."""
        start = self._starts.get(name) or self._learnt_start(name)
        plain = None if self.incontent or self.decls or start.island else _plain(attributes)
        if plain is None:
            self.startElementNS(_pair(name), None, _as_sax(bounded(attributes)))
            return
        self.depth += 1
        if self.baseuri != self._settled_base:
            self._settle_base()
        if self.lang and start.tag in _ROOTS:
            self.feeddata["language"] = self.lang.replace("_", "-")
        self.basestack.append(self.baseuri)
        self.langstack.append(self.lang)
        if start.ends_text_input:
            self.intextinput = 0
        if start.ends_image:
            self.inimage = 0
        if start.method is None:
            self._begin_unknown(start.key, plain)
            return
        try:
            start.method(self, plain)
        except AttributeError:  # as feedparser does
            self._begin_unknown(start.key, plain)

    def finish(self, name: str) -> None:
        """An element ends."""
        end = self._ends.get(name) or self._learnt_end(name)
        if end.svg and self.svgOK:
            self.svgOK -= 1
        if end.method is None or self.svgOK:
            self.pop(end.key)
        else:
            try:
                end.method(self)
            except AttributeError:  # as feedparser does
                self.pop(end.key)
        if self.incontent and not self._finish_inside(end.tag):
            return
        if self.basestack:
            self.basestack.pop()
            if self.basestack and self.basestack[-1]:
                self.baseuri = self.basestack[-1]
        if self.langstack:
            self.langstack.pop()
            if self.langstack:
                self.lang = self.langstack[-1]
        self.depth -= 1

    def _begin_unknown(self, key: str, plain: dict[str, str]) -> None:
        if plain:
            self._get_context()[key] = plain
        else:
            self.push(key, 1)

    def _finish_inside(self, tag: str) -> bool:
        """The end of an element within content; False where feedparser leaves it at that."""
        if not self.contentparams.get("type", "xml").endswith("xml"):
            if tag in {"xhtml:div", "div"}:
                return False
            self.contentparams["type"] = _XHTML
        if self.contentparams.get("type") == _XHTML:
            self.handle_data(f"</{tag.rpartition(':')[2]}>", escape=0)
        return True

    def _settle_base(self) -> None:
        before = self.baseuri
        self.baseuri = make_safe_absolute_uri(before, before) or before if before else ""
        self._settled_base = before if before == self.baseuri else None

    def _learnt_start(self, name: str) -> _Start:
        namespace, local = _pair(name)
        if "backend.userland.com/rss" in (namespace or "").lower():
            namespace = "http://backend.userland.com/rss"
        tag = self._tag(namespace, local)
        prefix, key = self._stored(tag)
        own = not prefix
        found = _Start(
            tag=tag,
            key=key,
            method=getattr(type(self), f"_start_{key}", None),
            ends_text_input=own and tag not in _IN_TEXT_INPUT,
            ends_image=own and tag not in _IN_IMAGE,
            island=(namespace, local.lower()) in _ISLANDS,
        )
        self._starts[name] = found
        return found

    def _learnt_end(self, name: str) -> _End:
        tag = self._tag(*_pair(name))
        _, key = self._stored(tag)
        found = _End(
            tag, key, getattr(type(self), f"_end_{key}", None), svg=tag.partition(":")[2] == "svg" or tag == "svg"
        )
        self._ends[name] = found
        return found

    def _tag(self, namespace: str | None, local: str) -> str:
        """The name with the prefix that feedparser gives to its namespace."""
        if prefix := self._matchnamespaces.get((namespace or "").lower()):
            return f"{prefix}:{local}".lower()
        if namespace:
            for name, uri in self.namespaces_in_use.items():
                if name and uri == namespace:
                    return f"{name}:{local}".lower()
        return local.lower()

    def _stored(self, tag: str) -> tuple[str, str]:
        """(prefix, name with it) as they stand in feedparser's methods and dictionaries."""
        prefix, colon, suffix = tag.partition(":")
        if not colon:
            prefix, suffix = "", tag
        prefix = self.namespacemap.get(prefix, prefix)
        return prefix, f"{prefix}_{suffix}" if prefix else suffix


def _plain(attributes: Attributes) -> dict[str, str] | None:
    """Attributes as feedparser's methods want them; None where there is more to them than names and values."""
    plain: dict[str, str] = {}
    for given, value in attributes.items():
        name = given.lower()
        if " " in name or name in _SCOPED:
            return None
        plain[name] = value.lower() if name in _LOWERED else value
    return plain


def _pair(name: str) -> tuple[str | None, str]:
    """(namespace, local name) of a name as expat gives it."""
    parts = name.split()
    return (None, name) if len(parts) == 1 else (parts[0], parts[1])


def _as_sax(attributes: Attributes) -> AttributesNSImpl:
    """Attributes as `xml.sax.expatreader` hands them over."""
    values: dict[tuple[str | None, str], str] = {}
    names: dict[tuple[str | None, str], str] = {}
    for name, value in attributes.items():
        parts, pair = name.split(), _pair(name)
        values[pair] = value
        names[pair] = f"{parts[2]}:{parts[1]}" if len(parts) == 3 else pair[1]
    return AttributesNSImpl(values, names)
