"""Where the time of a process goes, all its threads together, by part of the program. Needs nothing of this project.

What only waits is left out (but a thread may wait for the interpreter anywhere, and a commit for the disk). A profiler
makes many small calls dearer than few large ones: shares are what to read.
"""

from __future__ import annotations

import cProfile
import threading
from collections import defaultdict
from functools import cache
from types import CodeType
from typing import Any

#: the first that is in a function's file or name tells its part
PARTS = (
    ("feedparser's sanitiser", ("/sanitizer.py", "sgmllib", "feedparser/html.py", "feedparser/urls.py")),
    ("feedparser", ("feedparser", "parse/quicker", "xml/sax", "pyexpat")),
    ("cleaning", ("collect/clean", "nh3", "builtins.Cleaner")),
    ("repair, delta, fields", ("collect/parse/repair", "collect/parse/delta", "collect/parse/xmlfeed", "decode.py")),
    ("between the processes", ("collect/parse/w", "json/", "_json", "base64", "binascii")),
    ("identity", ("curate/", "yarl")),
    ("store", ("aggregator/store", "reader/_storage", "sqlite3")),
    ("HTTP", ("aiohttp", "collect/fetch", "requests", "urllib3", "http/", "_socket", "ssl", "email/", "multidict")),
    ("poll, pump, cadence", ("aggregator/",)),
    ("reader itself", ("reader/",)),
    (
        "event loop, threads",
        ("asyncio", "_asyncio", "selectors", "threading", "concurrent", "queue", "_thread", "select"),
    ),
)
#: what is built in and waits
_WAITS = ("acquire", "poll' of", "select.", "SimpleQueue", "sleep", "recv", "readinto", "'get' of '_queue")
_TOP = 12


class Profiles:
    """Profiles this thread and every thread that is started from now on."""

    def __init__(self) -> None:
        self._all: list[cProfile.Profile] = []
        self._before: dict[tuple[str, str], float] = {}
        threading.setprofile(self._begin)
        self._begin()

    def _begin(self, *_event: Any) -> None:
        profile = cProfile.Profile()
        self._all.append(profile)
        profile.enable()

    def spent(self, times: int) -> str:
        """What was spent since this was asked last, for each of so many times something was done."""
        self._all[0].disable()
        now = _spent(self._all)
        since = {place: seconds - self._before.get(place, 0.0) for place, seconds in now.items()}
        self._before = now
        self._all[0].enable()
        return _table(since, times)


def _spent(profiles: list[cProfile.Profile]) -> dict[tuple[str, str], float]:
    """Seconds by part and function; what is built in counts to where it was called from."""
    found: dict[tuple[str, str], float] = defaultdict(float)
    for entry in [entry for profile in list(profiles) for entry in profile.getstats()]:
        if isinstance(entry.code, str):
            continue
        part = part_of(entry.code.co_filename)
        found[part, _name(entry.code)] += entry.inlinetime
        for called in entry.calls or ():
            if isinstance(called.code, str) and not any(wait in called.code for wait in _WAITS):
                inside = part_of(called.code)
                found[part if inside == "other" else inside, called.code] += called.inlinetime
    return found


@cache
def part_of(place: str) -> str:
    """The part of the program that a file, or a function that is built in, belongs to."""
    return next((part for part, marks in PARTS if any(mark in place for mark in marks)), "other")


def _name(code: CodeType) -> str:
    return f"{'/'.join(code.co_filename.split('/')[-2:])}:{code.co_firstlineno} {code.co_name}"


def _table(spent: dict[tuple[str, str], float], times: int) -> str:
    parts: dict[str, float] = defaultdict(float)
    for (part, _), seconds in spent.items():
        parts[part] += seconds
    functions = {name: seconds for (_, name), seconds in spent.items()}
    return "\n".join(
        (*_rows(parts, times), "    of these, the functions that took most:", *_rows(functions, times)[:_TOP])
    )


def _rows(spent: dict[str, float], times: int) -> list[str]:
    whole = sum(spent.values()) or 1.0
    most = sorted(spent.items(), key=lambda each: -each[1])
    return [f"    {1000 * seconds / times:7.3f} ms {seconds / whole:5.0%}  {name}" for name, seconds in most]
