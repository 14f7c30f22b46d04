from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.curate.rules import (
    FIELDS,
    Rule,
    Subject,
    compile_match,
    compile_pattern,
    judge,
    parse_action,
    subject_of_entry,
    verdicts_of_items,
)
from aggregator.curate.rules.expressions import MAX_TIMEOUTS
from aggregator.errors import RuleError
from aggregator.model import ParsedEntry, Source, Subscription, Verdict

NOW = datetime(2026, 12, 1, tzinfo=UTC)
SUBJECT = Subject(
    title="Rates rise again",
    text="The central bank moved on Tuesday. [Sponsored]",
    author="Ana Ortiz",
    category=("Economy", "Banks"),
    url="https://example.org/opinion/rates?x=1",
    source="The Gazette",
    feed="https://example.org/feed.xml",
    section="World",
    language="en-gb",
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('title ~ "^Rates"', True),
        ('title ~ "^rates"', False),
        ('title ~ "(?i)^rates"', True),
        ('title !~ "^Rates"', False),
        ('text ~ "Rates rise"', True),
        ('text ~ "central bank"', True),
        (r'text ~ "\[Sponsored\]"', True),
        (r'title ~ "\brise\b"', True),
        ('author = "ana ortiz"', True),
        ('author == "Ana"', False),
        ('author != "Ana"', True),
        ('author contains "ana"', True),
        ('category = "banks"', True),
        ('category != "banks"', False),
        ('category !~ "^B"', False),
        ('category ~ "^X"', False),
        ('url contains "/opinion/"', True),
        ('source = "The Gazette"', True),
        ('feed contains "feed.xml"', True),
        ('section = "World"', True),
        ('language = "en"', True),
        ('language = "EN-GB"', True),
        ('language = "e"', False),
        ('not section = "World"', False),
        ('NOT section = "World" OR author = "Ana Ortiz"', True),
        ('section = "X" and section = "Y" or section = "World"', True),
        ('section = "World" or section = "X" and section = "Y"', True),
        ('(section = "World" or section = "X") and section = "Y"', False),
        ("title contains 'rates' and not (language = \"de\" or category = 'sport')", True),
        ('not not title contains "rates"', True),
    ],
)
def test_the_language(expression: str, expected: bool) -> None:
    assert compile_match(expression)(SUBJECT) is expected


def test_a_negated_comparison_of_a_field_without_values_is_true() -> None:
    nothing = replace(SUBJECT, category=())
    assert compile_match('category != "x"')(nothing)
    assert not compile_match('category = "x"')(nothing)


def test_quotes_are_escaped_with_a_backslash_and_nothing_else_is() -> None:
    assert compile_match(r'title = "say \"hi\""')(Subject(title='say "hi"'))
    assert compile_match(r"title = 'it\'s'")(Subject(title="it's"))
    assert compile_match(r'title ~ "a\\b"')(Subject(title="a\\b"))


@pytest.mark.parametrize(
    ("expression", "position", "words"),
    [
        ("", 0, "expected a field"),
        ('titel ~ "x"', 0, "did you mean 'title'"),
        ('qqq = "x"', 0, "fields are title"),
        ("title", 5, "operator"),
        ('title is "x"', 6, "operator"),
        ("title ~", 7, "quoted string after title ~"),
        ("title ~ x", 8, "quoted string"),
        ('title ~ "x', 8, "never closed"),
        ('title ~ "x" author = "y"', 12, "'and' or 'or' missing"),
        ('(title ~ "x"', 12, "')' is missing"),
        ('title ~ "x")', 11, "unexpected"),
        ('title ~ "x" and', 15, "expected a field"),
        ('title ~ "a(b"', 12, "regular expression"),
        ('title = "x" & author = "y"', 12, "unexpected '&'"),
        ("not " * 50 + 'title = "x"', 164, "nested deeper"),
        ('title ~ "' + "x" * 2000 + '"', 1009, "characters long"),
        ("(" * 20_000, 10_000, "longer than"),
    ],
)
def test_errors_say_where_and_what(expression: str, position: int, words: str) -> None:
    with pytest.raises(RuleError, match=words.replace("(", r"\(").replace(")", r"\)")) as caught:
        compile_match(expression)
    assert caught.value.position == position


@given(st.text(max_size=60))
def test_any_text_compiles_or_is_a_rule_error(text: str) -> None:
    with suppress(RuleError):
        compile_match(text)(SUBJECT)


_LITERAL = st.sampled_from(["rates", "World", "en", "Banks", "zzz"])
_TERM = st.builds(
    '{} {} "{}"'.format, st.sampled_from(sorted(FIELDS)), st.sampled_from(["=", "contains", "~"]), _LITERAL
)


@given(_TERM, _TERM, _TERM)
def test_the_laws_of_logic_hold(a: str, b: str, c: str) -> None:
    def truth(text: str) -> bool:
        return compile_match(text)(SUBJECT)

    assert truth(f"{a} and ({b} or {c})") == (truth(f"{a} and {b} or {a} and {c}"))
    assert truth(f"not ({a} and {b})") == truth(f"not {a} or not {b}")
    assert truth(f"not not ({c})") == truth(c)


SLOW = ["(a+)+$", "(a*)*$", "(a|a)*$", r"(\w+\s?)*$"]


@pytest.mark.parametrize("pattern", SLOW)
def test_a_pattern_that_takes_too_long_does_not_match_and_is_told_of(
    pattern: str, caplog: pytest.LogCaptureFixture
) -> None:
    unlucky = Subject(title="a" * 2_000 + "!")
    for operator in ("~", "!~"):
        match = compile_match(f'title {operator} "{pattern}"')
        with caplog.at_level("WARNING"):
            assert [match(unlucky) for _ in range(5)] == [False] * 5
        assert len(caplog.records) == MAX_TIMEOUTS, "after that it is not tried any more"
        assert caplog.records[0].pattern == pattern  # type: ignore[attr-defined]
        caplog.clear()


@pytest.mark.parametrize("pattern", SLOW)
def test_slow_patterns_are_found_out_beforehand(pattern: str) -> None:
    assert compile_pattern(pattern).is_slow()


@pytest.mark.parametrize(
    "pattern",
    [
        "(?i)sponsored|advertorial",
        "(?i)artificial intelligence|machine learning",
        r"^\s*\[?(ad|promo)\]?\s*:",
        r"foo(?:\s+\w+){0,3}\s+bar",
        r"(?i)\b(best|top)\s+\d+\s+\w+",
        "^.*breaking.*$",
        r"(?:a++)++b",
        r"(?>a+)+b",
        "(ab)*c",
        "(?P<year>20[0-9]{2})(?!\\d)",
        "(a)?(?(1)b|c)",
    ],
)
def test_usual_patterns_are_allowed(pattern: str) -> None:
    assert not compile_pattern(pattern).is_slow()


@pytest.mark.parametrize(
    ("text", "factor", "length", "section"),
    [
        ("keep", 1.0, None, None),
        ("drop", 1.0, None, None),
        ("boost:2", 2.0, None, None),
        ("Boost: 0.5", 0.5, None, None),
        ("pin:12h", 1.0, timedelta(hours=12), None),
        ("section:World News", 1.0, None, "World News"),
        ("section:A:B", 1.0, None, "A:B"),
    ],
)
def test_actions(text: str, factor: float, length: timedelta | None, section: str | None) -> None:
    action = parse_action(text)
    assert (action.factor, action.length, action.section) == (factor, length, section)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("drip", "did you mean 'drop'"),
        ("", "write keep"),
        ("boost", "boost:2"),
        ("boost:", "boost:2"),
        ("boost:x", "factor"),
        ("boost:0", "factor"),
        ("boost:nan", "factor"),
        ("boost:inf", "factor"),
        ("boost:101", "factor"),
        ("pin:soon", "duration"),
        ("pin:0s", "longer than nothing"),
        ("section:", "section:World"),
        ("drop:now", "did you mean 'drop'"),
    ],
)
def test_wrong_actions(text: str, words: str) -> None:
    with pytest.raises(RuleError, match=words):
        parse_action(text)


def _rules(*pairs: tuple[str, str]) -> list[Rule]:
    return [Rule(match_text=text, match=compile_match(text), action=parse_action(action)) for text, action in pairs]


def test_no_rule_no_verdict() -> None:
    assert judge([], SUBJECT, now=NOW) == Verdict()
    assert judge(_rules(('title = "other"', "drop")), SUBJECT, now=NOW) == Verdict()


def test_the_first_match_of_each_kind_of_action_wins() -> None:
    rules = _rules(
        ('section = "World"', "boost:2"),
        ('section = "World"', "boost:3"),
        ('section = "X"', "pin:1h"),
        ('section = "World"', "pin:2h"),
        ('category = "banks"', "section:Money"),
        ('text ~ "(?i)sponsored"', "drop"),
    )
    assert judge(rules, SUBJECT, now=NOW) == Verdict(
        dropped='rule: text ~ "(?i)sponsored"', boost=2.0, pin=timedelta(hours=2), section="Money"
    )


def test_keep_before_drop_saves_and_behind_it_does_not() -> None:
    keep, drop = ('author = "Ana Ortiz"', "keep"), ('text ~ "Sponsored"', "drop")
    assert judge(_rules(keep, drop), SUBJECT, now=NOW).dropped is None
    assert judge(_rules(drop, keep), SUBJECT, now=NOW).dropped is not None


def test_an_entry_is_seen_with_the_section_and_name_of_its_source() -> None:
    subscription = Subscription(url="https://a.example/f", section="Arts", name="A")
    source = Source(id=1, slug="s", subscription=subscription, fetch_url="https://a.example/f")
    entry = ParsedEntry(title="T", text="body", link="https://a.example/1", categories=("x",), language="fr")
    subject = subject_of_entry(source, entry)
    assert subject == Subject(
        title="T",
        text="body",
        url="https://a.example/1",
        category=("x",),
        source="A",
        feed="https://a.example/f",
        section="Arts",
        language="fr",
    )


PAGE = Path(__file__).parents[2] / "docs" / "RULES.md"


def test_the_page_about_rules_describes_the_whole_language() -> None:
    page = PAGE.read_text("utf-8")
    for name in FIELDS:
        assert f"| `{name}` |" in page, name
    for operator in ("~", "!~", "=", "!=", "contains"):
        assert f"`{operator}`" in page, operator
    for kind in ("keep", "drop", "boost", "pin", "section"):
        assert re.search(rf"^\| `{kind}\b", page, flags=re.MULTILINE), kind


def test_the_examples_on_the_page_about_rules_work() -> None:
    page = PAGE.read_text("utf-8")
    (expressions,) = re.findall(r"^```text\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    tables = [
        tomllib.loads(block) for block in re.findall(r"^```toml\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    ]
    rules = [rule for table in tables for rule in table.get("rules", ())]
    feeds = [feed for table in tables for feed in table.get("feeds", ())]
    for expression in [*expressions.splitlines(), *(one["match"] for one in (*rules, *feeds))]:
        compile_match(expression)
    kinds = [parse_action(rule["action"]).kind for rule in rules]
    assert kinds[:3] == ["keep", "drop", "section"]
    assert {"keep", "drop", "boost", "pin", "section"} >= set(kinds)
    assert any("until" in rule for rule in rules)


def test_an_item_goes_by_its_first_entry_that_is_kept() -> None:
    dropped, kept, later = Verdict(dropped="spam"), Verdict(boost=2.0), Verdict(boost=3.0)
    judged = [("a", dropped), ("a", kept), ("a", later), ("b", dropped), ("b", dropped)]
    assert verdicts_of_items(judged) == {"a": kept, "b": dropped}


@pytest.mark.parametrize("moment", [NOW - timedelta(seconds=1), NOW])
def test_a_rule_that_has_ended_says_nothing(moment: datetime) -> None:
    (rule,) = _rules(('title ~ "."', "drop"))
    verdict = judge([replace(rule, until=NOW)], SUBJECT, now=moment)
    assert (verdict.dropped is not None) == (moment < NOW)
