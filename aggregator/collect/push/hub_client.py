"""One request to a hub: subscribe or unsubscribe (WebSub 5.1)."""

from __future__ import annotations

from urllib.parse import urlencode, urljoin

from aggregator.collect.decision import is_downgrade
from aggregator.collect.fetch import Fetcher
from aggregator.collect.push.subscription_state import LEASE
from aggregator.errors import FetchError
from aggregator.model import Push

__all__ = ["HubClient"]

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_ELSEWHERE = frozenset({307, 308})
_MAX_HOPS = 2


class HubClient:
    """Talks to hubs through a fetcher of its own, whose guard and limits hold here as well."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def ask(self, push: Push, *, mode: str, callback: str) -> None:
        """Asks the hub for `mode` (subscribe, unsubscribe). FetchError unless it accepts; its verification follows."""
        fields = {"hub.callback": callback, "hub.mode": mode, "hub.topic": push.topic}
        if mode == "subscribe":
            fields["hub.lease_seconds"] = str(int(LEASE.total_seconds()))
            if push.secret is not None:
                fields["hub.secret"] = push.secret
        await self._post(push.hub, urlencode(fields).encode())

    async def close(self) -> None:
        """Closes its connections."""
        await self._fetcher.close()

    async def _post(self, hub: str, body: bytes) -> None:
        """As RFC 9110 15.4.8 asks: the same request to wherever a 307 or 308 leads."""
        for _ in range(_MAX_HOPS + 1):
            reply = await self._fetcher.send("POST", hub, body=body, headers=_FORM, takes_turns=True)
            if reply.status not in _ELSEWHERE or not reply.location:
                break
            target = urljoin(hub, reply.location)
            if is_downgrade(hub, target):  # the secret would go out in the clear
                raise FetchError("bad-redirect", "The hub redirects from https to http")
            hub = target
        if not 200 <= reply.status < 300:
            raise FetchError(
                f"http-{reply.status:03}",
                f"The hub answered {reply.status}",
                status=reply.status,
                retry_after=reply.retry_after,
            )
