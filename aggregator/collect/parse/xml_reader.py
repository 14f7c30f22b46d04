"""Reads RSS, RDF and Atom with expat, by the tables of `formats`: what nearly every feed is written in.

The reader walks through the document once. For each open element it holds the table of what its children mean; the
children of an element that no table lists are skipped. Inside a text construct, elements are markup: they are written
down again as HTML.

`read` answers None for a document that is ill-formed or of another format; `feedparser_fallback` reads those. No
DOCTYPE reaches this module (`repair` resolves what entities it declares), so expat has nothing to expand.
"""

from __future__ import annotations

import base64
import binascii
import html
import html.entities
import re
from typing import NamedTuple
from xml.parsers import expat
from xml.parsers.expat import errors

from aggregator.collect.clean import safe_url
from aggregator.collect.parse.formats import (
    CONTENT_SRC,
    DOCUMENT,
    NAMESPACES,
    PREFIXES,
    Container,
    Rule,
    Rules,
    Text,
    permalink,
)
from aggregator.collect.parse.normalize import without_marks
from aggregator.collect.parse.raw import RawContent
from aggregator.collect.parse.record import Record

__all__ = ["XmlFeed", "read"]

#: open elements; deeper ones are skipped
_MAX_DEPTH = 400
_MAX_ATTRIBUTES = 256
#: characters of one text construct
_MAX_TEXT_CHARS = 4 * 1024 * 1024
_VOID = frozenset(
    {"area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
_XHTML_TYPES = frozenset({"xhtml", "application/xhtml+xml"})
_HTML_TYPES = frozenset({"html", "text/html", "htm", "escaped", "cdata", "application/html", "text/cdata"})
_TEXT_TYPES = frozenset({"text", "plain"})
_HTML_TAG = re.compile(
    r"</?(?:a|abbr|article|aside|b|big|blockquote|br|center|cite|code|dd|del|div|dl|dt|em|figure|font|h[1-6]|hr|i|iframe"
    r"|img|ins|li|ol|p|pre|q|s|section|small|span|strike|strong|sub|sup|table|tbody|td|th|tr|tt|u|ul|video)\b[^<>]*>",
    re.IGNORECASE,
)
_CLOSING_TAG, _PICTURE = re.compile(r"</\w+>"), re.compile(r"<img\s[^<>]*src=", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-f]+|\w+);", re.IGNORECASE)
_NAME_TOKEN = re.compile(r"</?([A-Za-z_][\w.-]*):|\s([A-Za-z_][\w.-]*):[\w.-]+\s*=")
_ROOT = re.compile(r"<[A-Za-z_][\w.:-]*")
#: of a text that is looked at to tell whether it is HTML
_LOOK_CHARS = 4096
_UNBOUND_PREFIX = errors.codes[errors.XML_ERROR_UNBOUND_PREFIX]
_NOTHING: Rules = {}

Attributes = dict[str, str]


class XmlFeed(NamedTuple):
    """A document as read."""

    #: rss20, rss10, atom10, redirect …
    version: str
    feed: Record
    entries: list[Record]


def read(text: str, url: str) -> XmlFeed | None:
    """The feed in `text`, which came from `url`; None: ill-formed, or no format that is known here."""
    try:
        return _Reader(url).read(text)
    except expat.ExpatError as error:
        if error.code != _UNBOUND_PREFIX:
            return None
    try:
        return _Reader(url).read(_with_prefixes_declared(text))
    except expat.ExpatError:
        return None


def _with_prefixes_declared(text: str) -> str:
    """Prefixes that no declaration covers are declared at the root, as themselves."""
    used = {element or attribute for element, attribute in _NAME_TOKEN.findall(text)} - {"xml", "xmlns"}
    root = _ROOT.search(text)
    if root is None:
        return text
    tag = text[root.start() : text.find(">", root.end())]
    missing = sorted(prefix for prefix in used if f"xmlns:{prefix}" not in tag)[:_MAX_ATTRIBUTES]
    declared = "".join(f' xmlns:{prefix}="prefix:{prefix}"' for prefix in missing)
    return text[: root.end()] + declared + text[root.end() :]


class _Scope:
    """The xml:base and xml:lang that hold for an element."""

    __slots__ = ("base", "language", "url")

    def __init__(self, url: str, base: str = "", language: str | None = None) -> None:
        self.url, self.base, self.language = url, base, language

    def resolve(self, address: str) -> str:
        """An address as written, made absolute."""
        return safe_url(address, self.base or self.url) or address.strip()

    def inner(self, attributes: Attributes) -> _Scope:
        """The scope of an element with these attributes."""
        base, language = attributes.get("xml:base"), attributes.get("xml:lang")
        if base is None and language is None:
            return self
        inner_base = self.base if base is None else safe_url(base, self.base or self.url) or self.base
        return _Scope(self.url, inner_base, self.language if language is None else language or None)


#: an element that is open, and what holds again when it ends: the scope, rules and record around it
_Open = tuple[Rule, Attributes, _Scope, Rules, Record]


class _Reader:
    """What expat calls, for one document."""

    def __init__(self, url: str) -> None:
        self.version = ""
        self.is_atom = False
        self._is_atom_03 = False
        self.feed = self._record = Record()
        self.entries: list[Record] = []
        self._scope = _Scope(url)
        #: what the children of the open element mean; None: it is no container, and they are skipped or markup
        self._rules: Rules | None = None
        self._stack: list[_Open] = []
        #: qualified name as expat gives it → name in the tables
        self._names: dict[str, str] = {}
        #: characters since the last tag
        self._text: list[str] = []
        #: inside a text construct: what has been written of its markup; else None
        self._markup: list[str] | None = None
        #: open elements of that markup: end tag, scope
        self._inner: list[tuple[str, _Scope]] = []
        self._is_xhtml = False
        #: open elements of what nobody asks for, and the text before it
        self._skipped, self._kept = 0, ""

    def read(self, text: str) -> XmlFeed | None:
        """Raises ExpatError."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.namespace_prefixes = True
        parser.buffer_text, parser.buffer_size = True, 65536
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._text.append
        parser.Parse(text, True)
        return XmlFeed(self.version, self.feed, self.entries) if self.version else None

    # --- elements --------------------------------------------------------------------------
    def _start(self, qualified: str, given: Attributes) -> None:
        rules = self._rules
        if rules is None and self._stack:
            self._start_inside(qualified, given)
            return
        name = self._names.get(qualified) or self._name(qualified)
        if rules is None:
            self._root(name, self._attributes(given))
            return
        rule = None if self._skipped else rules.get(name)
        if rule is None or len(self._stack) >= _MAX_DEPTH:
            self._skip()
            return
        self._text.clear()
        attributes, scope = given, self._scope
        if given:
            attributes = self._attributes(given)
            if "xml:base" in attributes or "xml:lang" in attributes:
                self._scope = scope.inner(attributes)
        self._stack.append((rule, attributes, scope, rules, self._record))
        self._rules = None
        if isinstance(rule, Text):
            self._markup = []
            self._is_xhtml = _is_xhtml(attributes, rule.default)
        elif isinstance(rule, Container):
            self._rules = rule.children
            if rule.record:
                self._begin_record(rule.record, attributes)

    def _end(self, _qualified: str) -> None:
        if self._skipped or self._inner:
            self._end_inside()
            return
        rule, attributes, scope, self._rules, record = self._stack.pop()
        if isinstance(rule, Text):
            self._end_text(rule, attributes)
        else:
            self._record = record
            leaf = rule.leaf if isinstance(rule, Container) else rule
            if leaf is not None:
                leaf(record, attributes, "".join(self._text).strip(), self._scope.resolve)
        self._text.clear()
        self._scope = scope

    def _root(self, name: str, attributes: Attributes) -> None:
        version, rules = DOCUMENT.get(name, ("", _NOTHING))
        number = attributes.get("version", "")
        if version == "rss":
            version = "rss" + (re.sub(r"\D", "", number)[:3] or "20")
        elif version == "atom10" and (number.startswith("0.") or self._is_atom_03):
            version = "atom03"
        self.version, self.is_atom = version, version.startswith("atom")
        root = Container(rules)
        self._stack.append((root, attributes, self._scope, rules, self._record))
        self._scope, self._rules = self._scope.inner(attributes), rules
        self.feed.add_value("xml:lang", self._scope.language or "")
        if name == "entry":
            self._begin_record("entry", attributes)

    def _begin_record(self, kind: str, attributes: Attributes) -> None:
        record = Record()
        if kind == "source":
            self._record.source = record
        else:
            self.entries.append(record)
        if about := attributes.get("rdf:about"):
            record.add_value("rdf:about", about)
            permalink(record, about)  # the address of the item (RSS 1.0, 5.5)
        self._record = record

    # --- names -----------------------------------------------------------------------------
    def _name(self, qualified: str) -> str:
        """The name of an element or attribute in the tables: by its namespace, else by its prefix."""
        namespace, _, rest = qualified.rpartition(" ") if " " in qualified else ("", "", qualified)
        local, prefix = rest, ""
        if " " in namespace:
            namespace, _, local = namespace.rpartition(" ")
            prefix = rest
        key = namespace.lower().partition("://")[2].rstrip("/#") if "://" in namespace else ""
        known = NAMESPACES.get(key)
        if known is None:
            known = PREFIXES.get(prefix, f"{prefix}:" if prefix else "")
        self._is_atom_03 = self._is_atom_03 or key == "purl.org/atom/ns"
        name = self._names[qualified] = known + local.lower()
        return name

    def _attributes(self, given: Attributes) -> Attributes:
        names = self._names
        try:
            return {names[name]: value for name, value in given.items()}
        except KeyError:
            items = list(given.items())[:_MAX_ATTRIBUTES]
            return {names.get(name) or self._name(name): value for name, value in items}

    # --- text constructs -------------------------------------------------------------------
    def _start_inside(self, qualified: str, given: Attributes) -> None:
        """A tag of the markup in a text construct; in any other element, something that nobody asks for."""
        if self._markup is None or self._skipped or len(self._inner) >= _MAX_DEPTH:
            self._skip()
            return
        name = (self._names.get(qualified) or self._name(qualified)).rpartition(":")[2]
        attributes = self._attributes(given) if given else given
        scope = self._inner[-1][1] if self._inner else self._scope
        inner = scope.inner(attributes) if attributes else scope
        self._flush()
        self._markup.append(f"<{name}{_written(attributes, inner, self._scope)}>")
        self._inner.append(("" if name in _VOID else f"</{name}>", inner))

    def _skip(self) -> None:
        if not self._skipped:
            self._kept = "".join(self._text)
        self._skipped += 1

    def _end_inside(self) -> None:
        if self._skipped:
            self._skipped -= 1
            self._text[:] = [self._kept]
            return
        self._flush()
        if self._markup is not None:
            self._markup.append(self._inner.pop()[0])

    def _flush(self) -> None:
        text = "".join(self._text)
        self._text.clear()
        if self._markup is not None and text:
            self._markup.append(html.escape(text, quote=False) if self._is_xhtml else text)

    def _end_text(self, rule: Text, attributes: Attributes) -> None:
        markup, self._markup = self._markup or [], None
        has_markup = bool(markup)
        if has_markup or self._is_xhtml:
            self._markup = markup
            self._flush()
            self._markup = None
            value = "".join(markup).strip()
        else:
            value = "".join(self._text).strip()
        if "src" in attributes:
            CONTENT_SRC(self._record, attributes, "", self._scope.resolve)
        if not value or len(value) > _MAX_TEXT_CHARS:
            return
        value = without_marks(value)
        kind = "html" if has_markup else _kind(attributes, rule.default, value, is_atom=self.is_atom)
        if attributes.get("mode") == "base64" or (not kind and (rule.name != "content" or _HTML_TAG.search(value))):
            value, kind = _decoded(value), kind or "html"
        if self._is_xhtml and value.startswith("<div") and value.endswith("</div>"):
            value = value[value.index(">") + 1 : -6].strip()
        if kind and value:
            scope = self._scope
            piece = RawContent(value=value, html=kind == "html", base=scope.base, language=scope.language)
            self._record.add_text(rule.name, piece)


def _is_xhtml(attributes: Attributes, default: str) -> bool:
    """Whether the elements in this construct are its markup, and its text is text (RFC 4287 3.1.1.3; Atom 0.3)."""
    kind = attributes.get("type", default).strip().lower()
    return kind in _XHTML_TYPES or attributes.get("mode") == "xml"


def _kind(attributes: Attributes, default: str, value: str, *, is_atom: bool) -> str:
    """``html`` or ``text``; "" for content that is neither, such as a picture in base64."""
    kind = attributes.get("type", "").strip().lower().partition(";")[0]
    if not kind or (kind not in _TEXT_TYPES and "/" not in kind and kind not in _HTML_TYPES | _XHTML_TYPES):
        kind = "guess" if kind else default
    if kind in _HTML_TYPES or kind in _XHTML_TYPES:
        return "html"
    if kind == "guess":
        return "html" if _HTML_TAG.search(value) or _looks_like_html(value) else "text"
    if kind in _TEXT_TYPES or kind.startswith("text/"):
        # formats that do not say what a text is: it is HTML where it looks like it
        return "html" if not is_atom and _looks_like_html(value) else "text"
    return ""


def _looks_like_html(value: str) -> bool:
    """Whether a text has end tags, pictures or character references, and no others than those of HTML."""
    if "&" not in value and "<" not in value:
        return False
    value = value[:_LOOK_CHARS]
    if not (_CLOSING_TAG.search(value) or _ENTITY.search(value) or _PICTURE.search(value)):
        return False
    return all(f"{name};" in html.entities.html5 for name in re.findall(r"&([a-zA-Z]\w*);", value)) and not re.sub(
        r"<[^a-zA-Z/!]|<!--.*?-->", "", _HTML_TAG.sub("", value), flags=re.DOTALL
    ).count("<")


def _decoded(value: str) -> str:
    """The text that `value` is in base64; `value` where it is not in base64."""
    try:
        return base64.b64decode("".join(value.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        return value


def _written(attributes: Attributes, scope: _Scope, outer: _Scope) -> str:
    """The attributes of an element in markup; addresses are resolved where it has an xml:base of its own."""
    written = []
    for name, value in attributes.items():
        if name.startswith("xml:"):
            continue
        is_rebased = scope.base != outer.base and name in {"href", "src"}
        address_or_text = html.escape(scope.resolve(value) if is_rebased else value)
        written.append(f' {name.rpartition(":")[2]}="{address_or_text}"')
    return "".join(written)
