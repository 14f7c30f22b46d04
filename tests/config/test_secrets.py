"""Addresses with secrets: read from elsewhere, and never echoed."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator import config
from aggregator.config import Settings
from aggregator.errors import ConfigError, NotFound
from aggregator.model.redact import public_url, redact

SECRET = "s3cr3t"


def parse(text: str, base: Path, **environ: str) -> Settings:
    return config.parse(text, path=base / "config.toml", environ=environ)


def source(key: str, value: str) -> str:
    return f'[[sources]]\n{key} = "{value}"\n'


def test_an_address_is_read_from_a_file_a_credential_or_the_environment(tmp_path: Path) -> None:
    address = f"https://a.example/private/{SECRET}/feed.xml"
    (tmp_path / "work.url").write_text(f"\n {address}\n# ours\n")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "work").write_text(address)
    for text, environ in (
        (source("url_file", "work.url"), {}),
        (source("url_file", str(tmp_path / "work.url")), {}),
        (source("url_file", "work"), {"CREDENTIALS_DIRECTORY": str(credentials)}),
        (source("url", "https://a.example/private/${WORK}/feed.xml"), {"WORK": SECRET}),
    ):
        [one] = parse(text, tmp_path, **environ).followed()
        assert one.url == f"{address}#private"
        assert public_url(one.url) == "https://a.example/hidden"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (source("url_file", "missing"), "missing cannot be read: No such file or directory"),
        (source("url_file", "folder"), "folder cannot be read: Is a directory"),
        (source("url_file", "bad.url"), "the content of bad.url is not an http or https address"),
        (source("url_file", "latin1.url"), "is not UTF-8"),
        (source("url_file", "work.url") + 'url = "https://a.example/"\n', "give one of the two"),
        (source("url", "https://a.example/${NOT_SET}"), "the environment variable NOT_SET is not set"),
        (source("url", "https://a.example/${}"), "the environment variable ${} is not set"),
        (source("url", "${SCHEME}://a.example/"), "is not an http or https address"),
        (source("url_file", "") + "weigth = 1\n", "did you mean 'weight'?"),
    ],
)
def test_what_is_wrong_is_said_without_the_secret(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "bad.url").write_text(f"ftp://me:{SECRET}@a.example/")
    (tmp_path / "work.url").write_text("https://a.example/")
    (tmp_path / "latin1.url").write_bytes(b"https://a.example/\xe4")
    with pytest.raises(ConfigError) as caught:
        parse(text, tmp_path, SCHEME=SECRET)
    assert says in str(caught.value)
    assert "config.toml:" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f'[[sources]]\nurl = "https://me:{SECRET}@a.example/x y"\n',
        f'[[sources]]\nurl = "https://me:{SECRET} {SECRET}@a.example/"\n',
        f'[[sources]]\nurl = "me:{SECRET}@a.example/feed"\n',
        f'[[sources]]\nurl = "ftp://me:{SECRET}@a.example/"\n',
        f'[[sources]]\nurl = "https://a.example:99999/?api_key={SECRET}"\n',
        f'[[sources]]\nurl = "https://me:{SECRET}@a.example/\n',
        f"[[sources]]\nurl = https://a.example/?token={SECRET}\n",
        f'[[sources]]\nurl = "https://me:{SECRET}@a.example/"\n' * 2,
        f'[[sources]]\nurl = ["https://me:{SECRET}@a.example/"]\n',
        f'[site]\nurl = "https://me:{SECRET}@a.example/?x"\n',
        f'[store]\nurl = "mysql://me:{SECRET}@a.example/db"\n',
        f'[publish]\nhub = "ftp://me:{SECRET}@a.example/"\n',
    ],
)
def test_no_error_quotes_a_secret(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, tmp_path)
    assert SECRET not in str(caught.value)


def test_no_difference_quotes_a_secret(tmp_path: Path) -> None:
    old = parse(source("url", f"https://me:{SECRET}@a.example/"), tmp_path)
    new = parse(source("url", f"https://a.example/?sig={SECRET}") + '[site]\ntitle = "x"\n', tmp_path)
    changes = config.diff(old, new)
    assert len(changes) == 3
    assert SECRET not in str(changes)
    with pytest.raises(NotFound) as caught:
        config.find_source(new, "https://a.example/?sig=other")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://me:{SECRET}@a.example/f?x=1", "https://a.example/f?x=1"),
        (f"https://a.example/f?x=1&feed_token={SECRET};ApiKey={SECRET}", "https://a.example/f?x=1&feed_token=hidden;ApiKey=hidden"),
        (f"https://a.example/f?%74oken={SECRET}", "https://a.example/f?%74oken=hidden"),
        ("https://a.example/f?feed=0123456789abcdef0123456789ABCDEF&user=me", "https://a.example/f?feed=hidden&user=me"),
        ("https://a.example/f?0123456789abcdef0123456789abcdef", "https://a.example/f?hidden"),
        (f"https://a.example/{SECRET}/f?x={SECRET}#private", "https://a.example/hidden"),
        (f"https://a.example/f#access_token={SECRET}", "https://a.example/f#hidden"),
        ("https://a.example/videos.xml?channel_id=UC0123456789abcdefghijkl&author=x", None),
        ("https://a.example/podcast/01234567-89ab-cdef-0123-456789abcdef/feed.xml", None),
    ],
)  # fmt: skip
def test_public_addresses(url: str, shown: str | None) -> None:
    assert public_url(url) == (shown or url)
    assert redact(f'see "{url}" there') == f'see "{shown or url}" there'


def test_mail_addresses_are_no_secrets() -> None:
    assert redact("contact = mailto:me@reader.dev, me@reader.dev") == "contact = mailto:me@reader.dev, me@reader.dev"


@pytest.mark.parametrize(
    ("host", "warned"),
    [
        ("10.1.2.3", True), ("127.1", True), ("0x7f000001", True), ("2130706433", True), ("[::1]", True),
        ("localhost", True), ("192.0.2.7", True), ("[::ffff:10.0.0.1]", True), ("１２７.0.0.1", True),
        ("9.9.9.9", False), ("[2620:fe::fe]", False), ("a.example", False), ("abc", False),
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_warned_of(tmp_path: Path, host: str, warned: bool) -> None:
    settings = parse(source("url", f"http://{host}/feed") + '[site]\ncontact = "me@reader.dev"\n', tmp_path)
    found = [one.message for one in settings.warnings if "allow_private_addresses" in one.message]
    assert bool(found) == warned
    if warned:
        network = found[0].split('"')[1]
        allowed = f'[polling]\nallow_private_addresses = ["{network}"]\n[site]\ncontact = "me@reader.dev"\n'
        assert parse(source("url", f"http://{host}/feed") + allowed, tmp_path).warnings == ()
