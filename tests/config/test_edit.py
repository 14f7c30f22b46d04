from __future__ import annotations

import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator import config
from aggregator.config import NewSource
from aggregator.errors import ConfigError, NotFound

TEXT = """# my file
[site]
title = "Mine"   # kept

# --- World
[[sources]]
url = "https://a.example/feed"   # the first
section = "World"
# weight = 2

# --- Tech
[[sources]]
url = "https://b.example/feed"
section = "Tech"
[[sources]]
section = "Tech"
url = "https://c.example/feed"
# --- Rules
[[rules]]
match = 'title ~ "x"'
action = "drop"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(TEXT, "utf-8", newline="")
    return path


def test_a_source_is_added_behind_the_last_of_its_section(path: Path) -> None:
    config.add_source(path, "https://new.example/", section="World", name='A "quoted" name')
    assert path.read_text("utf-8") == TEXT.replace(
        "# weight = 2\n",
        '# weight = 2\n\n[[sources]]\nurl = "https://new.example/"\nsection = "World"\nname = "A \\"quoted\\" name"\n',
    )


def test_a_new_section_goes_behind_the_last_source(path: Path) -> None:
    config.add_source(path, "https://new.example/", section="Arts")
    assert path.read_text("utf-8") == TEXT.replace(
        'url = "https://c.example/feed"\n',
        'url = "https://c.example/feed"\n\n[[sources]]\nurl = "https://new.example/"\nsection = "Arts"\n\n',
    )


def test_the_first_source_of_a_file_goes_to_its_end(path: Path) -> None:
    path.write_text('[site]\ntitle = "x"')
    config.add_source(path, "https://new.example/")
    assert path.read_text() == '[site]\ntitle = "x"\n\n[[sources]]\nurl = "https://new.example/"\n'


def test_many_sources_are_added_in_one_step(path: Path) -> None:
    new = [
        NewSource(url=f"https://{at}.example/", section=section) for at, section in enumerate(["Tech", "Arts", "World"])
    ]
    config.add_sources(path, new)
    added = [(source.url, source.section) for source in config.load(path).sources]
    assert added == [
        ("https://a.example/feed", "World"),
        ("https://2.example/", "World"),
        ("https://b.example/feed", "Tech"),
        ("https://c.example/feed", "Tech"),
        ("https://0.example/", "Tech"),
        ("https://1.example/", "Arts"),
    ]


def test_what_was_added_is_removed_without_a_trace(path: Path) -> None:
    for section in ("World", "Tech", "Arts"):
        before = path.read_text("utf-8")
        config.add_source(path, "https://new.example/", section=section)
        config.remove_source(path, "http://www.new.example")
        assert path.read_text("utf-8").replace("\n\n", "\n") == before.replace("\n\n", "\n")


def test_removing_takes_the_table_and_the_comments_that_belong_to_it(path: Path) -> None:
    config.remove_source(path, "https://a.example/feed")
    assert path.read_text("utf-8") == TEXT.replace(
        '[[sources]]\nurl = "https://a.example/feed"   # the first\nsection = "World"\n# weight = 2\n', ""
    )
    config.remove_source(path, "https://c.example/feed")
    assert path.read_text("utf-8").endswith(
        'section = "Tech"\n# --- Rules\n[[rules]]\nmatch = \'title ~ "x"\'\naction = "drop"\n'
    )
    config.remove_source(path, "https://b.example/feed")
    assert config.load(path).sources == ()


def test_windows_line_ends_byte_order_mark_and_mode_are_kept(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    config.add_source(path, "https://new.example/", section="World")
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf# my file\r\n")
    assert content.count(b"\n") == content.count(b"\r\n")
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in path.parent.iterdir()] == ["config.toml"]


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    config.add_source(link, "https://new.example/")
    assert link.is_symlink()
    assert "new.example" in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("url", "section", "words"),
    [
        ("https://a.example/feed", None, "already followed"),
        ("http://www.a.example/feed/", None, "already followed"),
        ("nonsense", None, "not an http or https address"),
        ("https://x.example", "world", "same address as"),
        ("https://x.example", "", "must not be empty"),
    ],
)
def test_what_would_be_invalid_is_not_written(path: Path, url: str, section: str | None, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config.add_source(path, url, section=section)
    assert path.read_text("utf-8") == TEXT


def test_an_unknown_source_cannot_be_removed(path: Path) -> None:
    with pytest.raises(NotFound, match=r"no source has the address .*; did you mean 'https://a\.example/feed'\?"):
        config.remove_source(path, "https://a.example/feeed")


def test_an_invalid_file_is_not_edited(path: Path) -> None:
    path.write_text(TEXT.replace("title =", "titel ="))
    with pytest.raises(ConfigError, match="titel"):
        config.add_source(path, "https://new.example/")


def test_sources_written_as_an_inline_array_are_left_alone(path: Path) -> None:
    path.write_text('sources = [{ url = "https://a.example" }]\n')
    with pytest.raises(ConfigError, match=r"config\.toml:1: .*write each as \[\[sources\]\]"):
        config.add_source(path, "https://new.example/")


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.add_source(tmp_path / "none.toml", "https://a.example")


_NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=10)


@settings(max_examples=40)
@given(st.lists(st.tuples(_NAMES, st.sampled_from(["World", "Tech", "Arts"])), max_size=6), st.data())
def test_any_sources_come_and_go_and_everything_else_stays(names: list[tuple[str, str]], data: st.DataObject) -> None:
    new = [
        NewSource(url=f"https://{at}.example/", section=section, name=name) for at, (name, section) in enumerate(names)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_text(TEXT, "utf-8")
        config.add_sources(path, new)
        loaded = {source.url: (source.name, source.section) for source in config.load(path).sources}
        assert all(loaded[one.url] == (one.name, one.section) for one in new)
        for one in data.draw(st.permutations(new)):
            config.remove_source(path, one.url)
        left = path.read_text("utf-8")
    assert tomllib.loads(left) == tomllib.loads(TEXT)
    assert [line for line in left.split("\n") if line.strip()] == [line for line in TEXT.split("\n") if line.strip()]
