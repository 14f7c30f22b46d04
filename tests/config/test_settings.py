from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aggregator import config
from aggregator.config import Settings
from aggregator.config.types import size
from aggregator.curate.embeddings import find_encoder
from aggregator.errors import ConfigError
from aggregator.model import OwnFeed, Subscription, duration, duration_text

SOURCE = '[[sources]]\nurl = "http://127.0.0.1:9/feed"\n'
SHIPPED = Path(__file__).parents[2] / "config.toml"


def problems(text: str) -> list[str]:
    """Every problem with `text`, as ``line: message``."""
    with pytest.raises(ConfigError) as caught:
        config.parse(text)
    return [str(problem).removeprefix("config.toml:") for problem in caught.value.problems]


def warnings(text: str) -> list[str]:
    return [problem.message for problem in config.parse(text).warnings]


def test_everything_but_the_sources_has_the_documented_default() -> None:
    settings = config.parse(SOURCE)
    assert settings.site.title == "The Daily Aggregate"
    assert settings.site.timezone == ZoneInfo("UTC")
    assert settings.site.like_label == "veryGood!"
    assert settings.server.address == ("127.0.0.1", 8080)
    assert settings.store.url == "sqlite:aggregator.db"
    assert settings.polling.min_interval == timedelta(minutes=30)
    assert settings.polling.max_interval == timedelta(hours=6)
    assert (settings.polling.concurrency, settings.polling.per_host) == (64, 1)
    assert settings.polling.max_size == 10_000_000
    assert settings.polling.allow_private_addresses == ()
    assert settings.ranking.windows == ("1h", "1d", "7d", "30d")
    assert list(settings.ranking.lengths.values()) == [timedelta(hours=1), *map(timedelta, (1, 7, 30))]
    assert (settings.ranking.window, settings.ranking.size, settings.related.size) == ("1d", 8, 10)
    assert (settings.recommendation.size, settings.recommendation.max_per_source) == (8, 2)
    assert settings.stories.window == timedelta(hours=48)
    assert (settings.stories.similarity, settings.stories.duplicate) == (0.25, 0.65)
    assert settings.publish.formats == ("atom", "rss", "json")
    assert (settings.publish.content, settings.publish.items, settings.publish.hub) == ("summary", 50, "")
    assert settings.retention.items == timedelta(days=90)
    assert (settings.backup.every, settings.backup.keep) == (timedelta(days=1), 7)
    assert settings.followed() == (Subscription(url="http://127.0.0.1:9/feed"),)
    assert settings.sections == ("News",)


def test_the_shipped_file_is_valid_and_says_the_defaults() -> None:
    shipped, bare = config.load(SHIPPED), config.parse(SOURCE)
    tables = set(type(bare).model_fields) - {"sources", "rules", "feeds", "path", "warnings"}
    assert {name: getattr(shipped, name) for name in tables} == {name: getattr(bare, name) for name in tables}
    assert shipped.sections == ("World", "Technology", "Science", "Business", "Culture")
    assert 20 <= len(shipped.sources) <= 25
    assert [problem.key for problem in shipped.warnings] == ["site.contact"]


def test_every_key_is_in_the_shipped_file() -> None:
    text = SHIPPED.read_text("utf-8")
    for name in set(Settings.model_fields) - {"path", "warnings"}:
        assert f"[{name}]" in text
    for key in ("sections", "name", "interval", "weight", "enabled", "full_text", "role", "in_latest", "history"):
        assert f"\n#   {key} " in text


def test_values_arrive_in_the_types_the_program_uses() -> None:
    settings = config.parse(
        """
        [site]
        url = "https://news.example/all/"
        timezone = "Europe/London"
        language = "pt-BR"
        [server]
        listen = "[::1]:0"
        trusted_proxies = ["127.0.0.1", "10.1.2.3/8"]
        [polling]
        max_size = "512KiB"
        timeout = "1m30s"
        [retention]
        items = "never"
        [publish]
        hub = "self"
        [[sources]]
        url = "https://a.example/feed"
        section = "Arts"
        interval = "1h"
        weight = 2
        role = "signal"
        in_latest = false
        [[sources]]
        url = "https://b.example/feed"
        section = "World"
        name = "B"
        [[rules]]
        match = 'title ~ "x"'
        action = "section:Deep"
        [[feeds]]
        name = "own"
        order = "ranking"
        """
    )
    assert settings.site.url == "https://news.example/all"
    assert settings.site.timezone.key == "Europe/London"
    assert settings.site.language == "pt-br"
    assert settings.server.address == ("::1", 0)
    assert settings.server.trusted_proxies == ("127.0.0.1/32", "10.0.0.0/8")
    assert settings.polling.max_size == 512 * 1024
    assert settings.polling.timeout == timedelta(seconds=90)
    assert settings.retention.items is None
    assert settings.followed()[0] == Subscription(
        url="https://a.example/feed",
        section="Arts",
        interval=timedelta(hours=1),
        weight=2.0,
        role="signal",
        in_latest=False,
    )
    assert settings.sections == ("World", "Deep")  # a signal source shows nothing
    assert settings.rules_compiled()[0].action.section == "Deep"
    assert settings.own_feeds() == (OwnFeed(name="own", title="own", order="ranking:1d"),)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        config.parse(SOURCE).site.title = "other"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[site]\ntitel = 1", "2: unknown key 'titel' in [site]; did you mean 'title'?"),
        ("[polling]\nmax_sise = '1MB'", "2: unknown key 'max_sise' in [polling]; did you mean 'max_size'?"),
        ("[site]\nmax_size = '1MB'", "2: unknown key 'max_size' in [site]; it belongs into [polling]"),
        ("[related]\nzzz = 1", "2: unknown key 'zzz' in [related]; valid keys: size"),
        (
            "[stories]\nwindow = 48",
            '2: stories.window: 48 is not a duration: write it with its unit, e.g. "48s" or "48m"',
        ),
        ("[stories]\nwindow = '5m'", "2: stories.window: must be between 1h and 14d"),
        ("[stories]\nwindow = '30d'", "2: stories.window: must be between 1h and 14d"),
        ("[stories]\nsimilarity = 0.05", "2: stories.similarity: 0.05: should be greater than or equal to 0.1"),
        ("[stories]\nduplicate = 65", "2: stories.duplicate: 65: should be less than or equal to 1"),
        ("[stories]\nduplicates = 0.7", "2: unknown key 'duplicates' in [stories]; did you mean 'duplicate'?"),
        ("[poling]\ntimeout = '1s'", "1: unknown table or key 'poling'; did you mean [polling]?"),
        ("timeout = '1s'", "1: unknown table or key 'timeout'; it belongs into [polling]"),
        (SOURCE + "sektion = 'x'", "3: unknown key 'sektion' in [[sources]]; did you mean 'section'?"),
        ("[[source]]\nurl = 'x'", "1: unknown table or key 'source'; did you mean [[sources]]?"),
        (
            "[sources]\nurl = 'https://a.example'",
            "1: 'sources' is a list of tables: write [[sources]], with two brackets",
        ),
        ("[[site]]\ntitle = 'x'", "1: 'site' is a table: write [site], with one bracket"),
        ("[[sources]]\nsection = 'x'", "1: [[sources]] needs a key 'url'"),
        ("[[rules]]\naction = 'drop'", "1: [[rules]] needs a key 'match'"),
        ("[site]\ntitle = 3", '2: site.title: 3 must be text in quotes, e.g. "…"'),
        ("[site]\ntitle = ''", "2: site.title: must not be empty"),
        ("[site]\ntimezone = 'Mars'", "2: site.timezone: 'Mars' is not a time zone"),
        ("[site]\ntimezone = 'Europe/Berln'", "did you mean 'Europe/Berlin'?"),
        ("[site]\nurl = 'news.example'", "did you mean 'https://news.example'?"),
        ("[site]\nurl = 'https://a.example/?x'", "must not have a query"),
        ("[site]\nlanguage = 'english!'", "2: site.language:"),
        ("[site]\ncontact = 'ich@münchen'", "plain ASCII"),
        ("[server]\nlisten = '8080'", "write host:port"),
        ("[server]\nlisten = 'a:99999'", "write host:port"),
        ("[server]\ntrusted_proxies = ['localhost']", '2: server.trusted_proxies[0]: "localhost" is not a network'),
        ("[store]\nurl = 'mysql:x'", "sqlite:PATH and postgresql://HOST/DATABASE are known"),
        ("[polling]\ntimeout = 30", '2: polling.timeout: 30 is not a duration: write it with its unit, e.g. "30s"'),
        ("[polling]\ntimeout = '1q'", '"1q" is not a duration'),
        ("[polling]\ntimeout = '1h'", "between 50ms and 10m"),
        ("[polling]\nmax_size = '10XB'", '"10XB" is not a size'),
        ("[polling]\nmax_size = 10", "greater than or equal to 1000"),
        ("[polling]\nconcurrency = 1.5", "1.5 must be a whole number"),
        ("[polling]\nconcurrency = true", "true must be a whole number"),
        ("[polling]\nper_host = 0", "greater than or equal to 1"),
        ("[polling]\nmin_interval = '9h'", "min_interval (9h) is longer than max_interval (6h)"),
        ("[polling]\nallow_private_addresses = '10.0.0.0/8'", 'must be a list, e.g. ["…"]'),
        ("[ranking]\nwindow = '2d'", '2: ranking.window: "2d" is not one of ranking.windows (1h, 1d, 7d, 30d)'),
        ("[ranking]\nwindows = ['1h']", '2: ranking.window: "1d" is not one of ranking.windows (1h)'),
        ("[ranking]\nwindows = ['1d',\n\n'61d']", "4: ranking.windows[1]:"),
        ("[ranking]\nwindows = ['1d', '1h30m']", "write one number and one unit"),
        ("[ranking]\nwindows = ['1d', '1d']", "twice"),
        ("[ranking]\nwindows = []", "2: ranking.windows"),
        (
            "[publish]\nformats = ['atm']",
            '2: publish.formats[0]: "atm" must be "atom" or "rss" or "json"; did you mean \'atom\'?',
        ),
        ("[publish]\ncontent = 'ful'", "did you mean 'full'?"),
        ("[publish]\nhub = 'me'", "not an http or https address"),
        ("[retention]\nitems = '3h'", 'at least a day, or "never"'),
        ("[backup]\nevery = '1s'", "at least a minute"),
        ("[[sources]]\nurl = 'ftp://a.example'", "not an http or https address"),
        ("[[sources]]\nurl = 'feed://a.example/x'", "did you mean 'https://a.example/x'?"),
        ("[[sources]]\nurl = 'https://a b.example'", "contains blanks"),
        ("[[sources]]\nurl = 'https://'", "not an http or https address"),
        ("[[sources]]\nurl = 'https://a.example:99999/'", "is not an address"),
        ("[[sources]]\nurl = 'https://[::1/'", "is not an address"),
        (SOURCE + "full_text = 'fech'", "3: sources[0].full_text: 'fech' is not"),
        (SOURCE + "full_text = 'fetched'", "did you mean 'fetch'?"),
        (SOURCE + "full_text = 2", '3: sources[0].full_text: 2 is not "feed" (or true), "fetch" or false'),
        (SOURCE + "fulltext = true", "3: unknown key 'fulltext' in [[sources]]; did you mean 'full_text'?"),
        (SOURCE + "in_latest = 'no'", '3: sources[0].in_latest: "no" must be true or false'),
        (SOURCE + "in_lastest = false", "3: unknown key 'in_lastest' in [[sources]]; did you mean 'in_latest'?"),
        (SOURCE + "enabled = 'yes'", '3: sources[0].enabled: "yes" must be true or false'),
        (SOURCE + "role = 'signals'", "did you mean 'signal'?"),
        (SOURCE + "weight = 0", "greater than 0"),
        (SOURCE + "interval = '0s'", "between 1s and 365d"),
        (
            "[[rules]]\nmatch = 'titel ~ \"x\"'\naction = 'drop'",
            "2: rules[0].match: unknown field 'titel': did you mean 'title'?",
        ),
        ("[[rules]]\nmatch = 'title ~ \"(\"'\naction = 'drop'", "not a regular expression"),
        (
            "[[rules]]\nmatch = 'title ~ \"x\"'\naction = 'drip'",
            "3: rules[0].action: 'drip' is not an action: did you mean 'drop'?",
        ),
        ("[[feeds]]\nname = 'Ä'", "2: feeds[0].name:"),
        ("[[feeds]]\nname = 'latest'", "the site has anyway"),
        ("[[feeds]]\nname = 'ranking-1d'", "the site has anyway"),
        ("[[feeds]]\nname = 'a'\norder = 'best'", '3: feeds[0].order: "best" is not an order'),
        ("[[feeds]]\nname = 'a'\norder = 'latest:1d'", "is not an order"),
        ("[[feeds]]\nname = 'a'\norder = 'ranking:2d'", '3: feeds[0].order: "ranking:2d": "2d" is not one of'),
        ("[[feeds]]\nname = 'a'\nmatch = 'title'", "3: feeds[0].match:"),
        ("[[feeds]]\nname = 'a'\n[[feeds]]\nname = 'a'", '4: a feed named "a" exists already (line 2)'),
    ],
)
def test_a_mistake_is_named_with_its_line_and_the_way_out(text: str, expected: str) -> None:
    found = problems(text)
    assert len(found) == 1, found
    assert expected in found[0]


@pytest.mark.parametrize(
    ("again", "is_duplicate"),
    [
        ("http://127.0.0.1:9/feed", True),
        ("http://127.0.0.1:9/feed/", True),
        ("https://127.0.0.1:9/feed", True),
        ("http://127.0.0.1:9/Feed", False),
        ("http://127.0.0.1:9/feed?a=1", False),
        ("http://127.0.0.1:8/feed", False),
    ],
)
def test_the_same_feed_written_twice(again: str, is_duplicate: bool) -> None:
    text = f'{SOURCE}\n[[sources]]\nurl = "{again}"\n'
    if is_duplicate:
        (found,) = problems(text)
        assert found.startswith(f'5: "{again}" is already followed')
        assert "(line 2)" in found
    else:
        assert len(config.parse(text).sources) == 2


def test_sections_that_would_share_an_address() -> None:
    text = '[[sources]]\nurl = "http://a.example"\nsection = "Big News"\n'
    (found,) = problems(text + text.replace("//a", "//b").replace("Big News", "big-news"))
    assert (
        found
        == '6: section "big-news" would have the same address as "Big News" (line 3); write both alike, or rename one'
    )


SEVERAL = '[[sources]]\nurl = "https://a.example/feed"\n'


def test_a_source_in_several_sections() -> None:
    settings = config.parse(
        f'{SEVERAL}sections = ["World", "Europe"]\n[[rules]]\nmatch = \'section = "Europe"\'\naction = "keep"'
    )
    assert settings.sections == ("World", "Europe")
    (source,) = settings.followed()
    assert (source.section, source.more_sections) == ("World", ("Europe",))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ('section = "World"\nsections = ["Europe"]', "section or sections, not both"),
        ('sections = ["World", "Europe", "World"]', "stands in the list twice"),
        ('sections = ["World", ""]', "sources[0].sections[1]: must not be empty"),
        ('sections = "World"', "must be a list"),
        ('sections = ["World", "WORLD"]', "would have the same address"),
    ],
)
def test_sections_that_cannot_be(keys: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(expected)):
        config.parse(SEVERAL + keys)


@pytest.mark.parametrize(("one", "other"), [("कला", "कली"), ("ఆటలు", "ఆటల"), ("🎮", "🎵"), ("Мир", "Мир!?й")])
def test_sections_with_different_addresses_are_no_problem(one: str, other: str) -> None:
    text = f'[[sources]]\nurl = "http://a.example"\nsection = "{one}"\n'
    assert config.parse(text + text.replace("//a", "//b").replace(one, other)).sections == (one, other)


def test_rules_spell_sections_as_the_sources_do() -> None:
    text = SOURCE + "section = 'World'\n[[rules]]\nmatch = 'title = \"x\"'\naction = 'section:world'\n"
    assert problems(text) == [
        '6: section "world" would have the same address as "World" (line 3); write both alike, or rename one'
    ]


NAMED = SOURCE + 'section = "World"\nname = "Feed A"\n'


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ('section = "Wrold"', '6: there is no section "Wrold", so this never matches: did you mean "World"?'),
        ('source != "Feed Z"', 'there is no source "Feed Z", so this never matches: did you mean "Feed A"?'),
        ('title ~ "x" and feed = "http://127.0.0.1:9/f?key=secret"', "among the [[sources]], so this never matches"),
    ],
)
def test_a_rule_about_what_does_not_exist_is_an_error(match: str, expected: str) -> None:
    (found,) = problems(f"{NAMED}[[rules]]\nmatch = '{match}'\naction = 'drop'\n")
    assert expected in found
    assert "secret" not in found


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (NAMED, 'section = "world" and source = "FEED A"'),
        (NAMED, 'section ~ "Wrold"'),
        (SOURCE, 'source = "Its own title"'),
        (SOURCE, 'section = "News"'),
        (NAMED + "[[subscriptions]]\nopml = 'https://a.example/l.opml'\n", 'section = "A folder of that list"'),
        ("", 'section = "World"'),
    ],
)
def test_what_may_exist_is_none(text: str, match: str) -> None:
    assert len(config.parse(f"{text}[[rules]]\nmatch = '{match}'\naction = 'drop'\n").rules) == 1


@pytest.mark.parametrize(
    ("until", "ends"),
    [
        ("2026-12-31", datetime(2026, 12, 31, 23, tzinfo=UTC)),
        ("2026-12-31T12:00:00", datetime(2026, 12, 31, 11, tzinfo=UTC)),
        ("2026-12-31T12:00:00Z", datetime(2026, 12, 31, 12, tzinfo=UTC)),
    ],
)
def test_a_rule_ends_in_the_time_zone_of_the_site(until: str, ends: datetime) -> None:
    rule_table = f"[[rules]]\nmatch = 'title ~ \"x\"'\naction = 'drop'\nuntil = {until}\n"
    (rule,) = config.parse(f"[site]\ntimezone = 'Europe/Berlin'\n{rule_table}").rules_compiled()
    assert rule.until == ends


@pytest.mark.parametrize(
    ("written", "expected"), [("true", "feed"), ("false", ""), ('"feed"', "feed"), ('"fetch"', "fetch")]
)
def test_whose_text_is_shown_in_full(written: str, expected: str) -> None:
    settings = config.parse(f"{SOURCE}full_text = {written}\n")
    assert settings.sources[0].full_text == expected
    assert settings.followed()[0].full_text is bool(expected)


def test_articles_need_an_extractor(monkeypatch: pytest.MonkeyPatch) -> None:
    text = f'{SOURCE}full_text = "fetch"\n'
    assert not any("fulltext" in warning for warning in warnings(text))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    (problem,) = [one for one in config.parse(text).warnings if "full_text" in str(one.key)]
    assert 'pip install "feed-aggregator[fulltext]"' in problem.message
    assert problem.line == 3


def test_a_slow_pattern_is_warned_of() -> None:
    text = SOURCE + "[[rules]]\nmatch = 'title ~ \"(a+)+$\"'\naction = 'drop'\n"
    assert any("(a+)+$ can take too long" in warning for warning in warnings(text))


_VALUES = [
    "1",
    "-1",
    "1.5",
    "true",
    '"x"',
    "[]",
    "{}",
    '["a"]',
    "[1]",
    "[[]]",
    "{a=1}",
    "[{a=1}]",
    "nan",
    '""',
    "1979-05-27",
]
_LINES = [
    "[site]",
    "[[site]]",
    "[sources]",
    "[[sources]]",
    "[[rules]]",
    "[[feeds]]",
    "[sources.x]",
    "a.b = 1",
    '"é" = 2',
]
_KEYS = [
    "title",
    "url",
    "section",
    "timezone",
    "windows",
    "window",
    "match",
    "action",
    "order",
    "name",
    "size",
    "formats",
]


@given(
    st.lists(st.sampled_from(_LINES) | st.builds("{} = {}".format, st.sampled_from(_KEYS), st.sampled_from(_VALUES)))
)
def test_any_file_is_either_valid_or_says_on_which_lines_it_is_not(lines: list[str]) -> None:
    try:
        config.parse("\n".join(["[polling]", "timeout = '1s'", *lines]))
    except ConfigError as error:
        at = [problem.line or 0 for problem in error.problems]
        assert at == sorted(at)
        assert all(1 <= line <= len(lines) + 2 for line in at)


def test_all_problems_are_reported_at_once_in_the_order_of_the_file() -> None:
    found = problems(
        '[site]\ntitel = "x"\n[polling]\ntimeout = 1\n[ranking]\nwindow = "9d"\n'
        '[[sources]]\nurl = "ftp:x"\n[[sources]]\nurl = "http://a.example"\n[[sources]]\nurl = "http://a.example"\n'
        "[[rules]]\nmatch = \"x\"\naction = 'drop'\n"
    )
    assert [line.split(":")[0] for line in found] == ["2", "4", "6", "8", "12", "14"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[site]\ntitle = x", "2: not valid TOML: invalid value in: title = x"),
        ("[site]\n\ntitle 1", "3: not valid TOML: expected '='"),
        ("[site]\ntitle = 'a'\ntitle = 'b'", "3: not valid TOML: cannot overwrite a value"),
        ("[site]\ntitle = '''abc\n", "2: not valid TOML:"),
        ("[site", "1: not valid TOML:"),
        ("", "is empty"),
        ("\n# nothing\n", "is empty"),
    ],
)
def test_what_is_no_toml(text: str, expected: str) -> None:
    (found,) = problems(text)
    assert expected in found


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    cases: dict[str, Callable[[Path], object]] = {
        "cannot be read: No such file": lambda path: None,
        "cannot be read: Is a directory": lambda path: path.mkdir(),
        ":2: is not UTF-8": lambda path: path.write_bytes(b"[site]\ntitle = '\xff'"),
    }
    for at, (words, make) in enumerate(cases.items()):
        path = tmp_path / str(at)
        make(path)
        with pytest.raises(ConfigError, match=words):
            config.load(path)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SOURCE.replace("\n", "\r\n").encode())
    settings = config.load(path)
    assert settings.path == path
    assert settings.base == tmp_path
    path.write_bytes(path.read_bytes() + b"nam = 1\r\n")
    with pytest.raises(ConfigError, match=r"config\.toml:3: unknown key 'nam'"):
        config.load(path)


def test_finding_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    explicit = Path("elsewhere.toml")
    assert config.find(explicit) == explicit
    Path("config.toml").write_text(SOURCE)
    assert config.find() == Path("config.toml")


def test_warnings() -> None:
    assert warnings(SOURCE.replace("127.0.0.1", "feeds.internal")) == []
    assert "nothing is followed" in warnings("[site]\ntitle = 'x'")[0]
    assert "no source is enabled" in warnings(SOURCE + "enabled = false")[0]
    public = "[[sources]]\nurl = 'https://a.example'\n"
    assert "placeholder" in warnings(public)[0]
    polite = "[site]\ncontact = 'me@reader.dev'\n"
    assert warnings(polite + public) == []
    assert "every 5 minutes" in warnings(polite + public + "interval = '1m'")[0]
    assert "may block you" in warnings(polite + "[polling]\nmin_interval = '1m'\n" + public)[0]
    spent = "[polling]\nbudget = 20\n" + polite + public + "interval = '1h'"
    assert "they are 24 requests a day" in warnings(spent)[0]
    assert warnings(spent.replace("= 20", "= 24")) == []
    assert "their links will fail" in warnings("[server]\nlisten = '0.0.0.0:80'\n" + SOURCE)[0]


@pytest.mark.parametrize(
    ("contact", "is_real"),
    [
        ("https://example.org/about", False),
        ("HTTP://WWW.Example.COM", False),
        ("me@example.net", False),
        ("mailto:me@news.example", False),
        ("https://reader.invalid:8080/x", False),
        ("http://localhost/", False),
        ("https://examples.org/about", True),
        ("https://reader.dev/example.org", True),
        ("me@example.org.uk", True),
        ("me@reader.dev", True),
        ("https://user@reader.dev:8443/?a=b", True),
    ],
)
def test_a_contact_that_is_nobodys_is_told_from_a_real_one(contact: str, is_real: bool) -> None:
    site = config.parse(f"[site]\ncontact = '{contact}'\n" + SOURCE).site
    assert site.reached_at == (contact if is_real else "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10MB", 10_000_000),
        ("1 GB", 10**9),
        ("512KiB", 524_288),
        ("1.5k", 1_500),
        ("7", 7),
        ("7b", 7),
        ("2mib", 2 * 2**20),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", timedelta(seconds=30)),
        ("1h30m", timedelta(minutes=90)),
        (" 2 D ", timedelta(days=2)),
        ("1w", timedelta(days=7)),
        ("250ms", timedelta(milliseconds=250)),
        ("1.5h", timedelta(minutes=90)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize("text", ["", "5", "s", "-1s", "1q", "1h and 2m", "1e3s", "never", "999999999w"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        duration(text)


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=30_000)))
def test_durations_come_back_as_they_went(length: timedelta) -> None:
    whole = timedelta(milliseconds=length // timedelta(milliseconds=1))
    assert duration(duration_text(whole)) == whole


def test_sentence_vectors_that_are_not_installed_are_asked_for_in_vain() -> None:
    asked = SOURCE.replace("[[sources]]", "[related]\nvectors = true\n\n[[sources]]", 1)
    assert config.parse(asked).related.vectors
    assert not config.parse(SOURCE).related.vectors
    found = [message for message in warnings(asked) if "feed-aggregator[vectors]" in message]
    assert bool(found) == (find_encoder() is None)


def digest_problems(feed: str, mail: str = "") -> list[str]:
    text = f'[[sources]]\nurl = "https://example.org/feed.xml"\n{mail}\n[[feeds]]\nname = "m"\n{feed}\n'
    with pytest.raises(ConfigError) as caught:
        config.parse(text)
    return [str(problem) for problem in caught.value.problems]


MAIL = '[mail]\nserver = "smtp.example.org"\nfrom = "a@example.org"'


@pytest.mark.parametrize(
    ("feed", "mail", "line", "words"),
    [
        ('every = "12h"', "", 6, "whole days"),
        ('every = "40d"', "", 6, "whole days"),
        ('every = "1d"\nat = "25:00"', "", 7, "not a time of the day"),
        ('every = "1d"\nat = 7', "", 7, "not a time of the day"),
        ('at = "07:00"', "", 4, "only a digest has that"),
        ('every = "1d"\nmail = "zoe@example.org"', "", 7, "[mail] server"),
        ('mail = "zoe@example.org"', MAIL, 6, "only a digest has that"),
        ('every = "1d"\nmail = "zoe@example.org\\nBcc: x@example.org"', MAIL, 9, "not an e-mail address"),
        ('every = "1d"\nnotify = ["topic"]', "", 7, "Apprise"),
        ("", '[mail]\nserver = "smtp.example.org"', 3, "needs a key 'from'"),
        ("", '[mail]\nserver = "127.0.0.1:2525"\nfrom = "a@b.example"', 3, "the port has a key of its own"),
        ("", MAIL + '\nuser = "u"', 3, "belong together"),
        ("", MAIL + '\nform = "x"', 6, "did you mean 'from'"),
        ("", MAIL + '\nuser = "u"\npassword_file = "nowhere"', 7, "nowhere cannot be read"),
        ("", MAIL + '\nuser = "u"\npassword_file = "pyproject.toml"\ntls = "none"', 3, "in the clear"),
    ],
)
def test_a_digest_that_cannot_be_is_an_error_with_its_line(feed: str, mail: str, line: int, words: str) -> None:
    problems = digest_problems(feed, mail)
    assert any(f":{line}:" in problem and words in problem for problem in problems), problems
    assert not any("zoe@example.org" in problem or "topic" in problem.partition("write")[0] for problem in problems)


def test_a_digest_has_its_time_and_keeps_addresses_to_itself() -> None:
    text = f'[[sources]]\nurl = "https://example.org/feed.xml"\n{MAIL}\n[[feeds]]\nname = "m"\nevery = "7d"\n'
    settings = config.parse(text + 'at = 18:30:00\nmail = ["zoe@example.org"]\nnotify = "ntfy://example.org/topic"\n')
    feed = settings.feeds[0]
    assert (feed.mail, feed.notify) == (("zoe@example.org",), ("ntfy://example.org/topic",))
    assert "example.org" not in repr(feed)
    own = settings.own_feeds()[0]
    assert (own.every, own.at) == (timedelta(days=7), time(18, 30))
    assert config.parse(text).own_feeds()[0].at == time(7)
    assert settings.mail.sender == "a@example.org"


def test_notify_without_apprise_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    text = '[[sources]]\nurl = "https://example.org/feed.xml"\n[[feeds]]\nname = "m"\nevery = "1d"\nnotify = "ntfy://h/t"\n'
    warned = [problem for problem in config.parse(text).warnings if "feed-aggregator[notify]" in problem.message]
    assert [problem.line for problem in warned] == [6]
