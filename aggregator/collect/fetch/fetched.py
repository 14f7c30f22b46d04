"""An answer that is there already, in place of a request: adding a feed is one request in all (FRB036)."""

from __future__ import annotations

from typing import Protocol

from aggregator.collect.fetch.answers import NotModified, Response
from aggregator.model import Validators


class Fetches(Protocol):
    """Whatever gets what is at an address: a `Fetcher`, or `Fetched`."""

    async def get(self, url: str, *, validators: Validators | None = None) -> Response | NotModified:
        """What is at `url`. Raises FetchError."""


class Fetched:
    """Gives the answer that somebody has just got."""

    def __init__(self, answer: Response) -> None:
        self._answer = answer

    async def get(self, url: str, *, validators: Validators | None = None) -> Response:  # noqa: ARG002 - it is there
        """The answer, whatever is asked for."""
        return self._answer
