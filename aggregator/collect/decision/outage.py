"""Whether failures are theirs or our own network's: when most hosts fail at the same time, it is ours."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from aggregator.model import CountedFailure, Source

__all__ = ["CountedFailure", "OutageDetector"]

_RECENT_REQUESTS = 50
#: that many different hosts have to fail: two dead blogs are two dead blogs
_MIN_HOSTS = 3
#: failures in which nothing was heard of the other side at all
_UNHEARD = frozenset({"dns-failure", "dns-timeout", "timeout-connect", "network-unreachable", "host-unreachable"})
#: somebody did answer, if only to say that there is no such name; without any network some resolvers say so too
_DENIED = "dns-not-found"
#: nobody was asked: we had no room for it
_OURS = frozenset({"crowded", "out-of-files", "out-of-threads"})


@dataclass(frozen=True, slots=True)
class _Request:
    host: str
    failure: str | None
    at: datetime
    counted: CountedFailure | None = None


class OutageDetector:
    """Judges the last 50 requests by host. Not thread-safe.

    `note` every request, then ask: `is_down`, `since` and `is_local_fault` for the present; `take_back` once an outage
    has been understood.
    """

    def __init__(self) -> None:
        self._recent: deque[_Request] = deque(maxlen=_RECENT_REQUESTS)
        #: requests since the last failure of this kind: while there is none among the recent ones, nothing is counted
        self._since_failure = _RECENT_REQUESTS
        self._since: datetime | None = None

    def note(self, host: str, failure: str | None, *, now: datetime, source: Source | None = None) -> None:
        """How a request to `host` ended: the code of its error, or None for any answer at all.

        `source` as it was before this poll; without it, the failure is never offered by `take_back`.
        """
        unheard = failure in _UNHEARD | {_DENIED}
        self._since_failure = 0 if unheard else self._since_failure + 1
        self._recent.append(_Request(host, failure, now))
        was_down, is_down = self.is_down, self._is_down_now()
        if not is_down:
            self._since = None
            if unheard and source is not None:  # this one will be counted
                self._recent[-1] = _Request(host, failure, now, _counted(source, now))
        elif not was_down:
            self._since = self._first_unheard(default=now)

    @property
    def is_down(self) -> bool:
        """More than half of the hosts asked of late could not be reached, each judged by its latest request."""
        return self._since is not None

    @property
    def since(self) -> datetime | None:
        """When the present outage began: the first failure after the last answer from anybody; None: none now."""
        return self._since

    def is_local_fault(self, failure: str) -> bool:
        """Whether a request that failed with this code failed because of us: it is not counted against its source."""
        return failure in _OURS or (failure in _UNHEARD | {_DENIED} and self.is_down)

    def take_back(self) -> tuple[CountedFailure, ...]:
        """Failures of the present outage that were counted before it was understood, each offered once, oldest first.

        Empty while the network works.
        """
        since = self._since
        if since is None:
            return ()
        found = tuple(one.counted for one in self._recent if one.counted is not None and one.at >= since)
        for index, request in enumerate(self._recent):
            if request.counted in found:
                self._recent[index] = _Request(request.host, request.failure, request.at)
        return found

    def _is_down_now(self) -> bool:
        if self._since_failure >= _RECENT_REQUESTS:
            return False
        latest = {request.host: request.failure for request in self._recent}
        unheard = self._unheard(latest.values())
        failing = sum(code in unheard for code in latest.values())
        return failing >= _MIN_HOSTS and failing * 2 > len(latest)

    def _first_unheard(self, default: datetime) -> datetime:
        """When the run of failures at the end of the recent requests began."""
        first = default
        for request in reversed(self._recent):
            if request.failure is None or request.failure not in _UNHEARD | {_DENIED}:
                break
            first = request.at
        return first

    @staticmethod
    def _unheard(failures: Collection[str | None]) -> frozenset[str]:
        """The codes that say "nothing was heard": a denial is an answer as long as anybody else answers."""
        answered = any(code is None or code not in _UNHEARD | {_DENIED} for code in failures)
        return _UNHEARD if answered else _UNHEARD | {_DENIED}


def _counted(source: Source, now: datetime) -> CountedFailure:
    return CountedFailure(
        source_id=source.id, failed_at=now, error_count=source.error_count, error_since=source.error_since
    )
