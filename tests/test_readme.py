"""The examples of README.md as a newcomer types them, one after the other, beside a daemon that runs."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from daemon_process import config_text, daemon
from origin import Answer, Origin, rss

from aggregator.cli import run_command

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
OPML = '<opml version="2.0"><body><outline text="Harbour" type="rss" xmlUrl="{url}"/></body></opml>'
SUBJECTS = ["Ferry runs aground off the northern cape", "Council votes on the new bridge"]


def block(heading: str, language: str = "sh") -> list[str]:
    """The lines of the first block of a section, without comments."""
    found = re.search(rf"^## {re.escape(heading)}\n.*?^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found, heading
    return [line.partition("#")[0].strip() for line in found[1].splitlines() if line.strip()]


def addresses() -> list[str]:
    """The addresses of the table of feeds, and of the link that stands above it."""
    table = re.search(r"^## Subscribe.*?\n\n(.*?)\n\n", README, re.MULTILINE | re.DOTALL)
    assert table
    found = re.findall(r"`(/[^`]+)`", table[1])
    assert len(found) > 7, found
    [shown] = set(re.findall(r"http://127\.0\.0\.1:8080(/\S+?)`", README))
    return [shown, *found]


def test_the_examples_of_the_readme_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Origin() as agency, Origin("127.0.0.2") as blog, Origin("127.0.0.3") as harbour:
        first = agency.on("/feed", Answer(body=rss(*SUBJECTS, site="http://agency.example")))
        blog.on("/atom", Answer(body=rss("A comet is seen from the pier", SUBJECTS[0], site="http://blog.example")))
        page = b'<html><head><link rel="alternate" type="application/rss+xml" href="/atom"></head></html>'
        home = blog.on("/", Answer(body=page, headers={"Content-Type": "text/html"}))
        quay = harbour.on("/feed", Answer(body=rss(SUBJECTS[0], "Gulls learn to read", site="http://quay.example")))
        (tmp_path / "subscriptions.opml").write_text(OPML.format(url=quay))

        def typed(line: str) -> str:
            """What a command of the manual prints; its invented address is that of a publisher here."""
            words = shlex.split(line.replace("https://example.org/blog", home).replace("ITEM", item))
            assert words.pop(0) == "aggregator", line
            code = run_command(words)
            said = capsys.readouterr()
            assert code == 0, f"{line}: {said.err}"
            return said.out

        item = ""
        with daemon(tmp_path, config_text(first)) as running:
            for line in block("Follow something"):
                typed(line)
            running.wait_for(lambda: {"A comet is seen from the pier", "Gulls learn to read"} <= set(running.titles()))
            item = str(json.loads(typed("aggregator list latest --json").splitlines()[0])["id"])
            running.wait_for(lambda: typed("aggregator stories --min-sources 3").strip(), "a story of three sources")
            shown = {line: typed(line) for line in block("Ask it why")}
            assert all(text.strip() for text in shown.values()), shown
            for address in addresses():
                if "<name>" not in address:  # a list of one's own: in no example
                    answer = running.get(address.replace("<id>", item).replace("<slug>", "harbour"))
                    assert answer.status == 200, address
