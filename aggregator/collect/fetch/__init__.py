"""One polite HTTP GET within limits. The only part that knows the HTTP client.

- `types`: what comes back, the limits within which it has to, and stand-ins for a request (values)
- `client`: a request, its redirects, and what the answers mean
- `exchange`: one request and its answer, as they are written
- `connections`: opened when they are needed, kept for the next request
- `urls`: what is asked for, and the way through redirects (pure)
- `dialer`: names into addresses, each shown to the guard before it is connected to
- `throttle`: requests to one address take turns, whatever names they are for
- `deadline`: how long all of it may take, and each wait
- `headers`: what headers mean for caching, back-off and links (pure)
- `content_encoding`: bounded decompression (pure)
- `errors`: what went wrong, in stable codes and one sentence (pure)
"""

from __future__ import annotations

from aggregator.collect.fetch.client import Fetcher
from aggregator.collect.fetch.types import (
    FetchLimits,
    Hop,
    NotModified,
    PrefetchedResponse,
    Reply,
    Response,
    SupportsGet,
)

__all__ = ["FetchLimits", "Fetcher", "Hop", "NotModified", "PrefetchedResponse", "Reply", "Response", "SupportsGet"]
