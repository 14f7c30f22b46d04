"""The text of an element and where it goes: `push_content` and `pop` of feedparser's mixin, for text that is only text.

What they do beside that is left to them: XHTML content, base64, and feedparser's own filters, where they are on.
"""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import escape

import feedparser.api
from feedparser.html import _cp1252
from feedparser.util import FeedParserDict

from aggregator.collect.parse.quicker.addresses import is_plain
from aggregator.collect.parse.quicker.fields import STORED

__all__ = ["QuickValues", "mended", "without_references"]

_XHTML = "application/xhtml+xml"
_KEPT_APART = frozenset({"category", "tags", "itunes_keywords"})
#: what Windows-1252 has where Unicode has controls
_CONTROL = re.compile("[\x80-\x9f]")
#: what is left of a query that was taken for references: ``?a=1&b;=2``
_REFERENCE = re.compile("&([A-Za-z0-9_]+);")


class QuickValues(feedparser.api.StrictFeedParser):  # type: ignore[misc] # a class that feedparser makes when it is loaded
    """What becomes of text. Names of methods and attributes are feedparser's."""

    #: the entry that was put into last, and at which depths its values stood
    _entry: Any = None
    _depths: Any = None
    lang: str | None

    def characters(self, text: str) -> None:
        """Text between two tags."""
        if self.elementstack:
            if self.contentparams and self.contentparams.get("type") == _XHTML:
                text = escape(text)
            self.elementstack[-1][2].append(text)

    def resolve_uri(self, uri: str) -> Any:
        """An address as it stands, resolved."""
        return uri if is_plain(uri) else super().resolve_uri(uri)

    def push_content(self, tag: str, attrs_d: dict[str, str], default_content_type: str, expecting_text: int) -> None:
        """Content begins."""
        self.incontent += 1
        if self.lang:
            self.lang = self.lang.replace("_", "-")
        kind = self.map_content_type(attrs_d.get("type", default_content_type))
        is_text = kind.startswith("text/") or kind.endswith(("+xml", "/xml"))
        base64 = int(attrs_d.get("mode") == "base64" or not is_text)
        self.contentparams = FeedParserDict(
            {"type": kind, "language": self.lang, "base": self.baseuri, "base64": base64}
        )
        self.elementstack.append([tag, expecting_text, []])

    def pop(self, element: str, strip_whitespace: int = 1) -> Any:
        """An element ends: its text, which is put where it belongs."""
        if not self.elementstack or self.elementstack[-1][0] != element:
            return None
        about = self.contentparams
        if self.sanitize_html or self.resolve_relative_uris:
            return super().pop(element, strip_whitespace)
        if about and (about.get("base64") or about.get("type") == _XHTML):
            return super().pop(element, strip_whitespace)
        _, expecting_text, pieces = self.elementstack.pop()
        output = "".join(pieces)
        if strip_whitespace:
            output = output.strip()
        return self._taken(element, output) if expecting_text else output

    def _taken(self, element: str, output: str) -> str:
        if output and element in self.can_be_relative_uri and (element != "id" or self.guidislink):
            output = self.resolve_uri(output)
        if self.contentparams:
            self._settle_type(output)
        if not output.isascii():
            output = mended(output)
        if element in _KEPT_APART or (element == "title" and -1 < self.title_depth <= self.depth):
            return output
        if self.inentry and not self.insource:
            return self._put_into_entry(element, output)
        return self._put_into_feed(element, output) if self.infeed or self.insource else output

    def _settle_type(self, output: str) -> None:
        """Formats that do not say what a text is: it is HTML where it looks like it."""
        about = self.contentparams
        tells = about.get("type") == "text/plain" and not self.version.startswith("atom")
        if tells and ("</" in output or "&" in output) and self.looks_like_html(output):
            about["type"] = "text/html"
        about.pop("mode", None)
        about.pop("base64", None)

    def _put_into_entry(self, element: str, output: str) -> str:
        entry = self.entries[-1]
        if element == "link":
            if not self.inimage:
                output = without_references(output)
                dict.__setitem__(entry, "link", output)
                if output:
                    entry["links"][-1]["href"] = output
            return output
        if element == "content":
            entry.setdefault("content", []).append(self._detail(output))
            return output
        if element == "description":
            element = "summary"
        if entry is not self._entry:
            self._entry, self._depths = entry, self.property_depth_map.setdefault(entry, {})
        depth = self._depths.get(element)
        if depth is None or self.depth <= depth:
            self._depths[element] = self.depth
            dict.__setitem__(entry, STORED.get(element, element), output)
        if self.incontent:
            entry[element + "_detail"] = self._detail(output)
        return output

    def _put_into_feed(self, element: str, output: str) -> str:
        context = self._get_context()
        if element == "description":
            element = "subtitle"
        context[element] = output
        if element == "link":
            output = _REFERENCE.sub(r"&\g<1>", output)
            context[element] = output
            context["links"][-1]["href"] = output
        elif self.incontent:
            context[element + "_detail"] = self._detail(output)
        return output

    def _detail(self, output: str) -> FeedParserDict:
        detail = FeedParserDict(self.contentparams)
        detail["value"] = output
        return detail


def without_references(output: str) -> str:
    """An address without what its query was taken for."""
    return _REFERENCE.sub(r"&\g<1>", output.replace("&amp;", "&")) if "&" in output else output


def mended(output: str) -> str:
    """Text that was encoded twice, and controls that are letters of Windows-1252."""
    try:  # noqa: SIM105 - `suppress` takes as long as all the rest
        output = output.encode("iso-8859-1").decode("utf-8")
    except UnicodeError:
        pass
    # to `str` a control is not printable: nearly all texts are done with sooner than a search is
    if output.replace("\n", " ").replace("\t", " ").replace("\xa0", " ").isprintable():
        return output
    return output.translate(_cp1252) if _CONTROL.search(output) else output
