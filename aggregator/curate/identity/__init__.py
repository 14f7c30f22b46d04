"""The same entry? The same item? Identity from sure to likely, and the time policy. Pure."""

from __future__ import annotations

from aggregator.curate.identity.canonical_url import MAX_URL_CHARS, canonical_url
from aggregator.curate.identity.entries import (
    Identified,
    entry_keys,
    identify,
    is_partial_document_enough,
    unknown_entries,
)
from aggregator.curate.identity.moves import number_key, title_key
from aggregator.curate.identity.pages import shared_subject

__all__ = [
    "MAX_URL_CHARS",
    "Identified",
    "canonical_url",
    "entry_keys",
    "identify",
    "is_partial_document_enough",
    "number_key",
    "shared_subject",
    "title_key",
    "unknown_entries",
]
