"""Text, HTML, addresses and dates from strangers, made safe and comparable. Runs in the parse child process."""

from __future__ import annotations

from aggregator.collect.clean.dates import is_impossible, parse_date
from aggregator.collect.clean.html import CleanHtml, clean_html, html_from_text, pixels
from aggregator.collect.clean.media import is_avatar, is_decoration, media_type_of
from aggregator.collect.clean.text import (
    MAX_TEXT_CHARS,
    MAX_TITLE_GRAPHEMES,
    clean_guid,
    clean_line,
    cut_graphemes,
    mend_encoding,
)
from aggregator.collect.clean.urls import safe_url

__all__ = [
    "MAX_TEXT_CHARS",
    "MAX_TITLE_GRAPHEMES",
    "CleanHtml",
    "clean_guid",
    "clean_html",
    "clean_line",
    "cut_graphemes",
    "html_from_text",
    "is_avatar",
    "is_decoration",
    "is_impossible",
    "media_type_of",
    "mend_encoding",
    "parse_date",
    "pixels",
    "safe_url",
]
