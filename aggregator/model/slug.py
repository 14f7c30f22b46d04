"""Slugs: names of sections and sources as they are written in addresses."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

#: characters; longer slugs are cut
MAX_LENGTH = 60


def slugify(name: str) -> str:
    """`name` as a path segment of lower-case letters, digits and hyphens, at most `MAX_LENGTH` characters; never empty.

    Letters of every script are kept, with the marks (categories Mn and Mc) that carry the vowels of Indic scripts.
    Latin letters lose their diacritics. A name without any letter or digit is written as its code points.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    slug = unicodedata.normalize("NFC", "".join(_characters(folded)))[:MAX_LENGTH].strip("-")
    return (
        slug or "-".join(f"u{ord(character):x}" for character in folded if not character.isspace())[:MAX_LENGTH] or "-"
    )


def _characters(folded: str) -> Iterator[str]:
    """The characters of the slug, decomposed; each run of others is one hyphen."""
    base = "-"
    for character in unicodedata.normalize("NFD", folded):
        category = unicodedata.category(character)
        if category == "Cf" or unicodedata.name(character, "").startswith("VARIATION SELECTOR"):
            continue  # joiners and selectors change how a neighbour is drawn, not which word it is
        if category in {"Mn", "Mc"}:
            if base != "-" and not unicodedata.name(base, "").startswith("LATIN"):
                yield character
        elif category[0] in "LN":
            base = character
            yield character
        elif base != "-":
            base = "-"
            yield "-"
