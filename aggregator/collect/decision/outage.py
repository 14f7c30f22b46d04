"""Is it them, or is it us? When most hosts fail at the same time, it is our own network."""

from __future__ import annotations

from collections import deque

__all__ = ["NetworkHealth"]

_REMEMBERED = 50
#: that many different hosts have to fail: two dead blogs are two dead blogs
_MIN_HOSTS = 3
#: failures in which nothing was heard of the other side at all
_UNHEARD = frozenset({"dns-failure", "dns-timeout", "timeout-connect", "network-unreachable", "host-unreachable"})
#: somebody did answer, if only to say that there is no such name; without any network some resolvers say so too
_DENIED = "dns-not-found"
#: nobody was asked: we had no room for it
_OURS = frozenset({"crowded", "out-of-files"})


class NetworkHealth:
    """The last 50 requests, by host. Not thread-safe."""

    def __init__(self) -> None:
        self._recent: deque[tuple[str, str | None]] = deque(maxlen=_REMEMBERED)

    def note(self, host: str, failure: str | None) -> None:
        """How a request to `host` ended: the code of its error, or None for any answer at all."""
        self._recent.append((host, failure))

    @property
    def down(self) -> bool:
        """More than half of the hosts asked of late could not be reached, each judged by its latest request."""
        latest = dict(self._recent)
        answered = any(code is None or code not in _UNHEARD | {_DENIED} for code in latest.values())
        unheard = _UNHEARD if answered else _UNHEARD | {_DENIED}
        failing = sum(code in unheard for code in latest.values())
        return failing >= _MIN_HOSTS and failing * 2 > len(latest)

    def explains(self, failure: str) -> bool:
        """Whether a request that failed like this failed because of us."""
        return failure in _OURS or (failure in _UNHEARD | {_DENIED} and self.down)
