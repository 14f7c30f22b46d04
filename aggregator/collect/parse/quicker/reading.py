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
from aggregator.collect.parse.quicker.plainly import Event, Found, Meanings, Unusual, understand

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
        #: elements that are open within it; below 0 where it has ended
        self._depth = 0
        #: its name, and whether feedparser knows that it has begun
        self._name, self._is_begun = "", False
        #: entries that have begun so far
        self._seen = 0
        self._meanings = Meanings(parser.meaning)

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

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        if not self._parser.changes_names(prefix, uri):  # said again in each entry
            return
        if self._takes_down:
            self._give_up()
        self._meanings.clear()  # names may mean something else
        self._parser.startPrefixMapping(prefix, uri)

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        parser = self._parser
        parser.begin(name, attributes)
        if len(parser.entries) > self._seen:
            self._seen = len(parser.entries)
            if parser.is_at_fresh_entry():
                self._take_down(name)

    def _take_down(self, name: str) -> None:
        """What comes is taken down; text by the list itself, which no line of ours is run for."""
        self._takes_down, self._events, self._depth = True, [], 0
        self._name, self._is_begun = name, True
        self._expat.StartElementHandler = self._take_begin
        self._expat.EndElementHandler = self._take_end
        self._expat.CharacterDataHandler = self._events.append

    def _take_begin(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth < 0:
            self._begin_next(name, attributes)
            return
        self._depth += 1
        self._events.append((name, attributes))
        if len(self._events) > _MOST_EVENTS:
            self._give_up()

    def _take_end(self, name: str) -> None:
        if self._depth > 0:
            self._depth -= 1
            self._events.append(None)
        elif self._depth < 0:
            self._give_up()
            self._parser.finish(name)
        else:
            self._end_entry()

    def _begin_next(self, name: str, attributes: dict[str, str]) -> None:
        """Behind an entry that we read. Of another like it feedparser need not know: it would be as it is now."""
        if name != self._name or attributes:
            self._give_up()
            self._begin(name, attributes)
            return
        self._pass_on()
        self._depth = 0

    def _end_entry(self) -> None:
        parser = self._parser
        found = Found(parser.baseuri, parser.lang, parser.resolve_uri, is_atom=parser.version.startswith("atom"))
        if self._is_begun:
            found.guid = dict.get(parser.entries[-1], "id", "")  # RDF has it as an attribute of the entry
        try:
            understand(self._events, self._meanings, found)
            entry = found.entry(self._url)
        except Unusual:
            self._give_up()
            parser.finish(self._name)
            return
        if self._is_begun:
            parser.entries[-1] = entry
            parser.finish(self._name)
        else:
            parser.entries.append(entry)
        self._seen = len(parser.entries)
        self._depth, self._is_begun = -1, False
        self._events.clear()

    def _give_up(self) -> None:
        """What was taken down is feedparser's, and so is what follows."""
        self._hand_over()
        if self._depth >= 0 and not self._is_begun:
            self._parser.begin(self._name, {})
            self._seen = len(self._parser.entries)
        self._pass_on()

    def _pass_on(self) -> None:
        names: list[str] = []
        for event in self._events:
            if event is None:
                self._parser.finish(names.pop())
            elif isinstance(event, str):
                self._parser.characters(event)
            else:
                names.append(event[0])
                self._parser.begin(*event)
        self._events.clear()
