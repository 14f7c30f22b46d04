"""What a rule looks at."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.model import Item, ParsedEntry, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An entry or item as the match language sees it; what is unknown is empty."""

    title: str = ""
    #: plain text of the summary or content, without the title
    text: str = ""
    author: str = ""
    category: tuple[str, ...] = ()
    url: str = ""
    #: the source's name
    source: str = ""
    #: the address of the source's feed
    feed: str = ""
    section: str = ""
    #: BCP 47
    language: str = ""


def subject_of_entry(source: Source, entry: ParsedEntry) -> Subject:
    """An entry as it arrives from `source`, with the section of its source."""
    return Subject(
        title=entry.title,
        text=entry.text,
        author=entry.author or "",
        category=entry.categories,
        url=entry.link or "",
        source=source.name,
        feed=source.subscription.url,
        section=source.subscription.section,
        language=entry.language or "",
    )


def subject_of_item(item: Item) -> Subject:
    """An item as readers see it."""
    return Subject(
        title=item.title,
        text=item.text,
        author=item.author or "",
        category=item.categories,
        url=item.url or "",
        source=item.source.name,
        feed=item.source.url,
        section=item.section,
        language=item.language or "",
    )
