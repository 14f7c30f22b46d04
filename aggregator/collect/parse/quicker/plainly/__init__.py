"""An entry of ordinary elements → a RawEntry, as feedparser and `xmlfeed` together would have made it, without either.

feedparser goes through hundreds of calls and a dozen dictionaries for an entry, and those are then looked through for
what is wanted. Here an element has a rule that says at once what of it is. There are rules for what feeds usually hold
in the form that it usually has; anything else makes the entry `Unusual`, and feedparser is given its elements instead.
A test holds both against each other. "feedparser:" says which of its habits a rule follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from aggregator.collect.parse.fields import REPORTS
from aggregator.collect.parse.quicker.attributes import plain_attributes
from aggregator.collect.parse.quicker.fields import STORED
from aggregator.collect.parse.quicker.plainly import facts, labels, words
from aggregator.collect.parse.quicker.plainly.found import Found, Rule, Unusual

__all__ = ["Event", "Found", "Meaning", "Meanings", "Unusual", "meaning_of", "understand"]

#: an element begins (its name, its attributes), text, or None where an element ends
Event = tuple[str, dict[str, str]] | str | None

#: what `xmlfeed` reads of an entry; an element that feedparser does not know must not pass for one of these
_READ = REPORTS | {
    "id", "link", "links", "title", "title_detail", "summary", "summary_detail", "content", "author", "author_detail",
    "authors", "published", "published_parsed", "created", "created_parsed", "updated", "updated_parsed", "language",
    "tags", "image", "media_content", "media_thumbnail", "feedburner_origlink",
}  # fmt: skip


class Meaning(NamedTuple):
    """What is done about an element of some name."""

    rule: Rule
    #: whether other elements may stand in it
    nests: bool = False
    #: whether it is an author, and those in it are about them
    person: bool = False


_RULES = {
    **dict.fromkeys(("title", "dc_title"), Meaning(words.title)),
    "media_title": Meaning(words.media_title),
    **dict.fromkeys(("description", "dc_description", "media_description"), Meaning(words.description)),
    **dict.fromkeys(("summary", "itunes_summary"), Meaning(words.summary)),
    "content": Meaning(words.content),
    **dict.fromkeys(("content_encoded", "fullitem"), Meaning(words.encoded)),
    **dict.fromkeys(("guid", "id"), Meaning(facts.guid)),
    "link": Meaning(facts.link),
    "enclosure": Meaning(facts.enclosure),
    "feedburner_origlink": Meaning(facts.origlink),
    **dict.fromkeys(("published", "issued", "pubdate", "dcterms_issued"), Meaning(facts.published)),
    **dict.fromkeys(("created", "dcterms_created"), Meaning(facts.created)),
    **dict.fromkeys(("updated", "modified", "lastbuilddate", "dc_date", "dcterms_modified"), Meaning(facts.updated)),
    **dict.fromkeys(("language", "dc_language"), Meaning(facts.language)),
    **dict.fromkeys(("author", "dc_creator", "dc_author", "itunes_author"), Meaning(facts.author, person=True)),
    "name": Meaning(facts.name),
    **dict.fromkeys(("category", "keywords", "dc_subject"), Meaning(labels.category)),
    "media_category": Meaning(labels.media_category),
    "itunes_category": Meaning(labels.itunes_category),
    "itunes_keywords": Meaning(labels.itunes_keywords),
    "media_content": Meaning(labels.media_content, nests=True),
    "media_group": Meaning(labels.nothing, nests=True),
    "media_thumbnail": Meaning(labels.thumbnail),
    "itunes_image": Meaning(labels.itunes_image),
    **dict.fromkeys(("source", "image"), Meaning(labels.restart_title)),
    **{key: Meaning(labels.counted(key)) for key in REPORTS},
    "contributor": Meaning(labels.nothing, nests=True),
    **dict.fromkeys(("rights", "copyright", "dc_rights", "subtitle", "itunes_subtitle"), Meaning(words.unread)),
    **dict.fromkeys(
        ("uri", "url", "homepage", "email", "webmaster", "dc_publisher", "dc_contributor", "media_credit",
         "media_player", "media_rating", "media_restriction", "itunes_explicit", "itunes_block", "expirationdate"),
        Meaning(labels.nothing),
    ),
}  # fmt: skip
#: whose meaning is remembered: no feed that is meant to be read has more
_MOST_NAMES = 500
_UNKNOWN = Meaning(labels.nothing, nests=True)


def meaning_of(key: str, *, known: bool) -> Meaning | None:
    """What is done about elements under this key of feedparser's, which has a method for it if it is `known`."""
    if key in _RULES:
        return _RULES[key]
    return None if known or STORED.get(key, key) in _READ else _UNKNOWN


class Meanings(dict[str, Meaning | None]):
    """What elements mean, by the names that expat gives them."""

    def __init__(self, learn: Callable[[str], Meaning | None]) -> None:
        self._learn = learn

    def __missing__(self, name: str) -> Meaning | None:
        if len(self) >= _MOST_NAMES:
            self.clear()
        self[name] = found = self._learn(name)
        return found


def understand(events: Sequence[Event], meanings: Meanings, found: Found) -> None:
    """Puts what an entry says into `found`. Raises Unusual."""
    open_elements: list[Meaning] = []
    at, end = 0, len(events)
    while at < end:
        event = events[at]
        at += 1
        if event is None:
            _end(open_elements.pop(), found)
        elif isinstance(event, tuple):
            name, attributes = event
            known = meanings[name]
            if known is None:
                raise Unusual
            text, piece = "", events[at]
            while isinstance(piece, str):
                text += piece
                at += 1
                piece = events[at]
            plain = plain_attributes(attributes) if attributes else {}
            if piece is None:
                at += 1
                if plain is not None:
                    known.rule(found, plain, text)
                elif known is not _UNKNOWN:
                    raise Unusual
            else:
                open_elements.append(_begun(known, plain, found))


def _begun(known: Meaning, attributes: dict[str, str] | None, found: Found) -> Meaning:
    """An element with others in it begins."""
    if attributes is None or not (known.nests or known.person):
        raise Unusual
    if known.person:
        # feedparser: the name within would become that of an author before it, which was but a name
        if found.depth > 1 or found.author:
            raise Unusual
        found.person = ""
    else:
        known.rule(found, attributes, "")
    found.depth += 1
    return known


def _end(known: Meaning, found: Found) -> None:
    """An element with others in it ends."""
    found.depth -= 1
    if known.person:
        if not found.person:
            raise Unusual
        found.authors.append(found.person)
        found.person = None
