"""Rows as the values of the model."""

from __future__ import annotations

from aggregator.model import (
    Copy,
    Item,
    ItemText,
    PollError,
    Source,
    SourceRef,
    Subscription,
    Upstream,
    Validators,
)
from aggregator.model.collecting import Role
from aggregator.model.redact import public_url
from aggregator.store.sql.codec.html import unpack_html
from aggregator.store.sql.codec.values import (
    figures,
    from_ms,
    from_ms_or_none,
    from_span_ms,
    names,
    unpack,
    unpack_conditional,
    unpack_enclosures,
    unpack_info,
    unpack_posting_rate,
)
from aggregator.store.sql.engine import Row
from aggregator.store.sql.ids import encode_id

#: the columns of what the configuration says of a source
_SUBSCRIBED = (
    *("url", "section", "more_sections", "name", "interval_ms", "weight", "enabled", "full_text", "role", "in_latest"),
)


def subscription(row: Row) -> Subscription:
    """A source's row as the configuration gave it."""
    return _subscription(*(row[name] for name in _SUBSCRIBED))


#: the columns of `source`, in groups, of a table of sources called s
SOURCE_COLUMNS = f"""s.id, s.slug, s.fetch_url, s.title, {", ".join(f"s.{name}" for name in _SUBSCRIBED)},
    s.info, s.etag, s.last_modified, s.conditional, s.body_hash, s.posting_rate,
    s.error_count, s.error_since, s.last_poll, s.last_success,
    s.moved_to, s.moved_since, s.moved_count, s.unstable_ids, s.gone_since"""


def source(row: Row) -> Source:
    """The `SOURCE_COLUMNS` of a row, as a source is handed out to be polled. By place: every poll begins with it."""
    source_id, slug, fetch_url, title = row[:4]
    info, etag, last_modified, conditional, body_hash, posting_rate = row[14:20]
    error_count, error_since, last_poll, last_success = row[20:24]
    moved_to, moved_since, moved_count, unstable_ids, gone_since = row[24:29]
    return Source(
        id=source_id,
        slug=slug,
        subscription=_subscription(*row[4:14]),
        fetch_url=fetch_url,
        title=title,
        info=unpack_info(info),
        validators=Validators(etag=etag, last_modified=last_modified),
        conditional=unpack_conditional(conditional),
        body_hash=body_hash,
        posting_rate=unpack_posting_rate(posting_rate),
        error_count=error_count,
        error_since=from_ms_or_none(error_since),
        last_poll=from_ms_or_none(last_poll),
        last_success=from_ms_or_none(last_success),
        moved_to=moved_to,
        moved_since=from_ms_or_none(moved_since),
        moved_count=moved_count,
        unstable_ids=bool(unstable_ids),
        gone_since=from_ms_or_none(gone_since),
    )


def _subscription(  # noqa: PLR0917 - columns, by place
    url: str,
    section: str,
    more_sections: str,
    name: str | None,
    interval_ms: int | None,
    weight: float,
    enabled: int,
    full_text: int,
    role: Role,
    in_latest: int,
) -> Subscription:
    return Subscription(
        url=url,
        section=section,
        more_sections=names(more_sections),
        name=name,
        interval=from_span_ms(interval_ms),
        weight=weight,
        enabled=bool(enabled),
        full_text=bool(full_text),
        role=role,
        in_latest=bool(in_latest),
    )


def poll_error(row: Row) -> PollError | None:
    """Why the last poll failed; None if it did not."""
    if row["error_code"] is None:
        return None
    return PollError(code=row["error_code"], message=row["error_message"], permanent=bool(row["error_permanent"]))


#: the columns of `source_ref`, of a table of sources called s
REF_COLUMNS = """s.id AS source_id, s.slug AS source_slug, COALESCE(s.name, NULLIF(s.title, ''), s.url) AS source_name,
    s.url AS source_url, s.home AS source_home, s.name IS NOT NULL AS source_named"""


def source_ref(row: Row) -> SourceRef:
    """The `REF_COLUMNS` of a row."""
    return SourceRef(
        id=row["source_id"],
        slug=row["source_slug"],
        # a source that never gave its title is called by its address, which may hold a secret
        name=public_url(row["source_url"]) if row["source_name"] == row["source_url"] else row["source_name"],
        url=row["source_url"],
        home=row["source_home"],
        is_named=bool(row["source_named"]),
    )


def copy(row: Row) -> Copy:
    """An entry's row as one copy of its item."""
    return Copy(
        source=source_ref(row),
        entry_id=row["entry_id"],
        title=row["title"],
        url=row["url"],
        published=from_ms(row["published"]),
        first_seen=from_ms(row["first_seen"]),
        rule=row["rule"],
        figures=figures(row["figures"]),
    )


def item(row: Row, copies: tuple[Copy, ...]) -> Item:
    """A row of items joined with its lead entry, source and bodies."""
    public = encode_id(row["public_id"])
    summary_html, content_html = unpack_html(row["html"], row["text"])
    return Item(
        id=public,
        title=row["title"],
        url=row["url"],
        source=source_ref(row),
        section=row["section"],
        more_sections=names(row["more_sections"]),
        author=row["author"],
        published=from_ms(row["published"]),
        first_seen=from_ms(row["first_seen"]),
        updated=from_ms(row["updated"]),
        summary_html=summary_html,
        content_html=content_html,
        text=row["text"],
        language=row["language"],
        categories=tuple(unpack(row["categories"]) or ()),
        image_url=row["image_url"],
        image_width=row["image_width"],
        enclosures=unpack_enclosures(row["enclosures"]),
        upstream=upstream(row),
        copies=copies,
        story=public if row["story"] is None else encode_id(row["story"]),
        views=row["views"],
        likes=row["likes"],
        full_text=bool(row["full_text"]),
        pinned_until=from_ms_or_none(row["pinned_until"]),
    )


def upstream(row: Row) -> Upstream:
    """What the feed itself reported of an entry."""
    return Upstream(comments=row["upstream_comments"], views=row["upstream_views"], votes=row["upstream_votes"])


def item_text(row: Row, outlinks: tuple[str, ...]) -> ItemText:
    """An entry's row, with its item's id and story, as comparing needs it."""
    return ItemText(
        item_id=encode_id(row["public_id"]),
        source_id=row["source_id"],
        source_name=row["source_name"],
        title=row["title"],
        text=row["text"],
        language=row["language"],
        published=from_ms(row["published"]),
        canonical_url=row["canonical_url"],
        outlinks=outlinks,
        story=None if row["story"] is None else encode_id(row["story"]),
        first_seen=from_ms(row["first_seen"]),
    )
