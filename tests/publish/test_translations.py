"""The catalogues of the pages: complete, with the same placeholders, used where the site's language asks for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import page_samples as samples
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from test_pages import EVERY, FRAME, PAGES, Read, article, front

from aggregator.collect.fetch import errors
from aggregator.model import PollError
from aggregator.publish.channel import compose
from aggregator.publish.messages import catalogues
from aggregator.publish.messages import messages as gettext_of
from aggregator.publish.pages import Pages, status_page
from aggregator.publish.pages.wording import Wording
from aggregator.publish.titles import reason

PACKAGE = Path(__file__).parents[2] / "aggregator"
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "plural": (1, 2), "N_": None}
TEMPLATES = "publish/templates/**.html"
BLANKS = {"trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true"}
GERMAN = Pages(replace(samples.SITE, language="de"))


def messages() -> set[str | tuple[str, ...]]:
    """Everything that is marked in templates and modules: a text, or its singular and plural."""
    found = extract_from_dir(
        PACKAGE, method_map=[("publish/**.py", "python"), (TEMPLATES, "jinja2")], options_map={TEMPLATES: BLANKS},
        keywords=KEYWORDS,
    )  # fmt: skip
    return {message for _, _, message, _, _ in found}


def catalogue(language: str) -> Catalog:
    with (PACKAGE / "publish" / "locale" / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", text))


def test_there_are_messages_in_templates_and_in_modules() -> None:
    found = messages()
    assert {"Ranking", "Need attention", ("%(num)s story", "%(num)s stories")} <= found
    assert len(found) > 250


def test_german_has_every_message_and_no_other() -> None:
    known = {message.id for message in catalogue("de") if message.id}
    assert known == messages(), "make messages LANGUAGE=de"


def texts(held: object) -> tuple[str, ...]:
    return tuple(map(str, held)) if isinstance(held, tuple) else (str(held or ""),)


def lacking(language: str) -> Iterator[str]:
    """What is wrong with a catalogue, message by message."""
    held = catalogue(language)
    for message in held:
        if not message.id:
            continue
        source = texts(message.id)
        told = texts(message.string)
        if message.fuzzy or not all(told):
            yield f"{source[0]!r} is not translated"
        elif len(source) > 1 and len(told) != held.num_plurals:
            yield f"{source[0]!r} has {len(told)} forms"
        elif any(placeholders(text) not in (*map(placeholders, source),) for text in told):
            yield f"{source[0]!r} has other placeholders"


@pytest.mark.parametrize("language", sorted(catalogues()))
def test_what_a_catalogue_has_is_whole(language: str) -> None:
    assert list(lacking(language)) == []


def test_pages_of_a_german_site_are_german() -> None:
    page = article(0, GERMAN)
    text = Read(page).text
    assert '<html lang="de">' in page
    assert "Aktuell: Start > World" in text
    for words in (
        "Auch berichtet von",
        "Verwandt",
        "Rangliste",
        "Empfehlung",
        "Lesen bei The Harbour Post",
        "Aufrufe 1284",
    ):
        assert words in text, words
    assert "Samstag, 14. März 2026" in text
    assert "vor 4 Minuten" in Read(EVERY["source"](GERMAN)).text
    assert '<h1 lang="en">Fishing fleets' in page, "the item's own words are marked as what they are"
    assert 'lang="de"' not in page.partition("</head>")[2].split("<h1")[0], "ours are not: the page is German"


@pytest.mark.parametrize("name", EVERY)
def test_no_english_words_of_ours_are_left_on_german_pages(name: str) -> None:
    ours = {one for one in messages() if isinstance(one, str) and " " in one and "%" not in one}
    text = Read(EVERY[name](GERMAN)).text
    assert [one for one in ours if one in text] == []


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("1,204 readers in the last 24 hours", "1204 Leser in den letzten 24 Stunden"),
        ("1 reader in the last hour", "1 Leser in der letzten Stunde"),
        ("6 sources", "6 Quellen"),
        ("linked by 1 source", "verlinkt von 1 Quelle"),
        ("12 comments at its source", "12 Kommentare bei der Quelle"),
        ("like what you read", "ähnlich dem, was Sie lesen"),
        ("a reason of tomorrow", "a reason of tomorrow"),
    ],
)
def test_why_an_item_stands_in_a_list_is_told_in_the_language_of_the_site(english: str, german: str) -> None:
    site = replace(samples.SITE, language="de-AT")
    place = replace(samples.RECOMMENDED.places[0], reasons=(english,))
    for language, told in (("de-AT", german), ("en", english), ("fr", english)):
        channel = compose(replace(samples.RECOMMENDED, places=(place,)), replace(site, language=language))
        assert channel.entries[0].reasons == (told,)


def test_every_reason_of_curation_is_known_in_german() -> None:
    """Those that stand in its modules as they are; those with a number have a form each above."""
    found = {
        text
        for module in ("explanations", "ranking", "recommend")
        for text in re.findall(r'"([a-z][a-z ]+ [a-z ]*[a-z])"', (PACKAGE / "curate" / f"{module}.py").read_text())
        if re.search(r"\b(?:here|source|subject|read|so far)$", text) and not text.startswith("other ")
    } | {"pinned", "rising", "new", "fresh"}
    assert len(found) > 8
    assert {text for text in found if reason(text, gettext_of("de")) == text} == set()


def test_every_error_of_polling_has_a_german_sentence() -> None:
    raised = re.compile(r'(?:FetchError|ParseError)\(\s*"([a-z-]+)"')
    # reading an article of a page is no poll
    files = [file for file in (PACKAGE / "collect").rglob("*.py") if "article" not in file.name]
    codes = {code for file in files for code in raised.findall(file.read_text())}
    codes |= set(re.findall(r"``([a-z]+-[a-z-]+)``", errors.__doc__ or "")) | {"http-503", "not-a-feed"}
    assert len(codes) > 25
    german = Wording("de", samples.SITE.timezone)
    for code in codes:
        health = replace(samples.HEALTHS[0], error=PollError(code=code, message="It broke."), http_status=503)
        told, language = status_page.cause(health, german)
        assert (language, told != "It broke. (503)") == ("de", True), code
        assert "%" not in told
    unknown = replace(samples.HEALTHS[0], error=PollError(code="of-tomorrow", message="It broke."), http_status=None)
    assert status_page.cause(unknown, german) == ("It broke.", "en")
    page = EVERY["status"](GERMAN)
    assert "Der Server antwortete mit Status 404." in page
    assert "answers 404" not in page


def test_without_a_catalogue_words_stay_english_and_say_so() -> None:
    pages = Pages(replace(samples.SITE, language="fr", title="Le Journal"))
    page = front(pages)
    assert '<html lang="en">' in page
    assert '<h1 class="brand" lang="fr">' in page
    assert front(PAGES).partition("<body")[2].count("lang=") < page.partition("<body")[2].count("lang=")


def test_numbers_and_ages_are_of_the_language() -> None:
    german, english = Wording("de", samples.SITE.timezone), Wording("en", samples.SITE.timezone)
    assert (german.number(1234.5), english.number(1234.5)) == ("1.234,5", "1,234.5")
    assert german.ago(samples.NOW - timedelta(days=3), samples.NOW) == "vor 3 Tagen"
    assert german.language_name("bn", own=True) == "বাংলা"


@pytest.mark.parametrize(
    ("expected", "minutes"),
    [("just now", 0), ("1 minute ago", 1), ("59 minutes ago", 59), ("1 hour ago", 60), ("1 hour ago", 119),
     ("47 hours ago", 47 * 60), ("2 days ago", 48 * 60), ("in 3 hours", -180), ("in a moment", -0.5)],
)  # fmt: skip
def test_how_long_ago(expected: str, minutes: float) -> None:
    words = Wording("en", samples.SITE.timezone)
    assert words.ago(samples.NOW - timedelta(minutes=minutes), samples.NOW) == expected


def test_right_to_left_sites_run_so() -> None:
    """There is no Arabic catalogue yet: the words are English, and so is the direction; titles have their own."""
    page = front(Pages(replace(samples.SITE, language="ar")), FRAME)
    assert '<html lang="en">' in page
    assert 'lang="ar" dir="rtl">عودة' in page
