"""One polite HTTP GET within limits. The only part that knows the HTTP client.

- `types`: what comes back, the limits within which it has to, and stand-ins for a request (values)
- `client`: a request, its redirects, and what the answers mean
- `connections`: a request and its answer, over connections that are kept for the next one
- `http1`: an HTTP/1 response, read as its bytes come in (pure)
- `urls`: what is asked for, and the way through redirects (pure)
- `dialer`: names into addresses, each shown to the guard before it is connected to
- `throttle`: requests to one address take turns, whatever names they are for
- `shared_slots`: the same among several processes, by way of the store
- `deadline`: how long all of it may take, and each wait
- `headers`: what headers mean for caching, back-off and links (pure)
- `content_encoding`: bounded decompression (pure)
- `errors`: what went wrong, in stable codes and one sentence (pure)
"""

from __future__ import annotations

from aggregator.collect.fetch.client import Fetcher
from aggregator.collect.fetch.shared_slots import StoredSlots
from aggregator.collect.fetch.throttle import SharedSlots
from aggregator.collect.fetch.types import (
    CacheHeaders,
    FetchLimits,
    Hop,
    NotModified,
    OwnHeaders,
    PrefetchedResponse,
    Reply,
    Response,
    SupportsGet,
)

__all__ = [
    "CacheHeaders",
    "FetchLimits",
    "Fetcher",
    "Hop",
    "NotModified",
    "OwnHeaders",
    "PrefetchedResponse",
    "Reply",
    "Response",
    "SharedSlots",
    "StoredSlots",
    "SupportsGet",
]
