"""The W3C feed validator's opinion, where its source is at hand.

FEEDVALIDATOR_SRC names its checkout, FEEDVALIDATOR_PYTHON a Python that has what its requirements.txt asks for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from test_validity import EVERY

from aggregator.publish import feeds
from aggregator.publish.channel import Channel

SOURCE = os.environ.get("FEEDVALIDATOR_SRC", "")
PYTHON = os.environ.get("FEEDVALIDATOR_PYTHON", sys.executable)
pytestmark = pytest.mark.skipif(
    not SOURCE, reason="needs FEEDVALIDATOR_SRC, a checkout of the W3C feed validator (github.com/w3c/feedvalidator)"
)

#: what it says of every feed with a namespace of its own
ACCEPTED = {"UnknownNamespace"}
#: where an episode stands in a feed, Apple's directory wants to know whom to write to: told where [site] contact is one
MAIL = "desk@site.example"
#: of a process of its own: the validator is somebody else's code, with warnings of its own
SCRIPT = """
import json, sys
import feedvalidator
from feedvalidator import compatibility, logging
document = sys.stdin.buffer.read().decode()
events = feedvalidator.validateString(document, firstOccurrenceOnly=1, base=sys.argv[1])["loggedEvents"]
found = [
    [type(event).__name__, isinstance(event, logging.Error), {key: str(value) for key, value in event.params.items()}]
    for event in compatibility.AA(events)
]
print(json.dumps(found))
"""


def complaints(document: bytes, address: str) -> list[str]:
    root = Path(SOURCE)
    package = root / "src" if (root / "src" / "feedvalidator").is_dir() else root
    done = subprocess.run(
        [PYTHON, "-W", "ignore", "-c", SCRIPT, address],
        input=document,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(package)},
        timeout=60,
        check=True,
    )
    return [
        f"{name} {params}" for name, is_error, params in json.loads(done.stdout) if is_error or name not in ACCEPTED
    ]


@EVERY
def test_it_has_nothing_to_say_of_atom(channel: Channel) -> None:
    reachable = replace(channel, contact_mail=MAIL)
    assert complaints(feeds.atom(reachable), channel.self_url("atom")) == []


@EVERY
def test_it_has_nothing_to_say_of_rss(channel: Channel) -> None:
    reachable = replace(channel, contact_mail=MAIL)
    assert complaints(feeds.rss(reachable), channel.self_url("rss")) == []
    assert {one.partition(" ")[0] for one in complaints(feeds.rss(channel), channel.self_url("rss"))} <= {
        "MissingItunesEmail"
    }
