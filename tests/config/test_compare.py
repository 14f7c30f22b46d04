from __future__ import annotations

from aggregator import config

OLD = """
[server]
listen = "127.0.0.1:8080"
[[sources]]
url = "http://a.example/"
section = "World"
[[sources]]
url = "http://b.example/"
[[rules]]
match = 'title ~ "a"'
action = "drop"
[[rules]]
match = 'title ~ "b"'
action = "drop"
"""


def _changes(*replacements: tuple[str, str]) -> list[str]:
    new = OLD
    for before, after in replacements:
        assert before in new
        new = new.replace(before, after)
    return config.diff(config.parse(OLD), config.parse(new))


def test_nothing_changes() -> None:
    assert _changes() == []


def test_sources() -> None:
    assert _changes(("b.example", "c.example")) == [
        "would add source http://c.example/ (News)",
        "would stop following http://b.example/ (its items stay)",
    ]
    assert _changes(('section = "World"', 'section = "Tech"\ninterval = "90m"\nenabled = false')) == [
        'would change section of http://a.example/ from "World" to "Tech"',
        "would change interval of http://a.example/ from none to 1h30m",
        "would change enabled of http://a.example/ from true to false",
    ]


def test_tables() -> None:
    assert _changes(("[server]", "[polling]\ntimeout = '10s'\n[server]"), ("8080", "8081")) == [
        'would change server.listen from ["127.0.0.1:8080"] to ["127.0.0.1:8081"] (needs a restart)',
        "would change polling.timeout from 30s to 10s",
    ]
    assert _changes(("[server]", "[publish]\nformats = ['atom']\n[server]")) == [
        'would change publish.formats from ["atom", "rss", "json"] to ["atom"]'
    ]


def test_another_path_of_the_site_needs_a_restart_and_another_host_does_not() -> None:
    site = '[site]\nurl = "http://127.0.0.1:8080"\n[server]'
    old = config.parse(OLD.replace("[server]", site))

    def change(url: str) -> list[str]:
        return config.diff(old, config.parse(OLD.replace("[server]", site.replace("http://127.0.0.1:8080", url))))

    assert change("https://news.example") == [
        'would change site.url from "http://127.0.0.1:8080" to "https://news.example"'
    ]
    assert change("https://example.org/news") == [
        'would change site.url from "http://127.0.0.1:8080" to "https://example.org/news" (needs a restart)'
    ]


def test_rules() -> None:
    assert _changes(('title ~ "a"', 'title ~ "x"')) == ["would add 1 rule", "would drop 1 rule"]
    assert _changes(('"a"', '"z"'), ('"b"', '"a"'), ('"z"', '"b"')) == ["would reorder the rules"]


def test_secrets_are_not_told() -> None:
    changes = _changes(("http://b.example/", "https://me:pw@b.example/?token=abc"))
    assert changes[0] == "would add source https://b.example/?token=hidden (News)"
