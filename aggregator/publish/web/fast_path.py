"""Cached responses, served without the application: most requests are for bytes that were served a moment ago.

Routing, handlers, middlewares and the response objects of aiohttp cost three times what parsing a request and writing
an answer costs. So the heads of answers to plain GETs are remembered as they went out, by target and by what was
negotiated, and given again for as long as the response cache holds what a handler would find. Whatever is not exactly
known goes to the application. What counts as a view is counted here as there.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime, formatdate
from functools import lru_cache
from typing import Final

from aiohttp import web

from aggregator.publish.web.connection import PlainRequest
from aggregator.publish.web.http_response import asked_coding, choose, is_dated, is_unchanged
from aggregator.publish.web.response_cache import CachedResponse, ResponseCache

#: targets whose heads are remembered; those not asked for the longest while are forgotten first
_MAX_TARGETS: Final = 1024
#: longer targets are searches and mistakes
_MAX_TARGET_CHARS: Final = 512
#: written anew with every answer, or about one connection only
_NOT_LEARNT: Final = frozenset({"date", "connection"})

#: (browser opening a page, content coding, status)
_Variant = tuple[bool, str, int]
#: (request, the peer's address)
Counting = Callable[[PlainRequest, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cacheable:
    """A handler's word that its answer to this target depends on nothing but the content and what is negotiated."""

    key: str
    content: CachedResponse
    #: what else an answer is to do: count a view
    count: Counting | None = None


#: where a handler puts it
CACHEABLE: Final = web.RequestKey("cacheable", Cacheable)


@dataclass(slots=True)
class _Target:
    """What is known of one target of requests. The body stays in the response cache, which is bounded."""

    key: str
    count: Counting | None
    etag: str
    modified: datetime
    #: its heads have Last-Modified: not in the second in which it has changed, when it may change again
    dated: bool
    heads: dict[_Variant, bytes] = field(default_factory=dict)

    def is_of(self, content: CachedResponse) -> bool:
        """Whether the heads belong to this state of the content."""
        return self.etag == content.etag and self.modified == content.modified

    def date(self) -> None:
        """The second is over."""
        since = f"Last-Modified: {format_datetime(self.modified, usegmt=True)}\r\n".encode()
        self.heads = {variant: head + since for variant, head in self.heads.items()}
        self.dated = True


class FastPath:
    """Answers that can be given again. Used on the event loop only."""

    def __init__(
        self,
        responses: ResponseCache,
        answered: Callable[[int], None],
        clock: Callable[[], datetime],
        is_open: Callable[[], bool],
    ) -> None:
        self._responses = responses
        #: whether everybody may see the site
        self._is_open = is_open
        self._answered = answered
        self._clock = clock
        self._targets: OrderedDict[str, _Target] = OrderedDict()

    def learn(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Remembers the head of an answer that is about to go out, if its handler called it cacheable."""
        given = request.get(CACHEABLE)
        path = request.raw_path
        if given is None or request.method != "GET" or len(path) > _MAX_TARGET_CHARS:
            return
        target, dated, content = self._targets.get(path), "Last-Modified" in response.headers, given.content
        if target is None or target.dated != dated or not target.is_of(content):
            target = _Target(given.key, given.count, content.etag, content.modified, dated)
            self._targets[path] = target
            if len(self._targets) > _MAX_TARGETS:
                self._targets.popitem(last=False)
        coding = choose(content, request.headers.get("Accept-Encoding", ""))[0]
        target.heads[_is_document(request.headers.get("Sec-Fetch-Dest")), coding, response.status] = _head(response)

    def find(self, request: PlainRequest, peer: str) -> bytes | None:
        """The whole answer to a request; None where the application has to give it."""
        target = self._targets.get(request.target)
        if target is None or not self._is_open():
            return None
        headers = request.headers
        content = self._responses.fresh(target.key)
        if content is None or not target.is_of(content):
            return None
        accepted = headers.get("accept-encoding", "")
        if (asked := asked_coding(accepted)) and asked not in content.encodings_seen:
            return None
        if not target.dated and is_dated(content, self._clock()):
            target.date()
        coding, body = choose(content, accepted)
        held, since = headers.get("if-none-match"), headers.get("if-modified-since")
        status = 304 if is_unchanged(held, since, content.etag, content.modified) else 200
        head = target.heads.get((_is_document(headers.get("sec-fetch-dest")), coding, status))
        if head is None:
            return None
        self._targets.move_to_end(request.target)
        if target.count:
            target.count(request, peer)
        self._answered(status)
        return b"%bDate: %b\r\n\r\n%b" % (head, _date(int(time.time())), b"" if status == 304 else body)


def _is_document(destination: str | None) -> bool:
    return destination == "document"


def _head(response: web.StreamResponse) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items() if name.lower() not in _NOT_LEARNT]
    return ("\r\n".join(lines) + "\r\n").encode("utf-8")


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
