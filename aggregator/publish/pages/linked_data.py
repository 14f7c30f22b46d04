"""What an item is, for machines: schema.org as JSON-LD.

It stands in a ``<script type="application/ld+json">``, which is data: browsers run no script of a type they do not know
(HTML, 4.12.1), and the pages' policy forbids all scripts besides. What the JSON contains cannot end the element.
"""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from aggregator.model import Item
from aggregator.publish.site import Site

#: for JSON inside of HTML; "<" is what could end the element, open a comment or a script within it
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
#: schema.org recommends at most that many characters
_HEADLINE = 110


def article(item: Item, site: Site) -> Markup:
    """The item as a NewsArticle of its publisher: the page is about it, and does not claim to be it."""
    said: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": item.title[:_HEADLINE],
        "datePublished": item.published.isoformat(timespec="seconds"),
        "dateModified": max(item.updated, item.published).isoformat(timespec="seconds"),
        "mainEntityOfPage": site.page(item.id),
        "articleSection": item.section,
        "publisher": {"@type": "Organization", "name": item.source.name, "url": item.source.home},
        "url": item.url,
        "inLanguage": item.language,
        "author": {"@type": "Person", "name": item.author} if item.author else None,
        "image": item.image_url if site.images == "link" else None,
    }
    kept = {name: value for name, value in said.items() if value is not None}
    return Markup(json.dumps(kept, ensure_ascii=False).translate(_ESCAPES))  # noqa: S704 (escaped just here)
