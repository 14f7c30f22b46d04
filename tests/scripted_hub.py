"""A WebSub hub on loopback that follows the W3C text step by step, and breaks it where a test says so.

It stands on an `Origin`: ``POST /hub`` takes subscriptions (5.1), a thread verifies the intent (5.3), `deliver` sends
content with its signature (7).
"""

from __future__ import annotations

import hmac
import http.client
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from origin import Answer, Origin, Request


@dataclass(frozen=True)
class Said:
    """What a subscriber answered."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass
class ScriptedHub:
    """A hub; `asked` are the forms it was sent, `verifications` what it was told when it asked back."""

    origin: Origin
    path: str = "/hub"
    #: before: verifies before it answers the subscription; never: does not
    verify: Literal["after", "before", "never"] = "after"
    answer: Answer = field(default_factory=lambda: Answer(status=202))
    lease_seconds: str | None = "864000"
    challenge: str = "ch4113nge with / and &"
    asked: list[dict[str, str]] = field(default_factory=list)
    verifications: list[Said] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.url = self.origin.on(self.path, self._take)

    @property
    def callback(self) -> str:
        """Where the last subscription wants to be delivered to."""
        return self.asked[-1]["hub.callback"]

    def settle(self) -> None:
        """Waits until every verification that was begun has ended."""
        for thread in self.threads:
            thread.join(5)

    def ask_back(self, callback: str, **changes: str | None) -> Said:
        """Verifies the last subscription; `changes` replace parameters (``topic``, ``mode`` …), None leaves one out."""
        form = self.asked[-1] if self.asked else {}
        query: dict[str, str | None] = {
            "mode": form.get("hub.mode"),
            "topic": form.get("hub.topic"),
            "challenge": self.challenge,
            "lease_seconds": self.lease_seconds,
        }
        given = {f"hub.{name}": value for name, value in {**query, **changes}.items() if value is not None}
        return _request("GET", f"{callback}?{urlencode(given)}")

    def deny(self, callback: str, topic: str) -> Said:
        """Tells that a subscription has been refused (5.2)."""
        query = {"hub.mode": "denied", "hub.topic": topic, "hub.reason": "no reason"}
        return _request("GET", f"{callback}?{urlencode(query)}")

    def deliver(
        self,
        body: bytes,
        *,
        callback: str = "",
        method: str = "sha256",
        secret: str | None = None,
        signature: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Said:
        """Delivers content, signed with the secret of the last subscription unless told otherwise."""
        secret = self.asked[-1].get("hub.secret") if secret is None and self.asked else secret
        if signature is None and secret:
            signature = f"{method}={hmac.new(secret.encode(), body, method).hexdigest()}"
        sent = {"Content-Type": "application/rss+xml", **({"X-Hub-Signature": signature} if signature else {})}
        return _request("POST", callback or self.callback, body, {**sent, **(headers or {})})

    def _take(self, request: Request) -> Answer:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        self.asked.append(form)
        if self.verify == "before":
            self._verify(form)
        elif self.verify == "after" and self.answer.status == 202:
            thread = threading.Thread(target=self._verify, args=(form,), daemon=True)
            self.threads.append(thread)
            thread.start()
        return self.answer

    def _verify(self, form: Mapping[str, str]) -> None:
        query = {"hub.mode": form["hub.mode"], "hub.topic": form["hub.topic"], "hub.challenge": self.challenge}
        if self.lease_seconds is not None and form["hub.mode"] == "subscribe":
            query["hub.lease_seconds"] = self.lease_seconds
        joint = "&" if "?" in form["hub.callback"] else "?"
        self.verifications.append(_request("GET", f"{form['hub.callback']}{joint}{urlencode(query)}"))


def _request(method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Said:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=400)
    try:
        connection.request(method, f"{address.path}?{address.query}", body or None, dict(headers or {}))
        answer = connection.getresponse()
        return Said(answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()})
    finally:
        connection.close()
