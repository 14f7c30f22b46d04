"""One polite HTTP GET within limits. The only part that knows the HTTP client.

- `answers`: what comes back, and the limits within which it has to (values)
- `client`: a request, its redirects, and what the answers mean
- `exchange`: one request and its answer, as they are written
- `connections`: opened when they are needed, kept for the next request
- `address`: what is asked for, and the way through redirects (pure)
- `fetched`: an answer that is there already, in place of a request
- `dial`: names into addresses, each shown to the guard before it is connected to
- `patience`: how long all of it may take, and each wait
- `headers`: what caching and back-off headers mean (pure)
- `inflate`: bounded decompression (pure)
- `failures`: what went wrong, in stable codes and one sentence (pure)
"""

from __future__ import annotations

from aggregator.collect.fetch.answers import FetchLimits, Hop, NotModified, Reply, Response
from aggregator.collect.fetch.client import Fetcher
from aggregator.collect.fetch.fetched import Fetched, Fetches

__all__ = ["FetchLimits", "Fetched", "Fetcher", "Fetches", "Hop", "NotModified", "Reply", "Response"]
