"""Text of a feed → text that an XML parser can read, where the damage is of the usual kinds.

Every repair keeps the meaning: what is taken away is what no XML document may hold. Entities that a document declares
are put in here, within bounds, so that no parser ever expands one (HOSTILE X1, X2).
"""

from __future__ import annotations

import html
import html.entities
import re
import sys
from dataclasses import dataclass

from aggregator.errors import ParseError

__all__ = ["Repaired", "repair", "root_of"]

#: what entities may add to a document in all
_MAX_EXPANSION_CHARS = 1024 * 1024
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: what of it fits one byte, as bytes
_FORBIDDEN_BYTES = bytes(code for code in range(0x20) if code not in b"\t\n\r")
_SECTION = re.compile(r"(<!\[CDATA\[[^\]]*+(?:\](?!\]>)[^\]]*+)*+\]\]>)")
_REFERENCE = re.compile(r"&(?:#(\d+|[xX][0-9a-fA-F]+);|([A-Za-z][\w.-]*);)?")
#: any but those that every XML parser reads, and that mean a character every document may hold
_ODD_REFERENCE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#(?:3[2-9]|[4-9]\d|[1-9]\d{2,3}));)")
_DOCTYPE = re.compile(r"<!DOCTYPE\b[^\[>]*(?:\[(.*?)\]\s*)?>", re.DOTALL | re.IGNORECASE)
_ENTITY = re.compile(r"<!ENTITY\s+(%\s+)?([\w.:-]+)\s+(?:\"([^\"]*)\"|'([^']*)'|[^>]*)>")
_PREDEFINED = frozenset({"amp", "lt", "gt", "quot", "apos"})
_START = re.compile(
    r"<(?:\?xml\b|!DOCTYPE\b|!--|(?:[\w-]{1,20}:)?(?:rss|rdf|feed|channel|opml|urlset)\b)", re.IGNORECASE
)
_NAME = re.compile(r"<([A-Za-z_][\w.-]*(?::[\w.-]+)?)")
_ENTRY_END = re.compile(r"</(?:[\w-]+:)?(?:item|entry)\s*>", re.IGNORECASE)
_ENTRY_START = re.compile(r"<(?:[\w-]+:)?(?:item|entry)[\s>/]", re.IGNORECASE)
#: comments are taken with what is in them
_TAG = re.compile(r"<!--.*?-->|<(/?)([A-Za-z_][\w.:-]*)(?:[^<>\"']|\"[^\"]*\"|'[^']*')*?(/?)>", re.DOTALL)
#: of what stands before the first entry, and is looked at for elements that are open there
_MAX_HEAD_CHARS = 32 * 1024
_NESTED_START = re.compile(r"<!\[CDATA\[(?:\s*<!\[CDATA\[)+")
_NESTED_END = re.compile(r"\]\]>(?:\s*\]\]>|\]\]<!\[CDATA\[>\]\]>)+|\]\]\]\]><!\[CDATA\[>\]\]>")
_TAG_END = re.compile(r"\s*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """A document as the parser is given it."""

    text: str
    #: local name of the root element, lower case; "" where there is none
    root: str
    #: the root's end tag is missing
    truncated: bool
    #: how many entries have their end tag, where not all do; else nobody asks
    complete_entries: int | None
    warnings: tuple[str, ...]


def repair(text: str, *, max_entries: int = 2000, encoded: bytes | None = None) -> Repaired:
    """Trims, strips forbidden characters, resolves entities. Raises ParseError ``xml-entity`` for a bomb.

    Of more than `max_entries` entries, those in the middle are cut out: feeds have their newest first, or last.
    `encoded` is the text as UTF-8, with whatever stood around it, if somebody has that already.
    """
    warnings: list[str] = []
    start = _START.search(text, 0, 65536)
    if start and start.start():
        warnings += ["leading-junk"] if text[: start.start()].strip("\ufeff \t\r\n") else []
        text = text[start.start() :]
    if _may_have_forbidden(text, encoded) and (allowed := _FORBIDDEN.sub("", text)) != text:
        text = allowed
        warnings.append("control-characters")
    root, at = root_of(text)
    head, body = text[:at], text[at:]
    pieces, changed = _resolve(_pieces(_without_nested_sections(body)), _declared(head))
    warnings += ["bad-references"] if changed else []
    body, outside = "".join(pieces), "".join(pieces[::2])
    if outside.count("</") > max_entries and (thinned := _thinned(body, max_entries)):
        warnings.append("item-cap")
        body, outside = thinned, "".join(_pieces(thinned)[::2])
    truncated = bool(root) and not _closed(outside, root)
    complete = len(_ENTRY_END.findall(outside)) if truncated else None
    if complete:
        body = _closed_behind_last_entry(body)
    return Repaired(
        text=body,
        root=root.rpartition(":")[2].lower(),
        truncated=truncated,
        complete_entries=complete,
        warnings=tuple(warnings),
    )


def _may_have_forbidden(text: str, encoded: bytes | None) -> bool:
    """Whether it is worth looking for characters that are `_FORBIDDEN`; half of the time that takes, or less."""
    if "\ufffe" in text or "\uffff" in text:
        return True
    try:
        encoded = text.encode() if encoded is None else encoded
    except UnicodeEncodeError:  # surrogates
        return True
    return len(encoded.translate(None, _FORBIDDEN_BYTES)) < len(encoded)


def root_of(text: str) -> tuple[str, int]:
    """Name and place of the root element, behind declarations, comments and the DOCTYPE; ("", 0) if there is none."""
    at = 0
    while (at := text.find("<", at)) >= 0:
        if text.startswith("<?", at):
            end = text.find("?>", at)
        elif text.startswith("<!--", at):
            end = text.find("-->", at)
        elif text.startswith("<!", at):
            doctype = _DOCTYPE.match(text, at)
            end = doctype.end() - 1 if doctype else text.find(">", at)
        else:
            name = _NAME.match(text, at)
            return (name[1], at) if name else ("", 0)
        if end < 0:
            break
        at = end + 1
    return "", 0


def _declared(head: str) -> dict[str, str]:
    """The entities of a DOCTYPE: plain text only; parameter and external ones are empty, nested ones are refused."""
    doctype = _DOCTYPE.search(head)
    found: dict[str, str] = {}
    if not doctype or not doctype[1]:
        return found
    for parameter, name, double, single in _ENTITY.findall(doctype[1]):
        value = double or single
        inner = {reference[2] for reference in _REFERENCE.finditer(value) if reference[2]}
        if inner - _PREDEFINED:
            raise ParseError("xml-entity", f"The document declares the entity {name!r} in terms of other entities.")
        if not parameter:
            found[name] = value.replace("<", "&lt;")
    return found


def _resolve(parts: list[str], declared: dict[str, str]) -> tuple[list[str], bool]:
    """`_pieces` with references that XML does not know resolved; whether any was plainly wrong."""
    spent = 0
    wrong = False

    def resolved(reference: re.Match[str]) -> str:
        nonlocal spent, wrong
        number, name = reference.groups()
        if number:
            value = _character(number)
            wrong = wrong or not value
            return value and reference.group()
        if not name:
            wrong = True
            return "&amp;"
        if name in declared:
            spent += len(declared[name])
            if spent > _MAX_EXPANSION_CHARS:
                raise ParseError("xml-entity", f"The entity {name!r} would make the document too large.")
            return declared[name]
        return _named(name)

    for place in range(0, len(parts), 2):
        if "&" in parts[place] and _ODD_REFERENCE.search(parts[place]):
            parts[place] = _REFERENCE.sub(resolved, parts[place])
    return parts, wrong


def _pieces(body: str) -> list[str]:
    """Markup and, at the odd places, CDATA sections."""
    last = body.rfind("]]>")
    if last < 0:
        return [body]
    # what begins before this ends: none is looked through in vain
    pieces = _SECTION.split(body[: last + 3])
    pieces[-1] += body[last + 3 :]
    return pieces


def _character(number: str) -> str:
    """The character of a numeric reference; "" for one that XML forbids (surrogates, controls, beyond Unicode)."""
    digits, base = (number[1:], 16) if number[0] in "xX" else (number, 10)
    code = int(digits, base) if len(digits) <= 9 else sys.maxunicode + 1
    return "" if code > sys.maxunicode or _FORBIDDEN.match(chr(code)) else chr(code)


def _named(name: str) -> str:
    if name in _PREDEFINED:
        return f"&{name};"
    value = html.entities.html5.get(f"{name};", "")
    return html.escape(value) if value else f"&amp;{name};"


def _thinned(body: str, most: int) -> str | None:
    """Without the entries in the middle; None where there are no more than so many."""
    ends = [end.end() for end in _ENTRY_END.finditer(body)]
    if len(ends) <= most:
        return None
    half = most // 2
    return body[: ends[half - 1]] + body[ends[-half - 1] :]


def _closed_behind_last_entry(body: str) -> str:
    """A document that ends too early, cut behind its last complete entry, and what is open there closed."""
    pieces = _pieces(body)
    end = next(place for place in range(len(pieces) - 1, -1, -2) if _ENTRY_END.search(pieces[place]))
    last = list(_ENTRY_END.finditer(pieces[end]))[-1]
    pieces = [*pieces[:end], pieces[end][: last.end()]]
    entry = _ENTRY_START.search("".join(pieces[::2]))
    opened: list[str] = []
    for closing, name, empty in _TAG.findall("".join(pieces[::2])[: entry.start()][:_MAX_HEAD_CHARS] if entry else ""):
        if not closing and not empty:
            opened.append(name)
        elif closing and name in opened:
            del opened[len(opened) - 1 - opened[::-1].index(name) :]
    return "".join((*pieces, *[f"</{name}>" for name in reversed(opened)]))


def _without_nested_sections(body: str) -> str:
    """Where CDATA marks were put around CDATA marks, one pair of them is left."""
    return _NESTED_END.sub("]]>", _NESTED_START.sub("<![CDATA[", body)) if _NESTED_START.search(body) else body


def _closed(outside: str, root: str) -> bool:
    if outside.endswith(f"</{root}>"):
        return True
    end, at = f"</{root}", len(outside)
    while (at := outside.rfind(end, 0, at)) >= 0:  # no pattern: a name may be megabytes long
        if _TAG_END.match(outside, at + len(end)):
            return True
    opening_end = outside.find(">")
    return opening_end > 0 and outside[opening_end - 1] == "/"
