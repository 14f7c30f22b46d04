"""What whole polls cost, beside `reader` (PyPI) on the same documents from the same loopback server.

    python bench/collect.py [--data ../shared/data] [--sources 500] [--workers 1,4,16] [--times 1] [--venv DIR]
                            [--tls] [--profile]

Four rounds over all sources: cold; two of fifty entries new; nothing new and a server that says so (304); nothing new
and a server that does not (the same body again, without validators). Both sides play a round after one
another before the next one begins, as the machine's speed wanders; the last two are played until each side has spent
four seconds on them, eight times at the most. What is compared is CPU: user and system time of all processes of a side.
reader has the number of workers that suits it best in each round. With `--times`, all of it several times, with new
databases: the median of the ratios counts. With `--tls`, over https: a handshake for each poll, as between two polls of
a daemon.

With `--profile` the rates mean nothing; instead each side says by round where its CPU went, and so does what a child
process of ours does with the documents.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from collect_origin import REPEATED, TOLD_AT, address, server, urls
from collect_ours import child

#: a round, what it shows, and how many times our CPU reader's is to be
GOALS = {"cold": 4.0, "new": 18.0, "unmodified": 6.0, "same": 90.0}
MEANING = {
    "cold": "all entries new",
    "new": "2 of 50 entries new",
    "unmodified": "304",
    "same": "same body, no validators",
}
#: of `REPEATED` rounds: in half a second their begin and their end weigh much
AT_LEAST_S, AT_MOST = 4.0, 8
BESIDE = Path(__file__).parent


class Side:
    """One of those that are compared: a process that plays a round for each line on its stdin."""

    def __init__(self, name: str, command: Sequence[str], sources: int) -> None:
        self.name, self._sources = name, sources
        self._repeats = "--profile" not in command
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        #: what it answered, by round, in the order of playing
        self.rounds: dict[str, list[dict[str, Any]]] = {stage: [] for stage in GOALS}
        #: what it said when it ended
        self.end: dict[str, Any] = {}
        self._answer()

    def play(self, stage: str) -> None:
        """One round: what the side says of it, with the CPU of its children and what the server was asked for."""
        assert self._process.stdin is not None
        tell(f"round/{stage}")
        before = children_cpu_s(self._process.pid)
        self._process.stdin.write(stage + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if told := answer.get("profile"):
            print(f"{self.name}, {stage}, ms a poll\n{told}", flush=True)
        asked = json.loads(tell("asked"))
        said = [f"{asked[status]} times {status}" for status in ("200", "304") if status in asked]
        self.rounds[stage].append(
            answer
            | {
                "children": children_cpu_s(self._process.pid) - before,
                "asked": f"{' and '.join(said)} over {asked.get('connections', 0)} connections",
            }
        )

    def wants(self, stage: str) -> bool:
        """Whether it is to play this round (once more)."""
        played = self.rounds[stage]
        if not played or stage not in REPEATED or not self._repeats:
            return not played
        return len(played) < AT_MOST and sum(one["s"] for one in played) < AT_LEAST_S

    def spent(self, stage: str, what: str = "s") -> float:
        """The mean of a round: ``s`` that it took, of which ``own`` CPU and ``children``'s."""
        return statistics.fmean(one[what] for one in self.rounds[stage])

    def cpu_s(self, stage: str) -> float:
        """CPU of a round: user and system time of the process and of its children."""
        return self.spent(stage, "own") + self.spent(stage, "children")

    def cpu_ms(self, stage: str) -> str:
        """CPU a poll, of the process and of its children, in words."""
        own, children = (1000 * self.spent(stage, whose) / self._sources for whose in ("own", "children"))
        return f"{own:.2f} + {children:.1f}" if children else f"{own:.2f}"

    def told(self, stage: str) -> str:
        """A round in one line."""
        asked = ", ".join(dict.fromkeys(one["asked"] for one in self.rounds[stage]))
        return (
            f"  {stage:11} {self.name:17} {self.spent(stage):7.2f} s, {self.rounds[stage][-1]['mb']:4.0f} MB,"
            f" {self.cpu_ms(stage)} ms CPU a poll; asked: {asked}"
        )

    def close(self) -> None:
        """Lets it end, and hears what it says of that."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self.end = json.loads(self._process.stdout.readline() or "{}")
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended: {self._process.args!r}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def play(arguments: argparse.Namespace, python: Path | None, scratch: Path) -> list[Side]:
    """All rounds once, on new databases; ours is the first of the sides."""
    sources = int(arguments.sources)
    profile = [*(["--tls"] if arguments.tls else []), *(["--profile"] if arguments.profile else [])]
    addresses = scratch / "urls"
    addresses.write_text("\n".join(urls(sources, tls=arguments.tls)))
    tell("asked")  # by those before us
    with contextlib.ExitStack() as open_sides:
        sides = [
            Side(
                "ours", [sys.executable, str(BESIDE / "collect_ours.py"), str(scratch), str(sources), *profile], sources
            )
        ]
        for workers in arguments.workers.split(",") if python and arguments.workers else ():
            database = scratch / f"reader{workers}.db"
            script = [str(python), str(BESIDE / "collect_reader.py"), str(database), workers, str(addresses)]
            sides.append(Side(f"reader, {workers} workers", [*script, *profile], sources))
        for side in sides:
            open_sides.callback(side.close)
        for stage in GOALS:
            while turn := [side for side in sides if side.wants(stage)]:
                for side in turn:
                    side.play(stage)
            for side in sides:
                print(side.told(stage), flush=True)
    return sides


def certificate(scratch: Path, sources: int, wanted: bool) -> Path | None:
    """A certificate for all addresses, with its key, which both sides trust; None where it is not `wanted`."""
    if not wanted:
        return None
    key, pem = scratch / "key.pem", scratch / "bench.pem"
    names = ",".join(f"IP:{address(source)}" for source in range(sources))
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=bench", "-addext", f"subjectAltName={names}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(pem)], check=True, capture_output=True)
    os.environ["SSL_CERT_FILE"] = str(pem)
    pem.write_text(pem.read_text() + key.read_text())
    return pem


def tell(path: str) -> bytes:
    """What the server says there."""
    with urllib.request.urlopen(f"http://{address(0)}:{TOLD_AT}/{path}", timeout=10) as answer:
        body: bytes = answer.read()
    return body


def children_cpu_s(pid: int) -> float:
    """CPU that the children of a process have used, those that are gone included."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    own, *others = (Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in (pid, *children))
    gone = int(own[13]) + int(own[14])
    return (gone + sum(int(stat[11]) + int(stat[12]) for stat in others)) / os.sysconf("SC_CLK_TCK")


def environment(place: Path) -> Path | None:
    """A Python that has reader; None, with a word, where there is no index to get it from."""
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
    if subprocess.run([str(python), "-c", "import reader"], capture_output=True, check=False).returncode:
        # its vendored feedparser imports sgmllib without asking for it
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "reader", "sgmllib3k"]
        if subprocess.run(install, capture_output=True, check=False).returncode:
            print("skipped: reader cannot be installed (no package index within reach); our side alone follows")
            return None
    return python


def compare(arguments: argparse.Namespace) -> int:
    """Plays both sides and prints them beside each other; 1 if a goal is missed."""
    sources, place = int(arguments.sources), tempfile.TemporaryDirectory()
    with place as scratch, server(arguments.data, sources, certificate(Path(scratch), sources, arguments.tls)):
        python = environment(arguments.venv or Path(scratch, "reader")) if arguments.workers else None
        plays = []
        for _ in range(arguments.times):
            with tempfile.TemporaryDirectory() as databases:
                plays.append(play(arguments, python, Path(databases)))
    return report(plays, int(arguments.sources))


def report(plays: Sequence[Sequence[Side]], sources: int) -> int:
    """The table; 1 if a goal is missed or the sides do not hold the same."""
    heads = f"{'ours':>8} {'reader':>9} {'ratio':>7} {'goal':>5}"
    print(f"\n{'round':11} {'CPU ms a poll':26} {heads}  polls a second: ours, reader's")
    missed = [stage for stage in GOALS if not _row(stage, plays, sources)]
    last = plays[-1]
    memory = [round(side.rounds["same"][-1]["mb"]) for side in last]
    print(f"memory: ours {memory[0]} MB and {last[0].end['child_mb']:.0f} MB a parse process", end="")
    print(f"; reader {memory[1:]} MB by workers" if memory[1:] else "")
    counts = {side.rounds["same"][-1]["entries"] for sides in plays for side in sides}
    failures = [one["failed"] for sides in plays for side in sides for stage in GOALS for one in side.rounds[stage]]
    failed = [some for some in failures if some]
    print(f"entries stored: {sorted(counts)}" + (f"; failures: {failed[:2]}" if failed else ""))
    return 1 if missed or len(counts) > 1 or failed else 0


def _row(stage: str, plays: Sequence[Sequence[Side]], sources: int) -> bool:
    """Prints a round; whether its goal is reached, as far as it was compared."""
    mine = [sides[0] for sides in plays]
    cost = statistics.median(1000 * side.cpu_s(stage) / sources for side in mine)
    rate = statistics.median(sources / side.spent(stage) for side in mine)
    row = f"{stage:11} {MEANING[stage]:26} {cost:8.2f}"
    theirs = [min(sides[1:], key=lambda side: side.cpu_s(stage)) for sides in plays if sides[1:]]
    if not theirs:
        print(f"{row} {'':9} {'':7} {GOALS[stage]:5.0f}  {rate:.0f}")
        return True
    ratios = [other.cpu_s(stage) / own.cpu_s(stage) for own, other in zip(mine, theirs, strict=True)]
    ratio = statistics.median(ratios)
    their_rate = statistics.median(sources / side.spent(stage) for side in theirs)
    each = f"  ratios {', '.join(f'{one:.1f}' for one in ratios)}" if ratios[1:] else ""
    print(f"{row} {cost * ratio:9.2f} {ratio:7.1f} {GOALS[stage]:5.0f}  {rate:.0f}, {their_rate:.0f}{each}")
    return ratio >= GOALS[stage]


def main() -> int:
    """Both sides, or ours alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sources", type=int, default=500)
    parser.add_argument("--workers", default="1,4,16", help="numbers of workers that reader is tried with")
    parser.add_argument("--times", type=int, default=1, help="how often everything is played; the median counts")
    parser.add_argument("--venv", type=Path, help="an environment for reader that is kept")
    parser.add_argument("--tls", action="store_true", help="over https")
    parser.add_argument("--profile", action="store_true", help="say where the CPU goes; rates mean nothing then")
    arguments = parser.parse_args()
    if arguments.profile:
        child(arguments.data, min(arguments.sources, 100))
    return compare(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
