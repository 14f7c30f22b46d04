"""Routes for monitoring: health and metrics."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from aiohttp import web

from aggregator.publish.web.connection import Connections
from aggregator.publish.web.http_response import NO_CACHING
from aggregator.publish.web.services import Services


class OpsRoutes:
    """Handlers of ``/healthz``, ``/readyz`` and ``/metrics``; counts the answers that the server gives."""

    def __init__(self, services: Services) -> None:
        self._services = services
        #: set once there is a server
        self.connections: Connections | None = None
        #: answers by status since the start
        self.answers: Counter[int] = Counter()

    def table(self) -> list[web.RouteDef]:
        """The routes, to be added to the application."""
        return [
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
        ]

    def count(self, status: int) -> None:
        """One more answer with this status."""
        self.answers[status] += 1

    async def healthz(self, _: web.Request) -> web.Response:
        """200 while work makes progress, else 503: restart it."""
        health = self._services.health()
        return _verdict(health.live, health.checks)

    async def readyz(self, _: web.Request) -> web.Response:
        """200 while requests can be answered, else 503."""
        health = self._services.health()
        return _verdict(health.ready, health.checks)

    async def metrics(self, _: web.Request) -> web.Response:
        """Prometheus' text format: the program's metrics and the server's own."""
        text = await self._services.metrics()
        own = _metric(
            "aggregator_http_responses_total",
            "Responses given, by HTTP status.",
            {f'{{status="{status}"}}': count for status, count in sorted(self.answers.items())},
        )
        if self.connections is not None:
            own += _metric(
                "aggregator_http_connections_refused_total",
                "Connections refused because too many were open.",
                {"": self.connections.refused},
            )
            own += _metric(
                "aggregator_http_malformed_requests_total",
                "Requests that were no HTTP.",
                {"": self.connections.protocol_errors()},
            )
        joint = "" if not text or text.endswith("\n") else "\n"
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": NO_CACHING}
        return web.Response(text=text + joint + own, headers=headers)


def _metric(name: str, about: str, values: Mapping[str, int]) -> str:
    """One counter in Prometheus' text format, its values by label."""
    lines = [f"# HELP {name} {about}", f"# TYPE {name} counter", *(f"{name}{label} {n}" for label, n in values.items())]
    return "\n".join(lines) + "\n"


def _verdict(good: bool, checks: object) -> web.Response:
    body = json.dumps({"status": "ok" if good else "failing", "checks": checks}, default=dict)
    headers = {"Content-Type": "application/json", "Cache-Control": NO_CACHING}
    return web.Response(text=body, status=200 if good else 503, headers=headers)
