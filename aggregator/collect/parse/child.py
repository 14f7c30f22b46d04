"""The child process: reads documents from stdin, writes feeds to stdout, until stdin ends.

It is expected to be killed at any time. Its limits hold even when nobody is left to kill it: memory for its whole
life, CPU anew for each document.
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import BinaryIO

from aggregator import malloc
from aggregator.collect.parse import parse_sync
from aggregator.collect.parse.protocol import LENGTHS, PIPE_BYTES, decode_request, encode_error, encode_feed
from aggregator.errors import ParseError


def main(memory_bytes: int, cpu_s: int, niceness: int) -> int:
    """Serves until stdin ends. 0: it ended; 3: memory ran out, and the next document deserves a fresh process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when it is over
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # with nobody left to answer it is over, without a word
    requests, answers = _channel()
    malloc.give_back_early()
    with suppress(OSError):  # a system call filter may forbid it; a priority is no limit
        os.nice(niceness)
    _limit_memory(memory_bytes)
    answers.write(b"R")
    answers.flush()
    while (lengths := requests.read(LENGTHS.size)) and len(lengths) == LENGTHS.size:
        _limit_cpu(cpu_s)
        header_bytes, body_bytes = LENGTHS.unpack(lengths)
        answer, exhausted = _answer(requests.read(header_bytes), requests.read(body_bytes))
        answers.write(answer)
        answers.flush()
        if exhausted:
            return 3
    return 0


def _channel() -> tuple[BinaryIO, BinaryIO]:
    """The pipes, out of reach of anything that prints: what a library writes to stdout goes to stderr.

    With room for most documents as a whole, so that parent and child need not take turns at them.
    """
    answers = os.fdopen(os.dup(1), "wb")
    for pipe in (sys.stdin.buffer, answers):
        with suppress(OSError):  # a socket, or beyond what the system allows: it stays as it is
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.dup2(2, 1)
    return sys.stdin.buffer, answers


def _limit_memory(memory_bytes: int) -> None:
    """Address space for the whole life of this process; a lower limit that is already set stays."""
    for limit, wanted in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(limit)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(limit, (value, value))


def _limit_cpu(cpu_s: int) -> None:
    """So many more seconds of CPU; beyond them the kernel ends this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent_s = int(usage.ru_utime + usage.ru_stime)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (spent_s + cpu_s + 1, hard))


def _answer(header: bytes, body: bytes) -> tuple[bytes, bool]:
    """The answer's frame, and whether this process has run out of memory."""
    try:
        return encode_feed(parse_sync(decode_request(header, body))), False
    except ParseError as error:
        return encode_error(error), False
    except MemoryError:
        return encode_error(ParseError("parse-memory", "Parsing this document takes more memory than allowed.")), True
    except Exception as error:  # noqa: BLE001 - the edge of the child: no document may end it, and the parent is told
        message = f"Parsing failed unexpectedly: {type(error).__name__}: {str(error)[:200]}"
        return encode_error(ParseError("parse-failed", message)), False


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
