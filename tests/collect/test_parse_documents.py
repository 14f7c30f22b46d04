from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.collect.parse import parse_sync
from aggregator.errors import ParseError
from aggregator.model import Document, ParsedFeed, Upstream

URL = "https://example.org/blog/feed.xml"


RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"'


def parse(body: str | bytes, content_type: str | None = None) -> ParsedFeed:
    return parse_sync(
        Document(body=body.encode() if isinstance(body, str) else body, url=URL, content_type=content_type)
    )


def rss(items: str, channel: str = "", *, attributes: str = "") -> str:
    return f'<rss version="2.0" {attributes}><channel><title>Feed</title>{channel}{items}</channel></rss>'


def refused(body: str | bytes) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse(body)
    return caught.value


FULL = rss(
    """<item>
      <guid>note-17</guid>
      <link>  posts/17?a=1&amp;b=2 </link>
      <title>Rock &amp;amp; &lt;i&gt;roll&lt;/i&gt;</title>
      <description>&lt;p&gt;The &lt;b&gt;lead&lt;/b&gt;.&lt;script&gt;alert(1)&lt;/script&gt;&lt;/p&gt;</description>
      <content:encoded><![CDATA[<p>All of it. <a href="../more">more</a><img src="/p.jpg"></p>]]></content:encoded>
      <dc:creator>Ann Example</dc:creator>
      <category>Music</category><category>Music</category><category>News</category>
      <pubDate>Tue, 03 Mar 2026 10:00:00 +0100</pubDate>
      <enclosure url="talk.mp3" length="1234" type="audio/mpeg"/>
      <slash:comments>9</slash:comments>
      <media:thumbnail url="thumb.jpg"/>
      <media:community><media:starRating count="5"/><media:statistics views="70" favorites="3"/></media:community>
    </item>""",
    """<link>https://example.org/</link><language>de-AT</language><ttl>60</ttl>
    <skipHours><hour>1</hour><hour>24</hour></skipHours><skipDays><day>Sunday</day></skipDays>
    <sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>
    <atom:link rel="hub" href="https://hub.example/"/><atom:link rel="self" href="https://example.org/self.xml"/>
    <image><url>/logo.png</url></image>""",
    attributes='xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:slash="http://purl.org/rss/1.0/modules/slash/" xmlns:media="http://search.yahoo.com/mrss/" '
    'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"',
)


def test_a_full_rss_entry() -> None:
    feed = parse(FULL)
    (entry,) = feed.entries
    assert (feed.version, feed.truncated, feed.warnings) == ("rss20", False, ())
    # a guid that is no address stays what it is, wherever the feed lives
    assert entry.guid == "note-17"
    assert entry.link == "https://example.org/blog/posts/17?a=1&b=2"
    assert entry.title == "Rock & roll"
    assert entry.summary_html == "<p>The <b>lead</b>.</p>"
    assert entry.text == "The lead."
    # relative to the post's own page
    assert 'href="https://example.org/blog/more"' in entry.content_html
    assert entry.outlinks == ("https://example.org/blog/more",)
    assert entry.author == "Ann Example"
    assert entry.categories == ("Music", "News")
    assert entry.published == datetime(2026, 3, 3, 9, tzinfo=UTC)
    assert entry.updated is None
    assert entry.language == "de-at"
    assert entry.image_url == "https://example.org/blog/thumb.jpg"
    assert [(e.url, e.type, e.size_bytes) for e in entry.enclosures] == [
        ("https://example.org/blog/talk.mp3", "audio/mpeg", 1234)
    ]
    assert entry.upstream == Upstream(comments=9, views=70, votes=5)


def test_what_a_document_says_of_its_feed() -> None:
    info = parse(FULL).info
    assert (info.title, info.link, info.language) == ("Feed", "https://example.org/", "de-at")
    assert info.image_url == "https://example.org/logo.png"
    assert info.hubs == ("https://hub.example/",)
    assert info.self_url == "https://example.org/self.xml"
    assert info.ttl == timedelta(hours=1)
    assert info.skip_hours == {0, 1}
    assert info.skip_days == {6}
    assert info.update_every == timedelta(hours=12)


def test_atom_with_a_base_per_entry() -> None:
    feed = parse(
        """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>A</title>
        <entry xml:base="https://other.example/x/"><id>tag:example.org,2026:1</id>
        <title type="text">a &lt;b&gt; c</title>
        <link href="one"/><updated>2026-03-03T10:00:00Z</updated><content type="xhtml"><div
        xmlns="http://www.w3.org/1999/xhtml"><p><a href="two">x</a></p></div></content></entry>
        <entry><id>urn:2</id><title type="html">&lt;b&gt;d&lt;/b&gt;</title><link href="three"/>
        <published>2026-03-01T00:00:00Z</published><updated>2026-03-02T00:00:00Z</updated></entry></feed>"""
    )
    one, two = feed.entries
    assert feed.version == "atom10"
    assert (one.guid, one.link, one.title) == ("tag:example.org,2026:1", "https://other.example/x/one", "a <b> c")
    assert one.outlinks == ("https://other.example/x/two",)
    assert one.published == one.updated == datetime(2026, 3, 3, 10, tzinfo=UTC)
    assert (two.guid, two.link, two.title, two.language) == ("urn:2", "https://example.org/blog/three", "d", "en")
    assert two.published == datetime(2026, 3, 1, tzinfo=UTC)


def test_json_feed() -> None:
    feed = parse(
        json.dumps(
            {
                "version": "https://jsonfeed.org/version/1.1",
                "title": "J",
                "home_page_url": "https://example.org/",
                "language": "fr",
                "hubs": [{"type": "WebSub", "url": "https://hub.example/"}],
                "items": [
                    {
                        "id": 7,
                        "url": "/7",
                        "title": "Seven",
                        "content_html": "<p>Hi<script>x</script></p>",
                        "date_published": "2026-03-03T10:00:00Z",
                        "authors": [{"name": "Ann"}, {"name": "Bob"}, 3],
                        "tags": ["a", 5],
                        "attachments": [{"url": "a.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 99}],
                    },
                    {"content_text": "a < b\n\nnext"},
                    "nonsense",
                ],
            }
        )
    )
    seven, note = feed.entries
    assert (feed.version, feed.info.language, feed.info.hubs) == ("json11", "fr", ("https://hub.example/",))
    assert (seven.guid, seven.link, seven.author) == ("7", "https://example.org/7", "Ann, Bob")
    assert (seven.content_html, seven.text) == ("<p>Hi</p>", "Hi")
    assert seven.categories == ("a",)
    assert seven.enclosures[0].size_bytes == 99
    assert (note.title, note.content_html) == ("a < b next", "<p>a &lt; b</p><p>next</p>")


@pytest.mark.parametrize(
    ("body", "version"),
    [
        ('<rss version="0.91"><channel><title>x</title><item><title>t</title></item></channel></rss>', "rss091"),
        ('<rss version="0.92"><channel><item><title>t</title></item></channel></rss>', "rss092"),
        ("<rss><channel><item><title>t</title></item></channel></rss>", "rss20"),
        (
            f"<rdf:RDF {RDF}><channel/><item rdf:about='https://example.org/1'><title>t</title></item></rdf:RDF>",
            "rss10",
        ),
        (
            '<feed version="0.3" xmlns="http://purl.org/atom/ns#"><entry><title>t</title></entry></feed>',
            "atom03",
        ),
        ("<feed><entry><title>t</title></entry></feed>", "atom10"),
    ],
)
def test_every_format(body: str, version: str) -> None:
    feed = parse(body)
    assert feed.version == version
    assert [entry.title for entry in feed.entries] == ["t"]


def test_an_atom_entry_may_stand_alone() -> None:
    """RFC 4287, 4.1.2."""
    body = '<entry xmlns="http://www.w3.org/2005/Atom"><id>tag:a,1</id><title>Alone</title><updated>2026-01-02T03:04:05Z</updated></entry>'
    feed = parse(body)
    assert (feed.version, [entry.title for entry in feed.entries]) == ("atom10", ["Alone"])


def test_a_feed_that_stands_in_a_web_page() -> None:
    inside = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>In</title><entry><id>1</id><title>A</title></entry></feed>'
    )
    feed = parse(f"<!DOCTYPE html><html><head><title>Out</title></head><body>{inside}</body></html>")
    assert (feed.info.title, [entry.title for entry in feed.entries]) == ("In", ["A"])


def test_a_page_that_shows_a_start_of_a_feed_is_a_page() -> None:
    with pytest.raises(ParseError, match="web page"):
        parse('<!DOCTYPE html><html><body><pre><rss version="2.0"> is how it starts</pre></body></html>')


def test_a_feed_without_entries_is_a_feed() -> None:
    assert parse(rss("")).entries == ()


# --- what is no feed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"  \r\n ", b"\xef\xbb\xbf\n"])
def test_nothing(body: bytes) -> None:
    assert refused(body).code == "empty-body"


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (
            '<!DOCTYPE html><title>My &amp; page</title><link rel="alternate" type="application/rss+xml" href="/rss">',
            "(My & page), not a feed. It names a feed: https://example.org/rss",
        ),
        ("<html><body>Please log in</body></html>", "web page"),
        ('<opml version="2.0"><body><outline xmlUrl="https://a.example/"/></body></opml>', "OPML"),
        ('<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"></urlset>', "sitemap"),
        ("<note>hello</note>", "<note>"),
        ("hello", "starts with 'hello'"),
        ('{"a": 1}', "JSON Feed"),
        ("[1, 2]", "JSON Feed"),
    ],
)
def test_something_else_is_named(body: str, hint: str) -> None:
    error = refused(body)
    assert error.code == "not-a-feed"
    assert hint in str(error)


@pytest.mark.parametrize(
    "body", ['{"version": "https://jsonfeed.org/version/1", "items": [{"id": "1"} {', "[" * 100_000]
)
def test_json_that_cannot_be_read(body: str) -> None:
    assert refused(body).code == "bad-json"


@pytest.mark.parametrize(
    ("cut", "ids"),
    [
        ('{"id": "c', "ab"),
        ("", "ab"),
        (",", "ab"),
        ('{"id": "c", "tags": ["x"', "ab"),
        ('{"id": "c"}], "title": "F', "abc"),
    ],
)
def test_json_that_is_cut_gives_its_complete_items(cut: str, ids: str) -> None:
    begin = '{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "a", "tags": ["]}"]}, {"id": "b"}'
    feed = parse(f"{begin}{',' if cut not in ('', ',') else ''}{cut}")
    assert ("".join(each.guid or "" for each in feed.entries), feed.truncated) == (ids, True)


# --- damage ----------------------------------------------------------------------------------------------------

ITEMS = "".join(
    f"<item><guid>{n}</guid><title>Title {n}</title><description>Words {n}</description></item>" for n in range(10)
)


def test_a_root_element_with_a_name_of_megabytes() -> None:
    began = time.process_time()
    error = refused(f"<{'r' * 4_000_000}><a/></{'r' * 4_000_000} >")
    assert time.process_time() - began < 10
    assert error.code == "not-a-feed"
    assert len(str(error)) < 200


@pytest.mark.parametrize("end", ["</rss>", "</rss >", "</rss\n>", "</rssx></rss>\n<!-- served by b7 -->"])
def test_a_document_with_its_end_is_not_truncated(end: str) -> None:
    assert not parse(rss(ITEMS).removesuffix("</rss>") + end).truncated


@pytest.mark.parametrize("end", ["", "</rssx>", "</rss", "</ rss>"])
def test_a_document_without_its_end_is_truncated(end: str) -> None:
    assert parse(rss(ITEMS).removesuffix("</rss>") + end).truncated


@given(cut=st.integers(60, len(rss(ITEMS)) - 7))
@settings(max_examples=60, deadline=None)
def test_a_cut_document_gives_whole_entries_only(cut: int) -> None:
    feed = parse(rss(ITEMS)[:cut])
    assert feed.truncated
    assert "truncated" in feed.warnings
    assert [(e.guid, e.title, e.text) for e in feed.entries] == [
        (str(n), f"Title {n}", f"Words {n}") for n in range(len(feed.entries))
    ]
    assert len(feed.entries) == rss(ITEMS)[:cut].count("</item>")


@pytest.mark.parametrize(
    ("front", "warning"),
    [
        ("\ufeff", ()),
        ("\n \n", ()),
        ("<br />\n<b>Warning</b>: in line 1<br />\n", ("leading-junk",)),
        ("<!-- x -->", ()),
    ],
)
def test_what_stands_before_the_document(front: str, warning: tuple[str, ...]) -> None:
    feed = parse(front + '<?xml version="1.0"?>' + rss("<item><title>t</title></item>"))
    assert [entry.title for entry in feed.entries] == ["t"]
    assert feed.warnings == warning


@pytest.mark.parametrize(
    ("title", "read"),
    [
        ("a & b", "a & b"),
        ("AT&T &copy; caf&eacute; &unknown;", "AT&T © café &unknown;"),
        ("x&#x9999999999;y", "xy"),
        ("x&#xD800;y&#1;z", "xyz"),
        ("x\x0by\x00z\x01", "xyz"),
        ("<![CDATA[a & <b>b</b>]]>", "a & b"),
        ("\u202eevil", "evil"),
        ("\u200d \u200b", "(untitled)"),
        ("", "(untitled)"),
    ],
)
def test_titles(title: str, read: str) -> None:
    (entry,) = parse(rss(f"<item><guid>1</guid><title>{title}</title></item>")).entries
    assert entry.title == read


def test_unclosed_elements_and_undeclared_prefixes() -> None:
    feed = parse(rss("<item><title>one<br></title><foo:bar>x</foo:bar></item><item><title>two</title></item>"))
    assert [entry.title for entry in feed.entries] == ["one", "two"]
    assert "ill-formed" in feed.warnings


ACCENTED = rss("<item><title>é’</title></item>")


def labelled(label: str) -> str:
    return f'<?xml version="1.0" encoding="{label}"?>{ACCENTED}'


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (labelled("iso-8859-1").encode("cp1252"), None),
        (ACCENTED.encode("cp1252"), None),
        (labelled("utf-8").encode("cp1252"), None),
        (labelled("utf-16").encode(), None),
        (ACCENTED.encode(), "text/xml; charset=iso-8859-1"),
        (ACCENTED.encode(), "text/xml; charset=punycode"),
        (ACCENTED.encode(), 'text/xml; charset="undefined"'),
        (ACCENTED.encode("utf-16"), None),
        (ACCENTED.encode("utf-16-be"), None),
        (ACCENTED.encode("utf-32"), None),
    ],
)
def test_encodings_and_the_labels_that_lie(body: bytes, content_type: str | None) -> None:
    assert parse(body, content_type).entries[0].title == "é’"


@pytest.mark.parametrize(
    ("label", "words", "bad"),
    [
        ("windows-1251", "Новости дня", b"\x98"),
        ("EUC-KR", "오늘의 소식", b"\xff"),
        ("Shift_JIS", "今日のニュース", b"\x82"),
        ("utf-8", "Žluťoučký kůň", b"\xc5"),
    ],
)
def test_one_bad_byte_costs_one_letter_in_any_encoding(label: str, words: str, bad: bytes) -> None:
    body = (
        rss(f"<item><title>{words} </title></item>")
        .encode(label)
        .replace(b" </title></item>", bad + b" </title></item>")
    )
    for document, content_type in (
        (body, f"text/xml; charset={label}"),
        (f'<?xml version="1.0" encoding="{label}"?>'.encode() + body, None),
    ):
        feed = parse(document, content_type)
        assert (feed.entries[0].title, feed.warnings) == (f"{words}\ufffd", ("bad-bytes",))


@pytest.mark.parametrize(
    ("label", "codec"), [("Shift_JIS", "cp932"), ("EUC-JP", "euc-jp"), ("ISO-2022-JP", "iso2022-jp")]
)
def test_japanese(label: str, codec: str) -> None:
    body = f'<?xml version="1.0" encoding="{label}"?>' + rss("<item><title>日本語の題</title></item>")
    assert parse(body.encode(codec)).entries[0].title == "日本語の題"


def test_entities_of_a_document_are_put_in() -> None:
    body = '<!DOCTYPE rss [<!ENTITY name "Bob &amp; Co"><!ENTITY ext SYSTEM "file:///etc/passwd">]>'
    (entry,) = parse(body + rss("<item><title>&name; &ext;!</title></item>")).entries
    assert entry.title == "Bob & Co !"


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><rss><channel><title>&b;</title></channel></rss>',
        f'<!DOCTYPE x [<!ENTITY a "{"a" * 9999}">]><rss><channel><title>{"&a;" * 9999}</title></channel></rss>',
    ],
)
def test_entity_bombs(body: str) -> None:
    assert refused(body).code == "xml-entity"


def test_too_many_entries() -> None:
    dated = "".join(
        f"<item><guid>{n}</guid><title>t</title><pubDate>{2000000000 + n}</pubDate></item>" for n in range(5000)
    )
    feed = parse(rss(dated))
    assert len(feed.entries) == 1000
    assert feed.entries[-1].guid == "4999"
    assert "item-cap" in feed.warnings


def test_what_looks_like_entries_within_a_text_is_none() -> None:
    feed = parse(rss(f"<item><title>t</title><description><![CDATA[{'<item></item>' * 3000}x]]></description></item>"))
    assert ([entry.text for entry in feed.entries], feed.warnings) == (["x"], ())


@pytest.mark.parametrize("name", ["skipHours", "SKIPHOURS", "skiphours"])
def test_hours_to_skip_in_any_letters(name: str) -> None:
    assert parse(rss("", f"<{name}><hour>3</hour></{name}>")).info.skip_hours == {3}


def test_odd_extensions_that_make_the_parser_raise_cost_only_themselves() -> None:
    point, chapters = "<georss:point>x y z</georss:point>", "<psc:chapters><psc:chapter start='no'/></psc:chapters>"
    items = f"<item><title>t</title>{point}{chapters}</item>"
    names = 'xmlns:georss="http://www.georss.org/georss" xmlns:psc="http://podlove.org/simple-chapters"'
    assert [entry.title for entry in parse(rss(items, attributes=names)).entries] == ["t"]


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "http://a\\b", "data:text/html,x", "http://good@evil.example/", "http://[::1"]
)
def test_an_unsafe_link_is_no_link(link: str) -> None:
    (entry,) = parse(rss(f"<item><guid isPermaLink='false'>1</guid><title>t</title><link>{link}</link></item>")).entries
    assert entry.link is None


@pytest.mark.parametrize(
    ("original", "link"),
    [("https://example.org/1", "https://example.org/1"), ("5f0c-11-77aa", "https://feeds.example/~r/1")],
)
def test_the_original_behind_a_proxy_link_is_preferred_if_it_is_an_address(original: str, link: str) -> None:
    items = f"<item><link>https://feeds.example/~r/1</link><feedburner:origLink>{original}</feedburner:origLink></item>"
    feed = parse(rss(items, attributes='xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0"'))
    assert feed.entries[0].link == link


def test_a_note_without_title_gets_one_from_its_words() -> None:
    words = "word " * 40
    (entry,) = parse(rss(f"<item><description>{words}</description></item>")).entries
    assert entry.title.startswith("word word")
    assert entry.title.endswith("word…")
    assert len(entry.title) <= 81


def test_counters_and_markup_do_not_change_the_content() -> None:
    def hashed(description: str, views: int) -> bytes:
        item = (
            f"<item><title>t</title><description>{description}</description><media:statistics views='{views}'/></item>"
        )
        return parse(rss(item, attributes='xmlns:media="http://search.yahoo.com/mrss/"')).entries[0].content_hash

    assert hashed("&lt;p&gt;a&lt;/p&gt;", 1) == hashed("&lt;div&gt;a&lt;/div&gt;", 2) != hashed("b", 1)


CODES = {"empty-body", "not-a-feed", "bad-json", "xml-entity", "parse-failed"}


def answer(body: bytes) -> ParsedFeed | ParseError:
    try:
        return parse(body)
    except ParseError as error:
        return error


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_answered(body: bytes) -> None:
    for front in (b"", b"<rss><channel>", b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>'):
        answered = answer(front + body)
        if isinstance(answered, ParseError):
            assert answered.code in CODES
        else:
            assert all(entry.title and entry.content_hash for entry in answered.entries)
