"""Own headers of a source, lists that are followed, archives: the keys, and that nothing of a secret is shown."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aggregator.config import parse
from aggregator.errors import ConfigError

SOURCE = '[[sources]]\nurl = "https://a.example/feed"\n'
SECRET = "s3cr3t-value"


def test_headers_cookie_and_user_agent() -> None:
    text = SOURCE + f'headers = {{"X-Key" = "{SECRET}", cookie = "old"}}\ncookie = "a=b"\nuser_agent = "Me/1"\n'
    (source,) = parse(text).sources
    assert source.own_headers == {"X-Key": SECRET, "Cookie": "a=b", "User-Agent": "Me/1"}
    assert SECRET not in repr(source)
    assert "a=b" not in repr(source)
    assert parse(SOURCE).sources[0].own_headers == {}


@pytest.mark.parametrize(
    "line",
    [
        f'headers = {{Host = "{SECRET}"}}',
        f'headers = {{"If-None-Match" = "{SECRET}"}}',
        f'headers = {{"Proxy-Authorization" = "{SECRET}"}}',
        f'headers = {{"two words" = "{SECRET}"}}',
        f'headers = {{"" = "{SECRET}"}}',
        f'headers = {{Key = "{SECRET}\\r\\nX-Injected: 1"}}',
        f'headers = {{Key = "{SECRET}", key = "{SECRET}"}}',
        'headers = {Key = ""}',
        f'cookie = "{SECRET}\\u0000"',
        f'user_agent = "{SECRET}\\n"' if False else f'user_agent = "{SECRET}\\u0007x"',
        f'headers = "{SECRET}"',
        "headers = {Key = 5}",
    ],
)
def test_what_cannot_be_sent_is_refused_without_being_shown(line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(SOURCE + line + "\n")
    assert SECRET not in str(refused.value)
    assert "config.toml:3" in str(refused.value)


def test_lists_and_archives() -> None:
    text = SOURCE + 'history = "1y"\n[[subscriptions]]\nopml = "https://b.example/x.opml"\nsection = "B"\n'
    settings = parse(text)
    assert settings.sources[0].history == timedelta(days=365)
    assert [(one.opml, one.section, one.enabled) for one in settings.subscriptions] == [
        ("https://b.example/x.opml", "B", True)
    ]
    with pytest.raises(ConfigError, match="opml"):
        parse('[[subscriptions]]\nopml = "b.example"\n')
    with pytest.raises(ConfigError, match="section"):
        parse('[[subscriptions]]\nopml = "https://b.example/"\nsektion = "B"\n')


def test_a_list_alone_is_something_to_follow() -> None:
    assert not any(
        "followed" in one.message for one in parse('[[subscriptions]]\nopml = "https://b.example/"\n').warnings
    )
