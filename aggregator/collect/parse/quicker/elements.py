"""An element begins, an element ends: what feedparser does then, with what there is to know of a name found out once.

Elements inside of content (XHTML), and those with attributes that change what is around them, go its own way. Names of
methods and attributes are feedparser's: `parsers.strict`, `mixin`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from xml.sax.xmlreader import AttributesNSImpl

from aggregator.collect.parse.quicker.addresses import make_safe_absolute_uri
from aggregator.collect.parse.quicker.attributes import plain_attributes
from aggregator.collect.parse.quicker.bounds import bounded
from aggregator.collect.parse.quicker.plainly import Meaning, meaning_of
from aggregator.collect.parse.quicker.values import QuickValues

__all__ = ["QuickParser"]

_XHTML = "application/xhtml+xml"
_ROOTS = frozenset({"feed", "rss", "rdf:RDF"})
#: elements of their own names in which a text input or a picture goes on
_IN_TEXT_INPUT = frozenset({"title", "link", "description", "name"})
_IN_IMAGE = frozenset({"title", "link", "description", "url", "href", "width", "height"})
#: what is remembered from document to document: no feed that is meant to be read has more names, or that many spaces
_MOST_NAMES, _MOST_NAMESPACES = 500, 50
#: a namespace whose declaration is an attribute to feedparser, in lower case
_TOLD_APART = frozenset({"http://www.w3.org/1999/xlink"})
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
    #: what it means within an entry that is read without feedparser
    meaning: Meaning | None


class _End(NamedTuple):
    """What is done when an element of some name ends."""

    tag: str
    key: str
    method: Callable[..., Any] | None
    svg: bool


#: (prefix, address) in the order in which they were declared
Namespaces = tuple[tuple[Any, str], ...]
_Learnt = TypeVar("_Learnt", _Start, _End)


class QuickParser(QuickValues):
    """feedparser's strict parser."""

    def __init__(self, *arguments: Any) -> None:
        self._starts, self._ends = _learnt((), ())
        #: a base address that comes out of being resolved against itself as it went in
        self._settled_base: str | None = None
        super().__init__(*arguments)

    def track_namespace(self, prefix: str | None, uri: str) -> None:
        """A namespace is declared: names may be other things now, or what they were in a document like this one."""
        super().track_namespace(prefix, uri)
        if len(self.namespaces_in_use) > _MOST_NAMESPACES or len(self.namespacemap) > _MOST_NAMESPACES:
            self._starts, self._ends = {}, {}
        else:
            self._starts, self._ends = _learnt(tuple(self.namespaces_in_use.items()), tuple(self.namespacemap.items()))

    def changes_names(self, prefix: str | None, uri: str | None) -> bool:
        """Whether names may mean something else when this namespace is declared: not where it has been before, alike.

        Nor where feedparser does not know it, and looks for it by prefixes: it has none.
        """
        lower = (uri or "").lower()
        if not lower or not self.version or lower in _TOLD_APART or "backend.userland.com/rss" in lower:
            return True
        known = self._matchnamespaces.get(lower)
        if known is None:
            return bool(prefix and self.namespaces_in_use.get(prefix) != uri)
        return bool(self.namespacemap.get(prefix) != known or self.namespaces_in_use.get(known) != uri)

    def begin(self, name: str, attributes: Attributes) -> None:
        """An element begins; its name and those of its attributes are "namespace local prefix", as expat gives them."""
        tag, key, method, ends_text_input, ends_image, island, _ = self._starts.get(name) or self._learnt_start(name)
        plain = None if self.incontent or self.decls or island else plain_attributes(attributes)
        if plain is None:
            self.startElementNS(_pair(name), None, _as_sax(bounded(attributes)))
            return
        self.depth += 1
        if self.baseuri != self._settled_base:
            self._settle_base()
        if self.lang and tag in _ROOTS:
            self.feeddata["language"] = self.lang.replace("_", "-")
        self.basestack.append(self.baseuri)
        self.langstack.append(self.lang)
        if ends_text_input:
            self.intextinput = 0
        if ends_image:
            self.inimage = 0
        if method is None:
            self._begin_unknown(key, plain)
            return
        try:
            method(self, plain)
        except AttributeError:  # as feedparser does
            self._begin_unknown(key, plain)

    def finish(self, name: str) -> None:
        """An element ends."""
        tag, key, method, svg = self._ends.get(name) or self._learnt_end(name)
        if svg and self.svgOK:
            self.svgOK -= 1
        if method is None or self.svgOK:
            self.pop(key)
        else:
            try:
                method(self)
            except AttributeError:  # as feedparser does
                self.pop(key)
        if self.incontent and not self._finish_inside(tag):
            return
        bases, languages = self.basestack, self.langstack
        if bases:
            bases.pop()
            if bases and bases[-1]:
                self.baseuri = bases[-1]
        if languages:
            languages.pop()
            if languages:
                self.lang = languages[-1]
        self.depth -= 1

    def meaning(self, name: str) -> Meaning | None:
        """What an element of this name means within an entry that is read without feedparser."""
        return (self._starts.get(name) or self._learnt_start(name)).meaning

    def is_at_fresh_entry(self) -> bool:
        """Whether an entry has just begun, of which nothing is known but an id, within nothing that colours it."""
        inside = (
            self.incontent, self.insource, self.inimage, self.intextinput, self.inauthor, self.incontributor,
            self.inpublisher, self.svgOK, self.decls, self.hasContent, self._summaryKey,
        )  # fmt: skip
        return not any(inside) and self.entries[-1].keys() <= {"id"} and self.elementstack[-1][0] == "item"

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
        method = getattr(type(self), f"_start_{key}", None)
        known = method is not None or hasattr(type(self), f"_end_{key}")
        island = (namespace, local.lower()) in _ISLANDS
        found = _Start(
            tag=tag,
            key=key,
            method=method,
            ends_text_input=own and tag not in _IN_TEXT_INPUT,
            ends_image=own and tag not in _IN_IMAGE,
            island=island,
            meaning=None if island else meaning_of(key, known=known),
        )
        _remember(self._starts, name, found)
        return found

    def _learnt_end(self, name: str) -> _End:
        tag = self._tag(*_pair(name))
        _, key = self._stored(tag)
        found = _End(
            tag, key, getattr(type(self), f"_end_{key}", None), svg=tag.partition(":")[2] == "svg" or tag == "svg"
        )
        _remember(self._ends, name, found)
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


@lru_cache(maxsize=64)
def _learnt(*_namespaces: Namespaces) -> tuple[dict[str, _Start], dict[str, _End]]:
    """What is known of names where the namespaces in use, and what they are mapped to, are these. To be filled."""
    return {}, {}


def _remember(learnt: dict[str, _Learnt], name: str, found: _Learnt) -> None:
    if len(learnt) >= _MOST_NAMES:
        learnt.clear()
    learnt[name] = found


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
