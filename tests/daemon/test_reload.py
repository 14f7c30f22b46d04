"""What a reload takes over, and what it leaves until the next start."""

from __future__ import annotations

import pytest

from aggregator import config
from aggregator.daemon.reload import keep_fixed


def settings(url: str, listen: str = "127.0.0.1:8080") -> config.Settings:
    return config.parse(
        f'[site]\ntitle = "T {url}"\nurl = "{url}"\n[server]\nlisten = "{listen}"\n[[sources]]\nurl = "http://a.example/"\n'
    )


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("http://a.example", "https://b.example", "https://b.example"),
        ("http://a.example", "http://a.example/", "http://a.example"),
        ("http://a.example/news", "https://b.example/news", "https://b.example/news"),
        ("http://a.example", "http://a.example/news", "http://a.example"),
        ("http://a.example/news", "http://a.example/papers", "http://a.example/news"),
        ("http://a.example/news", "http://a.example", "http://a.example/news"),
    ],
)
def test_the_path_of_the_site_stays_and_is_told_of(
    before: str, after: str, kept: str, caplog: pytest.LogCaptureFixture
) -> None:
    new = settings(after)
    taken = keep_fixed(settings(before), new)
    assert taken.site.url == kept
    assert taken.site.title == new.site.title
    assert ("path in [site] url" in caplog.text) == (kept != new.site.url)


def test_the_addresses_that_are_listened_on_stay(caplog: pytest.LogCaptureFixture) -> None:
    old = settings("http://a.example")
    assert keep_fixed(old, settings("http://a.example", "127.0.0.1:8081")).server.listen == old.server.listen
    assert "[server] listen" in caplog.text
