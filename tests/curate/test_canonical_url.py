from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.curate.identity import canonical_url

SAME = [
    ("http://www.example.com/a", "https://example.com/a/"),
    ("https://example.com:443/a", "http://example.com:80/a"),
    ("https://m.example.com/a", "https://amp.example.com/a/amp/"),
    ("https://en.m.wikipedia.org/wiki/Thing", "https://en.wikipedia.org/wiki/Thing"),
    ("https://example.com/a?utm_source=rss&b=2&a=1#top", "https://example.com/a?a=1&b=2"),
    ("https://example.com/a?at_medium=RSS&at_campaign=X", "https://example.com/a"),
    ("https://example.com/a?id=7&amp;amp;ref=rss", "https://example.com/a?id=7"),
    ("https://example.com/index.php", "https://example.com"),
    ("https://example.com/a.amp.html", "https://example.com/a"),
    ("https://EXAMPLE.com./%7Ejoe", "https://example.com/~joe"),
    ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
    ("https://user:secret@example.com/a", "https://example.com/a"),
    ("https://example.com/a;jsessionid=12AB?x=1", "https://example.com/a?x=1"),
    ("https://www.google.com/url?q=https%3A%2F%2Fexample.com%2Fa&sa=D", "https://example.com/a"),
    ("https://www.google.com/amp/s/www.example.com/a/amp", "https://example.com/a"),
    ("https://example-com.cdn.ampproject.org/c/s/example.com/a", "https://example.com/a"),
    ("https://youtu.be/abc123", "https://www.youtube.com/watch?v=abc123&feature=share"),
    ("https://example.com/a?ref=rss", "https://example.com/a"),
    ("https://example.com/a?isAmp=true", "https://example.com/a"),
    ("https://example.com/a?view=amp&page=2", "https://example.com/a?page=2"),
    ("https://example-com.cdn.ampproject.org/v/s/example.com/a?amp_js_v=0.1&amp_gsa=1", "https://example.com/a"),
    ("https://example.com/fire-77d0-0a1b2c3d4e5f-amp", "https://example.com/fire-77d0-0a1b2c3d4e5f"),
    ("https://example.com/a?share=twitter&rss=yes", "https://example.com/a"),
    ("https://www.example.com/a_(b)/%D0%B3%D0%BE%D0%B4#top", "http://example.com/a_(b)/%d0%b3%d0%be%d0%b4"),
]
DIFFERENT = [
    ("https://example.com/a?id=1", "https://example.com/a?id=2"),
    ("https://example.com/a", "https://example.com/A"),
    ("https://example.com:8080/a", "https://example.com/a"),
    ("https://blog.example.com/a", "https://example.com/a"),
    ("https://example.com/?p=1", "https://example.com/"),
    ("https://example.com/a?ref=main", "https://example.com/a"),
    ("https://example.com/#!/a", "https://example.com/#!/b"),
    ("https://example.com/guitar-amp", "https://example.com/guitar"),
    ("https://example.com/shop?type=amps", "https://example.com/shop"),
    ("https://example.com/a?share=17", "https://example.com/a"),
]
NONE = [
    "", "javascript:alert(1)", "file:///etc/passwd", "http://", "http:///x", "https://[::1", "http://a..b/",
    "/relative", "https://example.com/" + "a" * 3000, "http://example.com:99999/", "http://good\\@evil/",
    "http://exa mple.com/", "mailto:x@example.com", "http://exa\x00mple.com/", "http://x[::1]@/",
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_article(one: str, other: str) -> None:
    assert canonical_url(one) == canonical_url(other) is not None


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_articles(one: str, other: str) -> None:
    assert canonical_url(one) != canonical_url(other)


@pytest.mark.parametrize("url", NONE)
def test_no_address(url: str) -> None:
    assert canonical_url(url) is None


@pytest.mark.parametrize(
    ("expected", "others"),
    [
        (
            "https://youtube.com/watch?v=abc_DEF-123",
            "youtu.be/abc_DEF-123?si=x&t=10 m.youtube.com/watch?list=PL1&v=abc_DEF-123 youtube.com/shorts/abc_DEF-123",
        ),
        ("https://youtube.com/watch?v=abc_DEF-123", "www.youtube-nocookie.com/embed/abc_DEF-123?rel=0"),
        (
            "https://arxiv.org/abs/2101.00001",
            "arxiv.org/abs/2101.00001v2 arxiv.org/pdf/2101.00001.pdf export.arxiv.org/abs/2101.00001",
        ),
        ("https://x.com/anybody/status/17", "twitter.com/anybody/status/17?s=20 mobile.twitter.com/anybody/status/17"),
        ("https://doi.org/10.1000/abc", "dx.doi.org/10.1000/ABC doi.org/10.1000/abc"),
        ("https://reddit.com/r/a/comments/b/c", "old.reddit.com/r/a/comments/b/c/ www.reddit.com/r/a/comments/b/c"),
    ],
)
def test_large_sites_with_several_addresses_for_a_page(expected: str, others: str) -> None:
    assert {canonical_url(f"https://{other}") for other in others.split()} == {expected}
    assert canonical_url(expected) == expected


_hosts = st.from_regex(r"(www\.|m\.|amp\.|en\.m\.)*([a-z]{1,4}\.){1,3}[a-z]{2,3}(:[0-9]{1,5})?", fullmatch=True)
_paths = st.text(alphabet="/ab.%;=&?#!+~é中ampindexhtml_-0", max_size=40)


@given(host=_hosts, path=_paths)
def test_idempotent(host: str, path: str) -> None:
    once = canonical_url(f"http://{host}/{path}")
    assert once is None or canonical_url(once) == once


@given(st.text(max_size=80))
def test_any_text_is_answered(text: str) -> None:
    for candidate in (text, f"https://{text}", f"https://example.com/{text}"):
        once = canonical_url(candidate)
        assert once is None or canonical_url(once) == once


@given(target=_paths)
def test_redirectors_end(target: str) -> None:
    url = f"https://www.google.com/url?q=https://www.google.com/amp/s/example.com/{target}"
    once = canonical_url(url)
    assert once is None or canonical_url(once) == once


@given(st.from_regex(r"https?://[a-z.-]{1,20}\.[a-z]{2,4}(/[A-Za-z0-9._~%-]*){0,3}(\?[a-z0-9=&._-]+)?", fullmatch=True))
def test_the_quick_reading_of_a_plain_address_equals_the_full_one(url: str) -> None:
    assert canonical_url(url) == canonical_url(f" {url}")  # a space is not plain: the full parser reads it


@pytest.mark.parametrize("path", ["", "/", "/a//b/", "/amp/x/index.html", "/x.amp.html", "/Default.aspx", "/a/amp"])
@pytest.mark.parametrize("query", ["", "?a=1&utm_source=x&b", "?amp=1", "?ref=rss&ref=other"])
@pytest.mark.parametrize(
    "host", ["www.m.example.com", "youtu.be", "en.m.wikipedia.org", "google.com", "WWW.EXAMPLE.ORG"]
)
def test_plain_addresses_of_all_kinds_need_no_parser(host: str, path: str, query: str) -> None:
    url = f"http://{host}{path}{query}"
    assert canonical_url(url) == canonical_url(f" {url}")
