from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.model.slug import MAX_LENGTH, slugify


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("World News", "world-news"),
        ("  R&D / Labs_2 ", "r-d-labs-2"),
        ("Straße & Märkte", "strasse-markte"),
        ("Kultūra", "kultura"),
        ("ＦＵＬＬ　ｗｉｄｔｈ", "full-width"),
        ("दुनिया", "दुनिया"),
        ("தமிழ் செய்திகள்", "தமிழ்-செய்திகள்"),
        ("ಕರ್ನಾಟಕ", "ಕರ್ನಾಟಕ"),
        ("ข่าวเด่น", "ข่าวเด่น"),
        ("Новый мир", "новый-мир"),
        ("日本 経済", "日本-経済"),
        ("한국", "한국"),
        ("نیم\u200cفاصله", "نیمفاصله"),
        ("I ❤️ News", "i-news"),
    ],
)
def test_slug(name: str, slug: str) -> None:
    assert slugify(name) == slug


@pytest.mark.parametrize(
    ("one", "other"),
    [("कला", "कली"), ("দেশ", "দিশ"), ("ગુજરાત", "ગુજરાતી"), ("పుస్తకం", "పుస్తకాలు"), ("🎮", "🎵"), ("+++", "???")],
)
def test_names_that_differ_in_marks_or_symbols_have_slugs_that_differ(one: str, other: str) -> None:
    assert slugify(one) != slugify(other)


@given(st.text(min_size=1).filter(str.strip))
def test_any_name_has_a_slug_that_is_one_path_segment_and_its_own_slug(name: str) -> None:
    slug = slugify(name)
    assert 0 < len(slug) <= MAX_LENGTH
    assert not set(slug) & set(" /?#%.:@&=+\\\n\t")
    assert slugify(slug) == slug
