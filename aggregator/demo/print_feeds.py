"""A paper's articles as RSS 2.0, Atom 1.0 or JSON Feed 1.1, as an ordinary paper would write them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from xml.sax.saxutils import escape, quoteattr

from aggregator.demo.newsroom import Article, Newsroom, Paper

CONTENT_TYPES = {"rss": "application/rss+xml", "atom": "application/atom+xml", "json": "application/feed+json"}


def render_paper(newsroom: Newsroom, paper: Paper, *, base: str, now: datetime) -> bytes:
    """The paper's feed at `now`; `base` is its address without a trailing slash."""
    articles = newsroom.published(paper, now)
    render = {"rss": _rss, "atom": _atom, "json": _json}[paper.format]
    return render(paper, articles, base, newsroom.start, now - newsroom.start).encode()


def _rss(paper: Paper, articles: Sequence[Article], base: str, start: datetime, age: timedelta) -> str:
    items = "".join(
        f"<item><title>{escape(article.title_at(age))}</title><link>{base}/{article.id}</link>"
        f'<guid isPermaLink="false">{paper.key}-{article.id}</guid>'
        f"<pubDate>{format_datetime(start + article.at)}</pubDate>"
        f"<dc:creator>{escape(article.author)}</dc:creator>"
        + "".join(f"<category>{escape(topic)}</category>" for topic in article.topics)
        + (f"<media:thumbnail url={quoteattr(picture)}/>" if (picture := _picture(article, base)) else "")
        + f"<description>{escape(f'<p>{escape(article.text)}</p>')}</description></item>"
        for article in articles
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:media="http://search.yahoo.com/mrss/"><channel>'
        f"<title>{escape(paper.title)}</title><link>{base}/</link><language>{paper.language}</language>"
        f"<description>An invented paper.</description>{items}</channel></rss>"
    )


def _atom(paper: Paper, articles: Sequence[Article], base: str, start: datetime, age: timedelta) -> str:
    entries = "".join(
        f"<entry><title>{escape(article.title_at(age))}</title><id>tag:{paper.key}.example,2026:{article.id}</id>"
        f'<link rel="alternate" href="{base}/{article.id}"/>'
        + (
            f'<link rel="enclosure" type="image/svg+xml" href={quoteattr(pic)}/>'
            if (pic := _picture(article, base))
            else ""
        )
        + f"<published>{(start + article.at).isoformat()}</published>"
        f"<updated>{(start + article.at).isoformat()}</updated>"
        f"<author><name>{escape(article.author)}</name></author>"
        + "".join(f"<category term={quoteattr(topic)}/>" for topic in article.topics)
        + f'<summary type="html">{escape(f"<p>{escape(article.text)}</p>")}</summary></entry>'
        for article in articles
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{paper.language}">'
        f"<title>{escape(paper.title)}</title><id>tag:{paper.key}.example,2026:feed</id>"
        f'<link rel="alternate" href="{base}/"/><updated>{start.isoformat()}</updated>{entries}</feed>'
    )


def _json(paper: Paper, articles: Sequence[Article], base: str, start: datetime, age: timedelta) -> str:
    items = [
        {
            "id": f"{base}/{article.id}",
            "url": f"{base}/{article.id}",
            "title": article.title_at(age),
            "content_html": f"<p>{escape(article.text)}</p>",
            "date_published": (start + article.at).isoformat(),
            "authors": [{"name": article.author}],
            "tags": list(article.topics),
        }
        | ({"image": picture} if (picture := _picture(article, base)) else {})
        for article in articles
    ]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": paper.title, "home_page_url": f"{base}/"}
    return json.dumps(feed | {"language": paper.language, "items": items}, ensure_ascii=False)


def _picture(article: Article, base: str) -> str | None:
    return f"{base}/picture/{article.picture}.svg" if article.picture else None
