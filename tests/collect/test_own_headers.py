"""Headers of the operator's own: sent where they belong, and nowhere else."""

from __future__ import annotations

import pytest
from desk import HOUR, Desk
from origin import Answer, Origin, rss

from aggregator.model import Subscription

OWN = {"Cookie": "session=s3cret", "X-Api-Key": "kéy", "User-Agent": "FeedBot/1.0"}
FEED = rss("One")


def sent(origin: Origin, name: str) -> list[str | None]:
    return [request.headers.get(name) for request in origin.requests]


def test_they_are_sent_in_place_of_ours(desk: Desk) -> None:
    desk.own_headers = OWN
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=FEED))))
    desk.once()
    (request,) = desk.origin.requests
    assert request.headers["cookie"] == "session=s3cret"
    assert request.headers["x-api-key"].encode("latin-1").decode() == "kéy"
    assert request.headers["user-agent"] == "FeedBot/1.0"
    assert request.headers["accept"].startswith("application/atom+xml")


def test_no_redirect_takes_them_to_another_origin(desk: Desk) -> None:
    """Another host, another port: neither cookie nor key nor name."""
    desk.own_headers = OWN
    with Origin("127.0.0.2") as other, Origin("127.0.0.1") as port:
        far = port.on("/there", Answer(status=302, headers={"Location": other.on("/feed", Answer(body=FEED))}))
        near = desk.origin.on("/near", Answer(status=302, headers={"Location": far}))
        desk.follow(Subscription(url=desk.origin.on("/feed", Answer(status=302, headers={"Location": near}))))
        desk.once()
        assert sent(desk.origin, "cookie") == ["session=s3cret"] * 2, "within the origin they stay"
        for origin in (other, port):
            assert sent(origin, "cookie") == sent(origin, "x-api-key") == [None]
            assert "FeedBot" not in str(sent(origin, "user-agent"))


def test_a_source_that_has_moved_for_good_does_not_take_them_along(desk: Desk) -> None:
    """They were written for the address in config.toml, not for where a server of the web says that it leads."""
    desk.own_headers = OWN
    with Origin("127.0.0.2") as other:
        target = other.on("/feed", Answer(body=FEED))
        moved = Answer(status=301, headers={"Location": target})
        desk.follow(Subscription(url=desk.origin.on("/feed", moved), interval=24 * HOUR))
        for _ in range(9):
            desk.skip_to(desk.once())
        asked = len(desk.origin.requests)
        desk.once()
        assert len(desk.origin.requests) == asked, "it has been adopted"
        assert set(sent(other, "cookie")) == {None}


@pytest.mark.parametrize("cookie", [None, "a=1"])
def test_a_cookie_of_the_chain_stands_beside_ones_own(desk: Desk, cookie: str | None) -> None:
    desk.own_headers = {"Cookie": cookie} if cookie else {"X-Other": "1"}
    again = Answer(status=302, headers={"Location": "/feed", "Set-Cookie": "seen=yes; Path=/"})
    desk.follow(Subscription(url=desk.origin.on("/feed", again, Answer(body=FEED))))
    desk.once()
    assert sent(desk.origin, "cookie") == [cookie, f"{cookie}; seen=yes" if cookie else "seen=yes"]
