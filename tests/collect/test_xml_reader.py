# ruff: noqa: E501 - a document is read more easily in one line
"""The XML reader and what cleaning makes of what it reads: each kind of fault that feeds have, with an input of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from time import process_time

import pytest
from babel.dates import format_date, format_datetime

from aggregator.collect.clean import parse_date, safe_url
from aggregator.collect.parse import parse_sync
from aggregator.collect.parse.balance import balanced
from aggregator.collect.parse.normalize import name_of
from aggregator.model import Document, ParsedEntry, ParsedFeed

URL = "https://feeds.example/all/feed.xml"
NAMESPACES = (
    'xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" '
    'xmlns:content="http://purl.org/rss/1.0/modules/content/"'
)


def parse(text: str | bytes, content_type: str | None = None) -> ParsedFeed:
    body = text.encode() if isinstance(text, str) else text
    return parse_sync(Document(body=body, url=URL, content_type=content_type))


def rss(item: str, channel: str = "") -> ParsedFeed:
    return parse(
        f'<rss version="2.0" {NAMESPACES}><channel><title>F</title>{channel}<item>{item}</item></channel></rss>'
    )


def item(inside: str, channel: str = "") -> ParsedEntry:
    return rss(inside, channel).entries[0]


def atom(entry: str, feed: str = "") -> ParsedEntry:
    text = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>F</title>{feed}<entry>{entry}</entry></feed>'
    return parse(text).entries[0]


def body(markup: str) -> ParsedEntry:
    return item(
        f"<link>https://blog.example/2026/walk/</link><title>t</title><description><![CDATA[{markup}]]></description>"
    )


# --- words of pictures --------------------------------------------------------------------------
PICTURE = (
    '<media:content url="https://p.example/a.jpg" medium="image"><media:title>The quay</media:title>'
    "<media:description>A quay at dawn</media:description></media:content>"
)


@pytest.mark.parametrize(
    "inside",
    [f"{PICTURE}<description>The post.</description>", f"<description>The post.</description>{PICTURE}{PICTURE}"],
)
def test_what_a_picture_shows_is_no_word_of_the_item(inside: str) -> None:
    entry = item(inside)
    assert (entry.title, entry.summary_html, entry.content_html) == ("The post.", "The post.", "")
    assert [each.url for each in entry.enclosures] == ["https://p.example/a.jpg"]


def test_words_of_media_stand_in_where_an_item_has_none_of_its_own() -> None:
    group = (
        "<media:group><media:title>Film</media:title><media:description>One\n\nTwo</media:description></media:group>"
    )
    assert item(group).summary_html == "<p>One</p><p>Two</p>"
    assert item(group).title == "Film"
    assert item(f"{group}<title>Own</title><content:encoded>Words</content:encoded>").summary_html == ""


def test_a_summary_for_podcast_directories_does_not_replace_the_shownotes() -> None:
    entry = item("<itunes:summary>Short.</itunes:summary><content:encoded>&lt;p&gt;Long.&lt;/p&gt;</content:encoded>")
    assert (entry.summary_html, entry.content_html) == ("", "<p>Long.</p>")
    assert item("<itunes:summary>Short.</itunes:summary>").text == "Short."


# --- addresses -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<rss><channel><item><link>/2026/walk/</link><description>&lt;a href="#n"&gt;n&lt;/a&gt;</description></item></channel></rss>',
         "https://feeds.example/2026/walk/#n"),
        ('<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="https://b.example/p/"/><content type="html">&lt;a href="map.png"&gt;m&lt;/a&gt;</content></entry></feed>',
         "https://b.example/p/map.png"),
        ('<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://c.example/x/"><entry><link href="https://b.example/p/"/><content type="html">&lt;a href="map.png"&gt;m&lt;/a&gt;</content></entry></feed>',
         "https://c.example/x/map.png"),
        ('<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><item rdf:about="x"><link>https://b.example/q/</link><description>&lt;a href="?p=2"&gt;m&lt;/a&gt;</description></item></rdf:RDF>',
         "https://b.example/q/?p=2"),
        ('{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "url": "https://b.example/j/", "content_html": "<a href=\'k\'>k</a>"}]}',
         "https://b.example/j/k"),
        ("<rss><channel><item><description>&lt;a href='/a'&gt;a&lt;/a&gt;</description></item></channel></rss>", "https://feeds.example/a"),
    ],
)  # fmt: skip
def test_addresses_in_a_post_are_relative_to_its_page(text: str, expected: str) -> None:
    (entry,) = parse(text).entries
    assert f'href="{expected}"' in entry.summary_html + entry.content_html


@pytest.mark.parametrize(
    "written",
    ["a?x=1&amp;amp;y=2", "a?x=1&amp;#038;y=2", "a?x=1&amp;y=2", "a?x=1&amp;amp;amp;y=2", "a?amp;x=1&amp;y=2"],
)
def test_an_ampersand_escaped_too_often_is_one(written: str) -> None:
    entry = item(f"<link>https://b.example/{written}</link><enclosure url='https://b.example/{written}'/>")
    assert entry.link == entry.enclosures[0].url == "https://b.example/a?x=1&y=2"
    assert body(f"<a href='https://b.example/{written}'>x</a>").outlinks == ("https://b.example/a?x=1&y=2",)
    address = f"https://b.example/{written.replace('&amp;', '&', 1)}"
    (noted,) = parse(
        f'{{"version": "https://jsonfeed.org/version/1", "items": [{{"id": "1", "url": "{address}"}}]}}'
    ).entries
    assert noted.link == "https://b.example/a?x=1&y=2"


def test_a_host_without_its_scheme_is_no_path() -> None:
    assert item("<title>t</title><link>www.b.example/a</link>").link == "https://www.b.example/a"


def test_pictures_and_files_of_json_are_relative_to_their_page() -> None:
    (entry,) = parse('{"version": "https://jsonfeed.org/version/1", "items": [{"id": "1", "url": "/p/1/", "image": "a.jpg", '
                     '"attachments": [{"url": "b.mp3"}]}]}').entries  # fmt: skip
    assert (entry.image_url, entry.enclosures[0].url) == (
        "https://feeds.example/p/1/a.jpg",
        "https://feeds.example/p/1/b.mp3",
    )


def test_a_cut_document_reads_as_the_whole_one_does() -> None:
    entries = [f"<item><title>n{n}</title><link>https://b.example/?n={n}&amp;amp;m=1</link></item>" for n in range(4)]
    whole = f"<rss version='2.0'><channel><title>F</title>{''.join(entries)}</channel></rss>"
    cut = parse(whole[: whole.index("n3") - 3])
    assert cut.truncated
    assert "ill-formed" not in cut.warnings
    assert [entry.link for entry in cut.entries] == [f"https://b.example/?n={n}&m=1" for n in range(3)]


def test_a_cut_in_nested_elements_and_other_formats() -> None:
    text = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:m="http://search.yahoo.com/mrss/"><title>F</title>'
        "<entry><id>a</id><title>one</title></entry><entry><id>b</id><m:group><m:title>tw"
    )
    cut = parse(text)
    assert (cut.truncated, [entry.title for entry in cut.entries]) == (True, ["one"])
    comment = parse("<rss><channel><item><title>one</title></item><!-- <item><title>no</title></item> --><item><ti")
    assert [entry.title for entry in comment.entries] == ["one"]


def test_hosts_are_written_as_browsers_write_them() -> None:
    assert (
        item("<link>https://fußweg.example/a</link>").link
        == f"https://xn--{'fußweg'.encode('punycode').decode()}.example/a"
    )
    # the final sigma stays one: λόγοσ.example would be another host
    assert body("<a href='https://λόγος.example/'>x</a>").outlinks == (
        f"https://xn--{'λόγος'.encode('punycode').decode()}.example/",
    )


LANGUAGES = ("ar", "bg", "ca", "cs", "da", "de", "el", "es", "et", "eu", "fi", "fr", "ga", "he", "hi", "hr", "hu", "id", "it", "ja", "ko",
             "lt", "lv", "ms", "nb", "nl", "pl", "pt", "ro", "ru", "sk", "sr", "sv", "th", "tr", "uk", "vi", "zh")  # fmt: skip


# --- dates ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Saturday, February 7, 2026 - 4:05pm", "2026-02-07T16:05"),
        ("Sat, 02/07/2026 - 16:05", "2026-02-07T16:05"),
        ("07/02/2026 16:05", None),
        ("2/27/2026 1:05:00 PM", "2026-02-27T13:05"),
        ("27-02-2026 13:05", "2026-02-27T13:05"),
        ("2026. 2. 27. 13:05", "2026-02-27T13:05"),
        ("2026-02-27 13:05:00.25 +0200 EET", "2026-02-27T11:05"),
        ("Fri, 27 Feb 2026 13:05:00 Asia/Tokyo", "2026-02-27T04:05"),
        ("2026-02-27T13:05:00+02:00Z", "2026-02-27T11:05"),
        ("27 lutego 2026 13:05", "2026-02-27T13:05"),
        ("27 Şubat 2026 13:05", "2026-02-27T13:05"),
        ("27. února 2026 13:05", "2026-02-27T13:05"),
        ("fre, 27 februari 2026 13:05:00 +0100", "2026-02-27T12:05"),
        ("27 februarie 2026", "2026-02-27T00:00"),
        ("27. helmikuuta 2026 klo 13:05", "2026-02-27T13:05"),
        ("pe, 27 helmi 2026 13:05:00 +0200", "2026-02-27T11:05"),
        ("27. marraskuu 2025", "2025-11-27T00:00"),
        ("27 Blorptober 2026", None),
        ("Fri Feb 27 13:05:00 +0200 2026", "2026-02-27T11:05"),
        ("1:05 PM, February 27, 2026", "2026-02-27T13:05"),
        ("20260227130500", "2026-02-27T13:05"),
        ("27 Şubat 2026 Cuma 13:05", "2026-02-27T13:05"),
        ("2026. február 27., péntek 13:05", "2026-02-27T13:05"),
        ("2026년 2월 27일 오후 1시 5분", "2026-02-27T13:05"),
        ("2026年2月27日星期五 13时05分", "2026-02-27T13:05"),
        ("ngày 27 tháng 2 năm 2026 lúc 13:05", "2026-02-27T13:05"),
        ("27 בפברואר 2026, 13:05", "2026-02-27T13:05"),
        ("27 กุมภาพันธ์ 2569 13:05", "2026-02-27T13:05"),
        ("Jumaat, 27 Februari 2026 1:05:00 PTG", "2026-02-27T13:05"),
        ("30. listopada 2025. 13:05", "2025-10-30T13:05"),
        ("30 listopada 2025 13:05", "2025-11-30T13:05"),
        ("mar. 5 kis 2026", None),
        ("Sun, 13 Sep 1959 21:02:24 GMT", "1959-09-13T21:02:24"),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_dates_are_read_or_not_but_never_wrongly(written: str, expected: str | None) -> None:
    published = item(f"<title>t</title><pubDate>{written}</pubDate>").published
    assert published == (datetime.fromisoformat(expected).replace(tzinfo=UTC) if expected else None)


def test_the_language_of_the_feed_tells_which_month() -> None:
    dated = "<title>t</title><pubDate>07/02/2026</pubDate>"
    assert item(dated, "<language>fr</language>").published == datetime(2026, 2, 7, tzinfo=UTC)
    assert item(dated, "<language>en-US</language>").published == datetime(2026, 7, 2, tzinfo=UTC)


@pytest.mark.parametrize("language", LANGUAGES)
def test_dates_as_the_cldr_writes_them_in_its_languages(language: str) -> None:
    """With the language of the feed and without: read, or not; never as another day."""
    for month in range(1, 13):
        moment = datetime(2026, month, 11, 15, 4, tzinfo=UTC)
        for written, has_time in (
            (format_date(moment, "full", language), False),
            (format_datetime(moment, "medium", locale=language), True),
        ):
            for told in (language, None):
                read = parse_date(written, told)
                assert read is None or read.date() == moment.date(), (written, told)
                assert read is None or not has_time or (read.hour, read.minute) == (15, 4), (written, told)
                # what names of months are short of three letters for, or are weekdays too, is not read
                assert read or month in {3, 5, 8, 11} or language in {"ar", "bg", "eu", "ga", "ms", "th"}, (
                    written,
                    told,
                )
    listopad = "<title>t</title><pubDate>7. listopada 2026</pubDate>"
    assert item(listopad, "<language>hr</language>").published == datetime(2026, 10, 7, tzinfo=UTC)
    assert item(listopad).published == datetime(2026, 11, 7, tzinfo=UTC)


# --- authors -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Ann Lee (al)", "Ann Lee (al)"),
        ("ann@shop.photography (Ann Lee)", "Ann Lee"),
        ("Ann Lee <ann@shop.museum>", "Ann Lee"),
        ("Ann Lee (ann@shop.example)", "Ann Lee"),
        ('"Lee, Ann" <ann@shop.example>', "Lee, Ann"),
        ("mailto:ann@shop.example", ""),
        ("ann@localhost", ""),
        ("a@x.example (Ann), b@y.example (Bob)", "Ann, Bob"),
        ("ann.lee+news@shop.example", ""),
        ("Ann Lee <https://shop.example/ann>", "Ann Lee"),
        ("Ann <ann@shop.example>, Bob <bob@shop.example>", "Ann, Bob"),
        ("Ann Lee|ann@shop.example", "Ann Lee"),
        ("ann@shop.example - Ann Lee", "Ann Lee"),
        ("@ann@social.example", "@ann@social.example"),
        ("Ann @ Shop", "Ann @ Shop"),
        ("José", "José"),
        ("JosÃ©", "José"),
        # a letter that was lost before it was encoded again stays lost, not gone
        ("Ã©tÃ©, forÃªt, Å\x93uvre\ufffd cÃ´tÃ©", "été, forêt, œuvre\ufffd côté"),
    ],
)
def test_names_without_addresses(written: str, expected: str) -> None:
    assert name_of(written) == expected


def test_authors_are_inherited() -> None:
    feed = "<author><name>Fay</name></author>"
    assert atom("<title>t</title>", feed).author == "Fay"
    assert atom("<title>t</title><author><name>Eve</name></author>", feed).author == "Eve"
    assert (
        atom("<title>t</title><source><title>S</title><author><name>Sue</name></author></source>", feed).author == "Sue"
    )
    assert atom("<title>t</title><source><title>S</title></source>", feed).author == "Fay"
    assert item("<title>t</title>", "<itunes:author>Fay</itunes:author>").author == "Fay"
    assert item("<title>t</title>", "<managingEditor>x@y.example (Ed)</managingEditor>").author is None
    json_feed = '{"version": "https://jsonfeed.org/version/1", "author": {"name": "Fay"}, "items": [{"id": "1"}]}'
    assert parse(json_feed).entries[0].author == "Fay"
    assert parse(json_feed.replace('{"name": "Fay"}', '"Fay"')).entries[0].author == "Fay"


# --- files and podcasts --------------------------------------------------------------------------
def test_files_of_media_rss_are_attachments() -> None:
    entry = item(
        '<media:group><media:content url="https://p.example/low.mp4" duration="61"/><media:content url="https://p.example/high.mp4" '
        'isDefault="true" fileSize="900"/></media:group><media:content url="https://p.example/v.swf" type="application/x-shockwave-flash"/>'
    )
    assert [(each.url[18:], each.type, each.size_bytes, each.duration_s) for each in entry.enclosures] == [
        ("high.mp4", "video/mp4", 900, None),
        ("low.mp4", "video/mp4", None, 61),
    ]


def test_what_a_podcast_says_of_an_episode() -> None:
    entry = item(
        '<itunes:title>Tides</itunes:title><enclosure url="https://p.example/7.mp3" type="application/octet-stream"/>'
        "<itunes:duration>1:02:03</itunes:duration><itunes:season>2</itunes:season><itunes:episode>7</itunes:episode>",
        '<itunes:image href="/show.png"/>',
    )
    assert (entry.title, entry.image_url) == ("Tides", "https://feeds.example/show.png")
    (file,) = entry.enclosures
    assert (file.type, file.duration_s, file.season, file.episode) == ("audio/mpeg", 3723, 2, 7)
    assert item("<title>news</title>", '<itunes:image href="/show.png"/>').image_url is None
    # a podcast without Apple's namespace: the channel's own picture; the logo of any other feed is none of an entry
    logo = "<image><url>/logo.png</url></image>"
    assert item('<enclosure url="https://p.example/8.ogg"/>', logo).image_url == "https://feeds.example/logo.png"
    assert item('<title>t</title><enclosure url="https://p.example/8.pdf"/>', logo).image_url is None


def test_a_picture_is_one_by_the_ending_of_its_address_too() -> None:
    written = '<title>t</title><media:content url="https://p.example/a.webp"/>'
    assert item(written).image_url == "https://p.example/a.webp"
    assert item(written.replace("/>", ' medium="document"/>')).image_url is None


# --- text constructs -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">a<br/>b<hr/></div></content>', "a<br>b<hr>"),
        ('<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">1 &lt; 2</div></content>', "1 &lt; 2"),
        ('<content type="cdata">&lt;b&gt;x&lt;/b&gt;</content>', "<b>x</b>"),
        ('<content type="htm">&lt;b&gt;x&lt;/b&gt;</content>', "<b>x</b>"),
        ('<content type="escaped">&lt;b&gt;x&lt;/b&gt;</content>', "<b>x</b>"),
        ("<content>&lt;p&gt;x&lt;/p&gt;</content>", "<p>x</p>"),
        ('<content type="text">&lt;p&gt;x</content>', "<p>&lt;p&gt;x</p>"),
        ('<content type="text/plain">one\ntwo</content>', "<p>one<br>two</p>"),
        ('<content type="image/png">iVBORw0KGgo=</content>', ""),
        ('<content type="application/xml">&lt;p&gt;x y&lt;/p&gt;</content>', "<p>x y</p>"),
        ('<content type="text">one\r\ntwo&#13;\nthree\r\n\r\nfour</content>', "<p>one<br>two<br>three</p><p>four</p>"),
    ],
)
def test_types_of_content(content: str, expected: str) -> None:
    assert atom(f"<title>t</title>{content}").content_html == expected


def test_markup_in_a_description_is_written_down_once() -> None:
    assert item(
        "<title>t</title><description><p>a<br/>b <img src='https://p.example/x.png'/></p></description>"
    ).summary_html == ('<p>a<br>b <img src="https://p.example/x.png"></p>')


@pytest.mark.parametrize(
    "title",
    [
        "<![CDATA[<![CDATA[Thaw]]]]><![CDATA[>]]>",
        "&lt;![CDATA[Thaw]]&gt;",
        "<![CDATA[<![CDATA[Thaw]]>]]>",
        "<![CDATA[ Thaw ]]>",
    ],
)
def test_marks_of_cdata_are_no_words(title: str) -> None:
    feed = rss(
        f"<title>{title}</title><description>{title.replace('Thaw', '&lt;b&gt;Thaw&lt;/b&gt;') if title[0] == '&' else title}</description>"
    )
    (entry,) = feed.entries
    assert (entry.title, entry.text) == ("Thaw", "Thaw")


def test_plain_text_keeps_its_lines_and_addresses() -> None:
    entry = item(
        "<title>t</title><description>One (see https://b.example/a_(b)).\nTwo &amp;amp; three\n\nhttps://b.example/?a=1&amp;b=2, four</description>"
    )
    link = 'rel="noopener noreferrer nofollow"'
    assert entry.summary_html == (
        f'<p>One (see <a href="https://b.example/a_(b)" {link}>https://b.example/a_(b)</a>).<br>Two &amp; three</p>'
        f'<p><a href="https://b.example/?a=1&amp;b=2" {link}>https://b.example/?a=1&amp;b=2</a>, four</p>'
    )
    assert entry.outlinks == ("https://b.example/a_(b)", "https://b.example/?a=1&b=2")


def test_text_with_little_markup_keeps_its_lines_and_addresses() -> None:
    link = '<a href="https://b.example/" rel="noopener noreferrer nofollow">https://b.example/</a>'
    assert body("if a < b\nthen <https://b.example/>").summary_html == f"<p>if a &lt; b<br>then &lt;{link}&gt;</p>"
    assert body("one\ntwo <b>bold</b>\n\nthree").summary_html == "one<br>two <b>bold</b><br><br>three"
    assert body("<p>one\n\ntwo</p>").summary_html == "<p>one\n\ntwo</p>"


def test_a_body_that_is_escaped_twice() -> None:
    assert (
        item(
            "<title>t</title><description>&amp;lt;p&amp;gt;An &amp;lt;i&amp;gt;ox&amp;lt;/i&amp;gt;.&amp;lt;/p&amp;gt;</description>"
        ).summary_html
        == "<p>An <i>ox</i>.</p>"
    )
    assert (
        item("<title>t</title><description>Use &amp;lt;p&amp;gt; for paragraphs.</description>").text
        == "Use <p> for paragraphs."
    )


@pytest.mark.parametrize("text", ["Zoë’s café", "naïve — “déjà vu”", "Příliš žluťoučký kůň", "Привет, мир", "日本語"])
@pytest.mark.parametrize("misread", ["latin-1", "cp1252", "cp1251"])
def test_utf_8_that_was_read_as_something_else_and_encoded_again(text: str, misread: str) -> None:
    try:
        damaged = text.encode().decode(misread)
    except UnicodeDecodeError:
        pytest.skip("bytes that this encoding does not have")
    entry = item(
        f"<title>{damaged}</title><dc:creator>{damaged}</dc:creator><description>&lt;p&gt;{damaged}&lt;/p&gt;</description>"
    )
    assert (entry.title, entry.author, entry.summary_html) == (text, text, f"<p>{text}</p>")


@pytest.mark.parametrize(
    "text",
    [
        "SÃO PAULO",
        "Â£5 ou Â¥? Não",
        "Why do I see â€™ instead of ’?",
        "NÃO É",
        "États-Unis",
        "Ærø, Ðe",
        "Ça «là»",
        "„Größe“",
        "СССР», «США»",
    ],
)
def test_sound_text_stays_as_it_is(text: str) -> None:
    assert item(f"<title>{text}</title>").title == text


def test_one_bad_byte_spoils_one_letter() -> None:
    text = "<?xml version='1.0' encoding='utf-8'?><rss><channel><item><title>Ünë “ça”</title><link>https://b.example/é</link></item></channel></rss>"
    damaged = text.encode().replace("ë".encode(), b"\xc3")
    for content_type in (None, "text/xml; charset=utf-8"):
        feed = parse(damaged, content_type)
        assert feed.entries[0].title == "Ün\ufffd “ça”"
        assert feed.warnings == ("bad-bytes",)


# --- players and pictures ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("markup", "url", "kind"),
    [
        ('<iframe src="https://www.youtube-nocookie.com/embed/Ab_-9?rel=0"></iframe>', "https://www.youtube.com/watch?v=Ab_-9", "text/html"),
        ('<iframe data-src="//player.vimeo.com/video/12?h=1" src="about:blank"></iframe>', "https://vimeo.com/12", "text/html"),
        ('<iframe src="/widget/9"></iframe>', "https://blog.example/widget/9", "text/html"),
        ('<audio controls><source src="a.ogg" type="audio/ogg"><source src="a.mp3"></audio>', "https://blog.example/2026/walk/a.ogg", "audio/ogg"),
        ('<video src="v.webm">No video?</video>', "https://blog.example/2026/walk/v.webm", "video/webm"),
        ('<object><param name="movie" value="https://www.youtube.com/v/Zz9"></object>', "https://www.youtube.com/watch?v=Zz9", "text/html"),
        ('<embed src="https://p.example/x.mp3">', "https://p.example/x.mp3", "audio/mpeg"),
        ('<iframe src="https://open.spotify.com/embed/episode/7"></iframe>', "https://open.spotify.com/episode/7", "text/html"),
    ],
)  # fmt: skip
def test_a_player_is_a_link_and_an_attachment(markup: str, url: str, kind: str) -> None:
    entry = body(f"<figure>{markup}</figure>")
    assert url in entry.outlinks
    assert [(each.url, each.type) for each in entry.enclosures] == [(url, kind)]
    assert entry.text


@pytest.mark.parametrize(
    "markup",
    [
        '<iframe src="https://www.googletagmanager.com/ns.html?id=1"></iframe>',
        '<iframe width="1" height="1" src="https://c.example/"></iframe>',
        '<iframe srcdoc="&lt;p&gt;x"></iframe>',
        '<iframe src="javascript:x()"></iframe>',
    ],
)
def test_frames_that_nobody_sees_are_no_players(markup: str) -> None:
    entry = body(f"<p>a</p>{markup}")
    assert (entry.summary_html, entry.enclosures) == ("<p>a</p>", ())


@pytest.mark.parametrize(
    ("markup", "picture"),
    [
        ('<img src="data:image/gif;base64,R0" data-lazy-src="a.jpg">', "a.jpg"),
        ('<img src="/img/blank.gif" data-original="a.jpg">', "a.jpg"),
        ('<img src="tiny.jpg" data-src="a.jpg">', "a.jpg"),
        ('<img data-srcset="s.jpg 320w, a.jpg 1280w, huge.jpg 9000w">', "a.jpg"),
        ('<img srcset="s.jpg, a.jpg 2x">', "a.jpg"),
        ('<picture><source data-srcset="a.jpg 800w"><img src="data:x"></picture>', "a.jpg"),
        ('<img src="data:x" class="lazy"><noscript><img src="a.jpg"></noscript>', "a.jpg"),
        ('<img src="a.jpg" srcset="b.jpg 2000w">', "a.jpg"),
        ('<amp-img src="a.jpg" width="9" height="9"></amp-img>', "a.jpg"),
        ('<img src="blank.gif" data-echo="a.jpg">', "a.jpg"),
        ('<img src="/i/spacer.gif" srcset="a.jpg 800w" alt="">', "a.jpg"),
        ("<img src='data:image/svg+xml;utf8,<svg xmlns=\"x\"></svg>' data-src='a.jpg'>", "a.jpg"),
    ],
)
def test_pictures_that_scripts_load(markup: str, picture: str) -> None:
    entry = body(f"<p>w</p>{markup}")
    assert entry.image_url == f"https://blog.example/2026/walk/{picture}"
    assert entry.summary_html.count("<img") == 1


@pytest.mark.parametrize(
    "markup",
    ['<img src="/i/spacer.gif">', '<img src="https://x.example/1x1.png">', '<img width="1" height="1" src="https://x.example/p.gif">',
     '<img style="width:1px;height:1px" src="https://x.example/p">', "<noscript>Please enable JavaScript</noscript>"],
)  # fmt: skip
def test_placeholders_and_pixels_are_no_pictures(markup: str) -> None:
    entry = body(f"<p>w</p>{markup}")
    assert (entry.image_url, entry.summary_html) == (None, "<p>w</p>")


@pytest.mark.parametrize(
    ("inside", "picture"),
    [
        ('<media:thumbnail url="https://p.example/s" width="144" height="81"/>', ("s", 144)),
        ('<media:thumbnail url="https://p.example/s" width="144px"/>', ("s", 144)),
        ('<media:thumbnail url="https://p.example/s" width="wide"/>', ("s", None)),
        ('<media:thumbnail url="https://p.example/s"/><media:thumbnail url="https://p.example/l" width="900"/>', ("s", None)),
        (
            "".join(f'<media:content medium="image" url="https://p.example/{name}" width="{width}"/>'
                    for name, width in (("s", 140), ("l", 700), ("m", 460))),
            ("l", 700),
        ),
        (
            ('<media:content type="image/jpeg" url="https://p.example/l" width="1200"/>'
             '<media:thumbnail url="https://p.example/s" width="75"/>'),
            ("l", 1200),
        ),
        ('<description><![CDATA[<img src="https://p.example/b" width="320">w]]></description>', ("b", 320)),
        ('<description><![CDATA[<img src="https://p.example/b" width="100%">w]]></description>', ("b", None)),
        ('<enclosure url="https://p.example/e.jpg" type="image/jpeg" length="9"/>', ("e.jpg", None)),
    ],
)  # fmt: skip
def test_a_picture_and_its_declared_width(inside: str, picture: tuple[str, int | None]) -> None:
    """Of several sizes the widest, where the first says that it is narrower."""
    entry = item(f"<title>t</title>{inside}")
    assert (entry.image_url, entry.image_width) == (f"https://p.example/{picture[0]}", picture[1])


def test_a_feed_of_a_private_network_may_show_its_pictures() -> None:
    text = "<rss><channel><item><link>https://blog.example/1</link><description>&lt;img src='http://10.0.0.7/a.jpg'&gt;w</description></item></channel></rss>"
    inside = parse_sync(Document(body=text.encode(), url="http://10.0.0.7/feed"))
    assert inside.entries[0].image_url == "http://10.0.0.7/a.jpg"
    assert parse(text).entries[0].image_url is None


def test_a_real_picture_may_be_called_loading() -> None:
    assert body('<img src="/i/loading-the-ship.jpg">').image_url == "https://blog.example/i/loading-the-ship.jpg"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ('<img src="https://s.w.org/images/core/emoji/15.0.3/72x72/1f6a2.png" alt="🚢" class="wp-smiley">', "🚢"),
        (
            '<img class="emoji" alt=":ship:" src="https://a.slack-edge.com/production-standard-emoji-assets/14.0/apple-medium/1f6a2.png">',
            "🚢",
        ),
        ('<img class="Emoji" alt="🚢" src="https://abs.twimg.com/emoji/v2/svg/1f6a2.svg">', "🚢"),
        ('<img class="emoji" src="https://cdn.example/emoji/1f468-200d-2708.svg">', "👨‍✈"),
        ('<img class="custom-emoji" alt=":blob:" src="https://social.example/c/blob.png">', ":blob:"),
    ],
)
def test_emoji_are_text(markup: str, text: str) -> None:
    entry = body(f"<p>Off {markup}!</p>")
    assert (entry.summary_html, entry.text, entry.image_url) == (f"<p>Off {text}!</p>", f"Off {text}!", None)
    assert item(f"<title><![CDATA[Off {markup}!]]></title>").title == f"Off {text}!"


# --- titles and entries --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("inside", "title"),
    [
        ("<link>https://b.example/2026/spring-tide-in-may.html</link>", "spring tide in may"),
        ("<link>https://b.example/releases/v2.1.0/</link>", "v2.1.0"),
        ("<link>https://b.example/</link>", "b.example"),
        ("<link>https://b.example/p/4711</link>", "b.example/p/4711"),
        ('<enclosure url="https://b.example/the%20tide.mp3"/>', "the tide"),
        ("<guid>urn:x</guid>", "(untitled)"),
    ],
)
def test_a_title_of_the_next_best(inside: str, title: str) -> None:
    entry = item(inside)
    assert entry.title == title
    assert entry.is_empty == (title == "(untitled)")


def test_flags_made_of_tags_stay_whole() -> None:
    flag = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
    assert item(f"<title>Scotland {flag} wins</title>").title == f"Scotland {flag} wins"
    assert item("<title>a\U000e0041\U000e0042b</title>").title == "ab", "tags that say something unseen go"


@pytest.mark.parametrize(
    "text",
    [
        "<rss:rss><rss:channel><rss:item><rss:title>x</rss:title></rss:item></rss:channel></rss:rss>",
        "<atom:feed><atom:entry><atom:title>x</atom:title></atom:entry></atom:feed>",
        "<rss version='2.0'><channel><item><title>x</title><foo:bar baz:q='1'/><dc:creator>A</dc:creator></item></channel></rss>",
    ],
)
def test_prefixes_that_nobody_declared(text: str) -> None:
    feed = parse(text)
    assert [entry.title for entry in feed.entries] == ["x"]
    assert feed.warnings == ()


def test_entities_in_json_titles() -> None:
    feed = parse(
        '{"version": "https://jsonfeed.org/version/1.1", "title": "R&amp;B", "items": [{"id": "1", "title": "It&#8217;s"}]}'
    )
    assert (feed.info.title, feed.entries[0].title) == ("R&B", "It’s")


def test_an_identifier_of_dublin_core_is_an_id() -> None:
    assert item("<title>t</title><dc:identifier>doi:10.1/x</dc:identifier>").guid == "doi:10.1/x"
    assert item("<title>t</title><dc:identifier>doi:10.1/x</dc:identifier><guid>g</guid>").guid == "g"


def test_letters_that_are_misread_twice_or_written_as_references() -> None:
    once = "Galvez’s “way”".encode().decode("sloppy-windows-1252")
    assert body(once.encode().decode("sloppy-windows-1252")).text == "Galvez’s “way”"
    assert body("Galvez&acirc;&euro;&trade;s &eacute;t&eacute; &Aring;&auml;").text == "Galvez’s été Åä"


def test_where_a_feed_has_moved() -> None:
    assert (
        parse("<rss><redirect><newLocation>/f</newLocation></redirect></rss>").new_location == "https://feeds.example/f"
    )
    moved = rss("<title>t</title>", "<itunes:new-feed-url>https://new.example/f</itunes:new-feed-url>")
    assert moved.new_location == "https://new.example/f"
    assert rss("<title>t</title>", f"<itunes:new-feed-url>{URL}</itunes:new-feed-url>").new_location is None
    redirect = parse("<redirect><newLocation>https://new.example/f</newLocation></redirect>")
    assert (redirect.new_location, redirect.entries) == ("https://new.example/f", ())


def test_nesting_and_attributes_have_bounds() -> None:
    deep = "<x>" * 5000 + "</x>" * 5000
    assert item(f"{deep}<title>t</title><author>a{'<b>' * 1000}{'</b>' * 1000}</author>").title == "t"
    many = "".join(f" a{n}='1'" for n in range(5000))
    assert item(f"<title{many}>t</title>").title == "t"
    assert len(item("".join(f"<category>c{n}</category>" for n in range(500)) + "<title>t</title>").categories) == 64


# --- ill-formed documents ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("inside", "channel"),
    [
        ("<itunes:title>Tides</itunes:title><enclosure url='https://p.example/7.mp3'/><itunes:duration>9</itunes:duration>",
         "<itunes:author>Fay</itunes:author><itunes:image href='/show.png'/>"),
        (f"{PICTURE}<title>t</title><description>The post.</description>", ""),
        ("<title>t</title><dc:identifier>urn:x:7</dc:identifier><dc:creator>Fay</dc:creator><pubDate>27-02-2026 13:05</pubDate>", ""),
        ("<title>t</title><link>/p/1/</link><description>&lt;img src='a.jpg'&gt;w</description><enclosure url='b.mp3'/>", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("damage", ["</nav><b>", "<a x=1 x=2 y>", "<!-- a -- b -->", "< 5 ]]>", "<p>one<br>two"])
def test_an_ill_formed_document_is_read_by_the_same_rules(inside: str, channel: str, damage: str) -> None:
    sound, damaged = rss(inside, channel), rss(inside, f"{channel}<generator>{damage}</generator>")
    assert damaged.entries == sound.entries
    assert (sound.warnings, damaged.warnings) == ((), ("ill-formed",))


@pytest.mark.parametrize(
    "damaged",
    [
        "<title>t<link>https://b.example/1</link><description>a<br>b</description>",
        "<title><i>t</title></i><link>https://b.example/1<description>a<br>b",
        "</item></channel></rss><item><title>t</title><link>https://b.example/1</link><description>a<br>b</description></item>",
        "<item><title>t<link>https://b.example/1</link><description>a<br>b</description>",
    ],
)
def test_ends_that_are_missing_or_crossed(damaged: str) -> None:
    entry = rss(damaged).entries[-1]
    assert (entry.title, entry.link, entry.summary_html) == ("t", "https://b.example/1", "a<br>b")


def test_an_ill_formed_atom_document_keeps_types_and_authors() -> None:
    entry = atom(
        '<title>t</title><link href=https://b.example/1 rel=alternate><id>u</id><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">a<br>b</div></content>',
        "<author><name>Fay</author>",
    )
    assert (entry.link, entry.guid, entry.content_html, entry.author) == ("https://b.example/1", "u", "a<br>b", "Fay")


@pytest.mark.parametrize(
    "part",
    [
        "<x>",
        "<media:group>",
        "<item><title>x",
        '<p a="',
        "<",
        "<!--",
        "<![CDATA[",
        "<?x ",
        "<a><b></a></b>",
        "<a x=1 x=2>",
    ],
)
def test_balancing_takes_linear_time(part: str) -> None:
    """CPU time of eight times as much, which would be 64 times that of one if every part looked at all others."""

    def took(times: int) -> float:
        text = f"<rss><channel>{part * times}"
        began = process_time()
        assert balanced(text).endswith("</rss>")
        return process_time() - began

    assert min(took(16_000) for _ in range(3)) < 30 * max(min(took(2_000) for _ in range(3)), 0.001)


# --- found by a second opinion on real documents ---------------------------------------------------------------


def test_a_link_to_a_file_may_have_its_address_as_text() -> None:
    entry = atom(
        '<link rel="alternate" href="https://shop.example/hats"/>'
        '<link rel="enclosure" type="image/png">https://shop.example/hat.png</link>'
    )
    assert entry.link == "https://shop.example/hats"
    assert [(each.url, each.type) for each in entry.enclosures] == [("https://shop.example/hat.png", "image/png")]


@pytest.mark.parametrize(
    "written", ["“https://shop.example/a”", '"https://shop.example/a"', "<https://shop.example/a>"]
)
def test_quotes_around_an_address_are_none_of_it(written: str) -> None:
    assert safe_url(written, "https://feeds.example/x.xml") == "https://shop.example/a"


@pytest.mark.parametrize(
    ("summary", "words"),
    [
        ("<summary>Say &amp;ldquo;hat&amp;rdquo;</summary>", "Say “hat”"),
        ('<summary type="text">Say &amp;ldquo;hat&amp;rdquo;</summary>', "Say &ldquo;hat&rdquo;"),
        ("<summary>Hats &amp;amp; caps &lt; 5</summary>", "Hats & caps < 5"),
        ("<summary>Hats &amp; caps &lt;3 &amp;nosuch;</summary>", "Hats & caps <3 &nosuch;"),
    ],
)
def test_references_in_a_summary_that_says_no_type(summary: str, words: str) -> None:
    assert atom(f"<title>t</title>{summary}").text == words


@pytest.mark.parametrize(
    "host", ["secure.gravatar.com/avatar", "gravatar.com/avatar", "avatars.githubusercontent.com/u"]
)
def test_the_face_of_who_wrote_it_is_no_picture_of_an_entry(host: str) -> None:
    face = f'<media:content xmlns:media="http://search.yahoo.com/mrss/" medium="image" url="https://{host}/0b?s=96"/>'
    entry = item(
        f"<title>t</title>{face}"
        '<media:content xmlns:media="http://search.yahoo.com/mrss/" medium="image" url="https://shop.example/hat.jpg"/>'
    )
    assert entry.image_url == "https://shop.example/hat.jpg"
    assert [each.url for each in entry.enclosures] == ["https://shop.example/hat.jpg"]
    alone = item(f"<title>t</title>{face}")
    assert (alone.image_url, alone.enclosures) == (None, ())


def test_an_entry_ends_whatever_is_open_before_it() -> None:
    itunes = 'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
    feed = parse(
        f'<rss version="2.0" {itunes}><channel><title>Show</title><itunes:category text="Arts"><itunes:category text="Hats"/>'
        "<item><title>One</title><itunes:summary>All about hats</itunes:summary></item>"
        "<item><title>Two</title></item></channel></rss>"
    )
    assert [(entry.title, entry.text) for entry in feed.entries] == [("One", "All about hats"), ("Two", "")]


# --- found by inputs that were thought of before they were tried ------------------------------------------------


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("PT2H5M9S", 7509),
        ("PT7M", 420),
        ("pt45.5s", 45),
        ("PT", None),
        ("P1D", None),
        ("1:00:01.5", 3601),
        ("45 min.", 2700),
        ("2 minutes", 120),
    ],
)
def test_lengths_of_episodes(written: str, seconds: int | None) -> None:
    sound = '<enclosure url="https://shop.example/hat.mp3" type="audio/mpeg" length="1,024,000"/>'
    (enclosure,) = item(f"<title>t</title>{sound}<itunes:duration>{written}</itunes:duration>").enclosures
    assert (enclosure.duration_s, enclosure.size_bytes) == (seconds, 1_024_000)


@pytest.mark.parametrize(
    ("people", "author"),
    [
        ("<podcast:person>Ann</podcast:person>", "Ann"),
        ('<podcast:person role="Host" href="https://a.example/">Ann</podcast:person>', "Ann"),
        ('<podcast:person role="guest">Gus</podcast:person>', None),
        ("<podcast:person>Ann</podcast:person><author>Eve</author>", "Eve"),
    ],
)
def test_the_host_of_a_podcast_stands_in_for_its_author(people: str, author: str | None) -> None:
    namespace = 'xmlns:podcast="https://podcastindex.org/namespace/1.0"'
    text = f'<rss version="2.0" {namespace}><channel><item><title>t</title>{people}</item></channel></rss>'
    assert parse(text).entries[0].author == author


def test_an_item_of_rdf_is_at_the_address_it_is_about() -> None:
    rdf = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"'
    feed = parse(
        f'<rdf:RDF {rdf}><channel rdf:about="https://shop.example/"/><item rdf:about="https://shop.example/hat"><title>t</title></item>'
        '<item rdf:about="urn:hat"><title>u</title></item></rdf:RDF>'
    )
    assert [(entry.guid, entry.link) for entry in feed.entries] == [
        ("https://shop.example/hat", "https://shop.example/hat"),
        ("urn:hat", None),
    ]


def test_marks_of_cdata_that_were_escaped_hide_no_markup() -> None:
    entry = item(
        "<title>&lt;![CDATA[Caps &amp;amp; <i/> hats]]&gt;</title><description>&lt;![CDATA[A &lt;b&gt;hat&lt;/b&gt;]]&gt;</description>"
    )
    assert (entry.title, entry.text) == ("Caps & hats", "A hat")


def test_a_date_with_a_minus_for_a_hyphen() -> None:
    assert parse_date("2026-11-03T10:00:00\u221205:00") == datetime(2026, 11, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("By Ann Lee", "Ann Lee"),
        ("BY: ANN LEE", "ANN LEE"),
        ("Byron Lee", "Byron Lee"),
        ('<a href="mailto:ann@shop.example">Ann Lee</a>', "Ann Lee"),
        ("<span class='name'>Ann</span> <b>Lee</b>", "Ann Lee"),
        ("Ann <b@shop.example>", "Ann"),
        ("=?iso-8859-1?q?Zo=EB?= Lee <zoe@shop.example>", "Zoë Lee"),
        ("=?no-such-code?b?Zm9v?= Lee", "=?no-such-code?b?Zm9v?= Lee"),
        ("=?utf-8?b?Zm9vA?= Lee", "=?utf-8?b?Zm9vA?= Lee"),
        ("=?utf-8?q?=ff?= Lee", "=?utf-8?q?=ff?= Lee"),
    ],
)
def test_what_stands_around_a_name(written: str, name: str) -> None:
    assert name_of(written) == name


def test_a_picture_stands_once_wherever_its_stand_in_is() -> None:
    stand_in, lazy = '<noscript><img src="/hat.jpg"></noscript>', '<img src="placeholder.svg" data-src="/hat.jpg">'
    assert body(stand_in + lazy).summary_html.count("<img") == 1
    assert body(lazy + stand_in).summary_html.count("<img") == 1
    assert body('<img src="/hat.jpg"><img src="/hat.jpg">').summary_html.count("<img") == 2


def test_a_relation_may_be_written_as_the_address_that_it_stands_for() -> None:
    relation = "http://www.iana.org/assignments/relation"
    entry = atom(
        f'<link rel="{relation}/enclosure" href="https://shop.example/hat.mp3"/>'
        f'<link rel="{relation}/alternate" href="https://shop.example/hat"/>'
    )
    assert (entry.link, [each.url for each in entry.enclosures]) == (
        "https://shop.example/hat",
        ["https://shop.example/hat.mp3"],
    )


@pytest.mark.parametrize(
    ("inside", "author"),
    [
        ('<media:credit role="author">Ann</media:credit>', "Ann"),
        ('<media:credit role="photographer">Pat</media:credit>', None),
        ('<media:credit scheme="urn:ebu">Pat</media:credit>', None),
        ('<media:credit role="author">Ann</media:credit><dc:creator>Eve</dc:creator>', "Eve"),
        ('<d:creator xmlns:d="http://purl.org/dc/terms/">Ann</d:creator>', "Ann"),
    ],
)
def test_who_else_is_named_as_an_author(inside: str, author: str | None) -> None:
    assert item(f"<title>t</title>{inside}").author == author


def test_elements_that_no_format_knows_and_many_write() -> None:
    entry = item("<title>t</title><date>2026-11-03</date><thumbnail>https://shop.example/hat.png</thumbnail>")
    assert (entry.published, entry.image_url) == (datetime(2026, 11, 3, tzinfo=UTC), "https://shop.example/hat.png")
    dated = item("<title>t</title><date>2026-11-03</date><pubDate>Mon, 02 Nov 2026 10:00:00 GMT</pubDate>")
    assert dated.published == datetime(2026, 11, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("inside", "files"),
    [
        ('<media:player url="https://shop.example/watch/hat"/>', [("https://shop.example/watch/hat", "text/html")]),
        (
            '<media:player url="/watch/hat"/><enclosure url="https://shop.example/hat.mp4" type="video/mp4"/>',
            [("https://shop.example/hat.mp4", "video/mp4")],
        ),
        (
            '<podcast:alternateEnclosure type="audio/opus"><podcast:source uri="https://shop.example/hat.opus"/></podcast:alternateEnclosure>',
            [("https://shop.example/hat.opus", "audio/ogg")],
        ),
    ],
)
def test_what_stands_in_for_the_file_of_an_episode(inside: str, files: list[tuple[str, str]]) -> None:
    assert [(each.url, each.type) for each in item(f"<title>t</title>{inside}").enclosures] == files
