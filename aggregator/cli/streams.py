"""Standard input, output and error as a command finds them: closed, full, or of an encoding that lacks characters."""

from __future__ import annotations

import codecs
import io
import locale
import os
import sys

#: typographic characters of our own messages, where the encoding of the terminal lacks them
_PLAIN = str.maketrans({"·": "-", "…": "...", "“": '"', "”": '"', "’": "'", "×": "x", "–": "-", "→": "->", "≥": ">="})

#: tells the second start (`use_utf8`) the encoding of the locale
_ENCODING = "AGGREGATOR_LOCALE_ENCODING"


def decode(argument: str) -> str:
    """An argument that is not UTF-8, read in the encoding of the locale. Raises UnicodeError."""
    return os.fsencode(argument).decode(os.environ.get(_ENCODING, "utf-8"))


def _replace(error: UnicodeError) -> tuple[str, int]:
    """The characters that cannot be encoded, as ASCII writes them or as question marks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = error.object[error.start : error.end].translate(_PLAIN)
    return "".join(ch if ch.isascii() else "?" for ch in plain), error.end


def use_utf8() -> None:
    """Starts the program again in Python's UTF-8 mode (PEP 540) if the locale has another encoding.

    Libraries read their own files in the encoding of the locale. What is printed keeps that encoding; see `prepare`.
    """
    encoding = codecs.lookup(locale.getencoding()).name
    if sys.flags.utf8_mode or encoding == "utf-8" or _ENCODING in os.environ:
        return
    options = ["-X", "utf8", *(["-I"] if sys.flags.isolated else [])]
    command = [sys.executable, *options, "-m", "aggregator", *sys.argv[1:]]
    os.execve(sys.executable, command, {**os.environ, _ENCODING: encoding})  # noqa: S606 (ourselves)


def prepare() -> None:
    """Makes the three streams usable, whatever the program was started with.

    A closed descriptor is opened on the null device, so that no file of ours can take its number. Characters that the
    encoding of the locale (or of PYTHONIOENCODING) lacks are replaced: a title never ends a command.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    codecs.register_error("aggregator-plain", _replace)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    encoding = None if "PYTHONIOENCODING" in os.environ else os.environ.get(_ENCODING)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=encoding, errors="aggregator-plain")


def silence_stdout() -> None:
    """Sends what is still buffered to the null device: the interpreter flushes once more when it exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
