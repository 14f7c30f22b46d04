"""A document from expat to feedparser, but for its ordinary entries, which are read on their own.

begin <item>   → feedparser; from here on all that comes is taken down
…
end </item>    → every element has a meaning: an entry of `plainly`'s takes the place of feedparser's
                 one has none: feedparser gets what was taken down, in the order in which it came
               → feedparser ends the entry
"""

from __future__ import annotations

from xml.parsers import expat

from aggregator.collect.parse.quicker.elements import QuickParser
from aggregator.collect.parse.quicker.plainly import Event, Found, Unusual, understand

__all__ = ["read"]

#: of text between two tags that comes in one piece
_BUFFER_BYTES = 64 * 1024
#: of one entry that is taken down; one that has more is feedparser's from there on
_MOST_EVENTS = 20_000


def read(document: bytes, url: str) -> QuickParser | None:
    """The parser of feedparser with what it read of the UTF-8 document from `url`; None where that is ill-formed.

    Among its entries are those that it did not read, as RawEntry. Raises what feedparser raises.
    """
    parser = QuickParser(url, None, "utf-8")
    parser.sanitize_html = parser.resolve_relative_uris = False
    try:
        _Reader(parser, url).feed(document)
    except expat.ExpatError:
        return None
    return parser


class _Reader:
    """What expat calls."""

    def __init__(self, parser: QuickParser, url: str) -> None:
        self._parser = parser
        self._url = url
        self._expat = expat.ParserCreate("utf-8", namespace_separator=" ", intern={})
        self._expat.namespace_prefixes = True
        self._expat.buffer_text = True
        self._expat.buffer_size = _BUFFER_BYTES
        self._expat.StartNamespaceDeclHandler = self._declare
        #: what was taken down of an entry
        self._events: list[Event] = []
        self._takes_down = False
        #: elements that are open within it
        self._depth = 0
        #: entries that have begun so far
        self._begun = 0

    def feed(self, document: bytes) -> None:
        """Reads all of it."""
        self._hand_over()
        self._expat.Parse(document, True)

    def _hand_over(self) -> None:
        """What comes is feedparser's from here on."""
        self._takes_down = False
        self._expat.StartElementHandler = self._begin
        self._expat.EndElementHandler = self._parser.finish
        self._expat.CharacterDataHandler = self._parser.characters

    def _take_down(self) -> None:
        """What comes is taken down; text by the list itself, which no line of ours is run for."""
        self._takes_down, self._events, self._depth = True, [], 0
        self._expat.StartElementHandler = self._take_begin
        self._expat.EndElementHandler = self._take_end
        self._expat.CharacterDataHandler = self._events.append

    def _declare(self, prefix: str | None, uri: str) -> None:
        if self._takes_down:  # names will mean something else
            self._give_up()
        self._parser.startPrefixMapping(prefix, uri)

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        parser = self._parser
        parser.begin(name, attributes)
        if len(parser.entries) > self._begun:
            self._begun = len(parser.entries)
            if parser.is_at_fresh_entry():
                self._take_down()

    def _take_begin(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._events.append((name, attributes))
        if len(self._events) > _MOST_EVENTS:
            self._give_up()

    def _take_end(self, name: str) -> None:
        if self._depth:
            self._depth -= 1
            self._events.append(None)
            return
        parser = self._parser
        found = Found(parser.baseuri, parser.lang, parser.resolve_uri, is_atom=parser.version.startswith("atom"))
        found.guid = dict.get(parser.entries[-1], "id", "")  # RDF has it as an attribute of the entry
        try:
            understand(self._events, parser.meaning, found)
            parser.entries[-1] = found.entry(self._url)
            self._hand_over()
        except Unusual:
            self._give_up()
        parser.finish(name)

    def _give_up(self) -> None:
        """What was taken down is feedparser's as well."""
        self._hand_over()
        names: list[str] = []
        for event in self._events:
            if event is None:
                self._parser.finish(names.pop())
            elif isinstance(event, str):
                self._parser.characters(event)
            else:
                names.append(event[0])
                self._parser.begin(*event)
