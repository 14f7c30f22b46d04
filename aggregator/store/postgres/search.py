"""Full text on PostgreSQL that finds what SQLite's index finds: the words are made here, its parser never sees text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from aggregator.store.sql.engine import Connection
from aggregator.store.sql.ids import search_words

__all__ = ["find_words", "to_tsquery", "to_tsvector"]

#: marks that FTS5 takes off letters; those of other scripts separate words there
_DIACRITICS = re.compile("[\u0300-\u0331]")
_WORD = re.compile(r"[^\W_]+")
#: what PostgreSQL takes of one word (bytes) and of places in a text
_MAX_WORD_BYTES, _MAX_PLACE = 2_000, 16_383
#: so many of the newest entries are looked through before the index is asked, which does not know what is new
_NEWEST = 5_000


def _words(text: str) -> Iterator[str]:
    """The words of a text as FTS5's unicode61 makes them: letters and digits, lower case, without diacritics."""
    plain = _DIACRITICS.sub("", unicodedata.normalize("NFKD", text))
    for word in _WORD.findall(plain.lower()):
        yield word.encode("utf-8", "replace")[:_MAX_WORD_BYTES].decode("utf-8", "ignore")


def to_tsvector(text: str) -> str:
    """The words of `text` (as `search_words` gives it) with their places, as a tsvector literal."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(_words(text), 1):
        places.setdefault(word, []).append(min(place, _MAX_PLACE))
    return " ".join(f"'{word}':{','.join(map(str, found[:255]))}" for word, found in places.items())


def to_tsquery(words: str) -> str:
    """All the words, in any order, as a tsquery literal; runs that `search_words` splits are phrases. "": nothing."""
    normal = unicodedata.normalize("NFKC", words).replace("\0", " ")
    phrases = ([f"'{part}'" for part in _words(search_words(word))] for word in normal.split())
    return " & ".join(f"({' <-> '.join(phrase)})" for phrase in phrases if phrase)


def find_words(connection: Connection, words: str, limit: int) -> list[int]:
    """Row ids of the entries that contain all the words, the newest first.

    First among the newest, in their order; the index, which would have to sort all it finds, only for what is older.
    """
    query = to_tsquery(words)
    if not query:
        return []
    found = connection.execute(
        "SELECT entry_id FROM (SELECT entry_id, words FROM entry_words ORDER BY entry_id DESC LIMIT ?) AS newest"
        " WHERE words @@ CAST(? AS tsquery) ORDER BY entry_id DESC LIMIT ?",
        (_NEWEST, query, limit),
    )
    ids = [row[0] for row in found]
    if len(ids) < limit:
        older = connection.execute(
            "SELECT entry_id FROM entry_words WHERE words @@ CAST(? AS tsquery) AND entry_id < (SELECT min(entry_id)"
            " FROM (SELECT entry_id FROM entry_words ORDER BY entry_id DESC LIMIT ?) AS newest)"
            " ORDER BY entry_id + 0 DESC LIMIT ?",
            (query, _NEWEST, limit - len(ids)),
        )
        ids += [row[0] for row in older]
    return ids
