"""A web page → the article on it. Knows trafilatura, an optional extra, and nothing else does."""

from __future__ import annotations

from aggregator.collect.clean import clean_html
from aggregator.collect.parse.charset import decode
from aggregator.errors import ParseError
from aggregator.model import Document, FeedInfo, ParsedEntry, ParsedFeed
from aggregator.model.redact import public_url

__all__ = ["parse_article"]


def parse_article(document: Document) -> ParsedFeed:
    """The article of a page as the only entry of a feed: `content_html`, sanitised, and `image_url`.

    Raises ParseError: no-article where the page holds none, no-extractor where the extra is not installed.
    """
    try:
        import trafilatura
    except ImportError as error:
        raise ParseError("no-extractor", f"trafilatura is not installed: {error}") from error
    url = public_url(document.url)
    extracted = trafilatura.extract(
        decode(document.body, document.content_type).text,
        url=url,
        output_format="html",
        include_comments=False,
        include_formatting=True,
        include_images=True,
        include_links=True,
        include_tables=True,
    )
    article = clean_html(extracted or "", base=url)
    if not article.text:
        raise ParseError("no-article", "There is no article on this page.")
    image = next(iter(article.images), None)
    return ParsedFeed(
        version="html",
        info=FeedInfo(),
        entries=(ParsedEntry(content_html=article.html, image_url=image, image_width=article.image_width),),
    )
