"""feedparser made quicker says what feedparser says: over odd documents, and over real ones where they are at hand."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plain_feedparser
import pytest
from plain_feedparser import said

from aggregator.collect.parse.quicker import UnreadDate, make_quicker

make_quicker()

RSS = '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/">'
ATOM = '<feed xmlns="http://www.w3.org/2005/Atom">'


def rss(inside: str, head: str = "") -> str:
    return f"{RSS}<channel><title>T</title>{head}<item>{inside}</item></channel></rss>"


def atom(inside: str) -> str:
    return f"{ATOM}<title>T</title><entry>{inside}</entry></feed>"


ODD = {
    "relative addresses": rss("<link>a?b=1&amp;c=2</link><guid>d</guid><comments>../e</comments>"),
    "a base": f'{ATOM}<entry xml:base="http://other.example/x/"><link href="y"/><id>z</id></entry></feed>',
    "a base of an element": rss(
        '<description xml:base="http://b.example/">&lt;p&gt;x&lt;/p&gt;</description><link>q</link>'
    ),
    "a base that is none": '<feed xmlns="http://www.w3.org/2005/Atom" xml:base="javascript:x">'
        '<link href="y"/></feed>',
    "a plain base": rss('<title base="http://b.example/" lang="de">x</title><link>q</link>'),
    "languages": f'{RSS.replace("<rss", "<rss xml:lang=" + chr(34) + "en_GB" + chr(34))}<channel>'
        '<language>de</language>'
    '<item><title xml:lang="">x</title><description>y</description></item></channel></rss>',
    "xhtml": atom('<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">'
        '<b>x</b> &amp; <i a="&quot;">y</i></div></content>'),
    "svg": atom('<title type="xhtml"><svg xmlns="http://www.w3.org/2000/svg"><title>t</title></svg>'
        '</title><summary>s</summary>'),
    "svg outside of content": atom('<svg xmlns="http://www.w3.org/2000/svg"><title>t</title></svg>'
        '<title>after</title>'),
    "markup in text": rss("<description>a <b>bold</b> <div>move</div></description><title>x <i>y</i></title>"),
    "base64": atom('<content type="application/octet-stream">aGVsbG8=</content>'
        '<summary mode="base64">aGk=</summary>'),
    "guessed html": rss("<title>&lt;b&gt;x&lt;/b&gt;</title><copyright>a &amp;amp; b</copyright>"),
    "guessed and no html": rss("<title>&lt;unheard&gt;x&lt;/unheard&gt; &amp;nothing;</title>"),
    "windows-1252": rss("<title>\x93x\x94 caf\xc3\xa9 \u20ac</title><description>\x85</description>"),
    "aliases": rss("<modified>2024-01-01</modified><issued>2024-01-02T03:04:05Z</issued>"
        "<tagline>t</tagline><copyright>c</copyright>"),
    "dates that are none": rss("<pubDate>soon</pubDate><dc:date>2024-02-30</dc:date>"
        "<expirationDate>x</expirationDate>"),
    "people": rss("<author>a@b.example (A B)</author><dc:creator>C &lt;c@d.example&gt;</dc:creator>"),
    "people of atom": atom("<author><name>A</name><email>a@b</email><uri>u</uri></author><contributor>"
        "<name>C</name></contributor>"),
    "categories": rss('<category domain="d">x</category><category/><dc:subject>y</dc:subject><category term="z"/>'),
    "media": rss(
        '<media:group><media:content URL="u" type="IMAGE/PNG"><media:title>m</media:title></media:content>'
        '<media:thumbnail url="t"/><media:thumbnail>v</media:thumbnail></media:group><title>own</title>'
    ),
    "two descriptions": rss("<description>a</description><description>b</description><summary>c</summary>"),
    "text input and picture": rss(
        "<title>x</title>",
        "<textInput><title>t</title><name>n</name></textInput><image><url>u</url><width>1</width>"
        "<title>i</title></image>",
    ),
    "unknown elements": rss('<x>1</x><y a="b">2</y><z:w xmlns:z="urn:z">3</z:w>'
        '<z:v xmlns:z="urn:z" z:a="1">4</z:v>'),
    "prefixes of their own": '<r:rss xmlns:r="http://backend.userland.com/rss2" version="2.0"><r:channel><r:item>'
    '<q:creator xmlns:q="http://purl.org/dc/elements/1.1/">c</q:creator><r:title>t</r:title></r:item>'
        '</r:channel></r:rss>',
    "a prefix that changes its meaning": rss(
        '<a:title xmlns:a="urn:a">1</a:title><a:title xmlns:a="http://purl.org/dc/elements/1.1/">2</a:title>'
    ),
    "more names than are remembered": rss("".join(f"<e{n}>{n}</e{n}>" for n in (*range(600), *range(300)))
        + "<title>t</title>"),
    "more namespaces than are remembered": rss("".join(f'<x{n}:y xmlns:x{n}="urn:{n}">{n}</x{n}:y>' for n in range(60))
        + '<dc:creator>c</dc:creator><x1:y xmlns:x1="http://purl.org/dc/elements/1.1/">2</x1:y>'),
    "a prefix that is another one's in the document before": rss('<a:creator xmlns:a="urn:other">1</a:creator>'),
    "a prefix that was another one's in the document before": rss(
        '<a:creator xmlns:a="http://purl.org/dc/elements/1.1/">1</a:creator>'
    ),
    "a declaration that lies": '<?xml version="1.0" encoding="utf-16"?>' + rss("<title>\u20ac</title>"),
    "namespaces said again in each entry": rss(
        '<dc:creator xmlns:dc="http://purl.org/dc/elements/1.1/">c</dc:creator><title>t</title></item><item>'
        '<dc:creator xmlns:dc="http://purl.org/dc/elements/1.1/">d</dc:creator><n xmlns="urn:n">1</n><title>u</title>'
    ),
    "a namespace said in other letters": rss(
        '<dc:creator xmlns:dc="http://PURL.org/dc/elements/1.1/">c</dc:creator><dc:creator>d</dc:creator>'
    ),
    "a known namespace without a prefix": rss(
        '<creator xmlns="http://purl.org/dc/elements/1.1/">c</creator><dc:creator>d</dc:creator>'
    ),
    "a known namespace under another prefix": rss(
        '<d:creator xmlns:d="http://purl.org/dc/elements/1.1/">c</d:creator><title>t</title>'
    ),
    "no namespace any more": atom('<x xmlns="">1</x><title xmlns="">2</title><title>3</title>'),
    "xlink within": atom('<link xmlns:k="http://www.w3.org/1999/xlink" href="a"/></entry><entry>'
        '<link xmlns:k="http://www.w3.org/1999/xlink" href="b"/>'),
    "people without names": rss("<author>a@b.example</author><dc:creator>c@d.example</dc:creator><title>t</title>"),
    "xlink": atom('<link xmlns:k="http://www.w3.org/1999/xlink" k:href="z" href="y"/>'),
    "source": rss('<source url="s">S</source>') + "",
    "source of atom": atom("<source><title>S</title><id>i</id><link href='l'/></source><title>t</title>"),
    "rdf": '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
    '<channel rdf:about="c"><title>C</title></channel><item rdf:about="i"><title>I</title><link>l</link>'
        '</item></rdf:RDF>',
    "cdf": '<CHANNEL HREF="http://c.example/"><ITEM HREF="a" LASTMOD="1998-01-01T00:00"><TITLE>x</TITLE>'
        '</ITEM></CHANNEL>',
    "ill-formed": rss("<title>a & b</title><description>c"),
    "not closed": rss("<title>x</title>")[:-20],
    "an undeclared prefix": "<rss><channel><item><no:title>x</no:title></item></channel></rss>",
    "addresses with odd parts": rss("<link>HTTP://a.example/x;</link><guid>http:///a.example/b#</guid>"
        "<docs>http://a.example?</docs>"),
    "links": atom(
        '<link rel="SELF" href="a"/><link href="b" type="TEXT/HTML"/>'
        '<link rel="enclosure" href="c" length="1"/><link>d</link>'
    ),
}  # fmt: skip


def plainly(documents: Sequence[bytes]) -> list[Any]:
    """What feedparser says as it comes."""
    script = Path(plain_feedparser.__file__)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)], input=pickle.dumps(documents), stdout=subprocess.PIPE, check=True
    )
    found: list[Any] = pickle.loads(done.stdout)
    return found


def differing(documents: dict[str, bytes]) -> list[str]:
    """The documents of which the two say different things."""
    expected = plainly(list(documents.values()))
    found = {name: read(said(body)) for name, body in documents.items()}
    return [name for name, plain in zip(found, expected, strict=True) if found[name] != plain]


def read(value: Any) -> Any:
    """What was said, with its dates read."""
    if isinstance(value, dict):
        return {key: read(each) for key, each in value.items()}
    if isinstance(value, list):
        return [read(each) for each in value]
    if isinstance(value, UnreadDate):
        moment = value.read()
        return moment and tuple(moment)
    return value


def test_odd_documents_are_read_as_by_feedparser() -> None:
    documents = {name: text.encode() for name, text in ODD.items()}
    assert differing(documents) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.data
def test_real_documents_are_read_as_by_feedparser(shared_data: Path) -> None:
    documents = {str(path): path.read_bytes() for path in (shared_data / "real").rglob("*") if path.is_file()}
    assert len(documents) > 300
    # its author is a thousand letters long, which is where `bounds` comes in
    assert [Path(name).parts[-2:] for name in differing(documents)] == [("feedhq", "rss20.xml")]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.data
@pytest.mark.parametrize("suite", ["feedparser", "feedvalidator"])
def test_conformance_documents_are_read_as_by_feedparser(shared_data: Path, suite: str) -> None:
    with tarfile.open(shared_data / f"conformance/{suite}.tar.xz") as archive:
        files = {member.name: archive.extractfile(member) for member in archive}
        documents = {name: file.read() for name, file in files.items() if file is not None}
    assert len(documents) > 1000
    assert differing(documents) == []
