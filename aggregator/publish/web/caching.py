"""How long answers may be kept by whoever passes them on: the values of ``Cache-Control``."""

from __future__ import annotations

from typing import Final

#: feeds: a shared cache may answer for a minute; pages are asked for each time, so that openings can be counted
FEED_CACHING: Final = "public, max-age=60"
PAGE_CACHING: Final = "no-cache"
PRIVATE_CACHING: Final = "private, no-cache"
NO_CACHING: Final = "no-store"
FOREVER_CACHING: Final = "public, max-age=31536000, immutable"
