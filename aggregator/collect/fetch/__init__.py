"""One polite HTTP GET within limits. The only part that knows the HTTP client.

- `answers`: what comes back, and the limits within which it has to (values)
- `client`: the request and its body
- `address`: what is asked for, and the way through redirects (pure)
- `dial`: names into addresses, each shown to the guard before it is connected to
- `headers`: what caching and back-off headers mean (pure)
- `inflate`: bounded decompression (pure)
- `failures`: what went wrong, in stable codes and one sentence (pure)
"""

from __future__ import annotations

from aggregator.collect.fetch.answers import FetchLimits, Hop, NotModified, Reply, Response
from aggregator.collect.fetch.client import Fetcher

__all__ = ["FetchLimits", "Fetcher", "Hop", "NotModified", "Reply", "Response"]
