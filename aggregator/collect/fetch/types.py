"""What comes back from a request, the limits within which it has to, and who may stand in for a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from aggregator.model import Document, Freshness, Validators


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """Bounds of one request."""

    #: wall clock for everything: names, redirects, the last byte of the body
    total: timedelta = timedelta(seconds=30)
    #: until a name is resolved
    resolve: timedelta = timedelta(seconds=10)
    #: until one address has accepted the connection
    connect: timedelta = timedelta(seconds=10)
    #: the longest silence, before the first byte and between two
    silence: timedelta = timedelta(seconds=15)
    #: as sent and after decompression, each
    max_size_bytes: int = 10_000_000
    max_hops: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheHeaders:
    """What an answer says about how long it stays fresh (RFC 9111 4.2), and by which headers."""

    freshness: Freshness = field(default_factory=Freshness)
    #: how long it has lain in caches on the way
    age: timedelta = timedelta(0)
    has_cache_control: bool = False
    has_expires: bool = False
    #: no-store, or no-cache for all of the answer
    forbids_reuse: bool = False

    @property
    def fresh_for(self) -> timedelta | None:
        """How long this answer is fresh; None: it does not say."""
        return self.freshness.remaining(self.age)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One redirect: who sent us on, with which status."""

    status: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotModified:
    """304: what we hold is current."""

    #: after redirects
    url: str
    #: the pair to send next time: what the 304 brought, else what was sent
    validators: Validators
    cache: CacheHeaders = field(default_factory=CacheHeaders)
    retry_after: timedelta | None = None
    hops: tuple[Hop, ...] = ()
    #: where a chain of permanent redirects only has led; None: no redirect, or one of them was temporary
    permanent_target: str | None = None
    duration: timedelta = timedelta(0)
    status: int = 304


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A body, decompressed."""

    url: str
    body: bytes
    status: int = 200
    content_type: str | None = None
    content_language: str | None = None
    validators: Validators = field(default_factory=Validators)
    cache: CacheHeaders = field(default_factory=CacheHeaders)
    retry_after: timedelta | None = None
    #: its ``Link`` headers, as one
    link: str | None = None
    #: it is not the whole: the connection ended before the announced end, or more came than was announced
    truncated: bool = False
    #: 226: entries that are new since the document we hold, not the document (RFC 3229)
    delta: bool = False
    hops: tuple[Hop, ...] = ()
    permanent_target: str | None = None
    duration: timedelta = timedelta(0)

    @property
    def document(self) -> Document:
        """What the parser needs of it."""
        return Document(
            body=self.body,
            url=self.url,
            content_type=self.content_type,
            content_language=self.content_language,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server says to one request of ours, whatever its status: hubs and their subscribers talk like this."""

    status: int
    #: at most `REPLY_BYTES` of it
    body: bytes = b""
    #: how long the server asks us to wait (429, 503)
    retry_after: timedelta | None = None
    #: where it sends us on, as it says so
    location: str | None = None


#: a conversation about subscriptions needs a challenge and a sentence
REPLY_BYTES = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnHeaders:
    """Headers of the operator's own for one source: cookies, keys, another User-Agent. They may be secrets."""

    #: the address that they were written for: they are sent to its origin and to no other
    url: str
    fields: Mapping[str, str] = field(repr=False)


class SupportsGet(Protocol):
    """Whatever gets what is at an address: a `Fetcher`, or a `PrefetchedResponse`."""

    async def get(
        self, url: str, *, validators: Validators | None = None, own: OwnHeaders | None = None
    ) -> Response | NotModified:
        """What is at `url`. Raises FetchError."""


class PrefetchedResponse:
    """Gives the answer that somebody has just got: adding a feed is one request in all (FRB036)."""

    def __init__(self, answer: Response) -> None:
        self._answer = answer

    async def get(
        self,
        url: str,  # noqa: ARG002 - it is there
        *,
        validators: Validators | None = None,  # noqa: ARG002
        own: OwnHeaders | None = None,  # noqa: ARG002
    ) -> Response:
        """The answer, whatever is asked for."""
        return self._answer
