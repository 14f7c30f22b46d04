"""Every error this program raises on purpose.

AggregatorError
├── ConfigError            config.toml cannot be used; carries every problem found (exit 78)
├── RuleError              a match expression cannot be read or takes too long
├── CollectError           one poll failed; carries a stable code and what to do next
│   ├── FetchError         no usable answer came back
│   └── ParseError         an answer came back, and it is not a feed we can read
├── StoreError             the store cannot do what was asked
│   ├── StoreUnavailable   locked, full, unreadable: try again later
│   ├── StoreUnusable      not ours, too new, corrupt, no permission: a person must act (exit 78)
│   │   └── StoreDamaged   damaged, deleted, emptied or replaced: a backup can take its place
│   ├── StaleLease         somebody else has taken over this piece of work; nothing was changed
│   └── LostRole           another process has taken the role this one had; nothing was changed
├── ParserUnavailable      no parse process can be started: a fault of this machine, not of a feed
├── NotFound               no such item, source, list or reader
└── RenderError            one item cannot be published; the rest of its feed can
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus


class AggregatorError(Exception):
    """The root: catching it catches everything this program raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with config.toml, in a form a person can act on."""

    message: str
    file: str = ""
    #: 1-based; None where no single line is to blame
    line: int | None = None
    #: dotted path of the key, e.g. ``polling.max_size`` or ``sources[3].url``
    key: str = ""

    def __str__(self) -> str:
        """The problem as compilers write it: ``config.toml:8: message``."""
        where = f"{self.file}:{self.line}" if self.line is not None else self.file
        return f"{where}: {self.message}" if where else self.message


class ConfigError(AggregatorError):
    """The configuration cannot be used; `problems` holds all that was found, in the order of the file."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


class RuleError(AggregatorError):
    """A match expression cannot be read; `position` is the 0-based character at which it stops making sense."""

    def __init__(self, message: str, *, position: int | None = None) -> None:
        self.position = position
        super().__init__(message)


class CollectError(AggregatorError):
    """One poll failed.

    `code` is stable and documented (``timeout-total``, ``dns-failure``, ``http-404``, ``not-a-feed`` …);
    the message is one sentence for a person. `retry_after` is what the server asked for, if it asked, `fresh_for` how
    long caches may keep its answer, `url` where a redirect had led; all None otherwise.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        permanent: bool = False,
        retry_after: timedelta | None = None,
        fresh_for: timedelta | None = None,
    ) -> None:
        self.code = code
        self.status = status
        self.permanent = permanent
        self.retry_after = retry_after
        self.fresh_for = fresh_for
        self.url: str | None = None
        super().__init__(message)

    @property
    def is_busy(self) -> bool:
        """Whether the server says that it is asked too often (429), or cannot answer just now (503)."""
        return self.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


class FetchError(CollectError):
    """No usable answer came back: refused, timed out, blocked, too large, an error status."""


class ParseError(CollectError):
    """An answer came back, and it is not a feed that can be read."""


class StoreError(AggregatorError):
    """The store cannot do what was asked; what it held before is untouched."""


class StoreUnavailable(StoreError):
    """The store is locked, full or unreadable at the moment; the same call may succeed later."""


class StoreUnusable(StoreError):
    """The store is not ours, from a newer version, corrupt or not permitted; a person has to act."""


class StoreMissing(StoreUnusable):
    """There is no store in the database yet, and it was not to be made."""


class StoreDamaged(StoreUnusable):
    """The file of the store is damaged, was deleted, emptied or replaced; a backup can take its place."""


class StaleLease(StoreError):
    """The lease has run out and the work was given to somebody else; nothing was changed."""


class LostRole(StoreError):
    """Another process has taken the role that this one held; nothing was written."""


class ParserUnavailable(AggregatorError):
    """No parse process can be started: polling waits, and no source is to blame."""


class NotFound(AggregatorError):
    """There is no such item, source, list or reader."""


class RenderError(AggregatorError):
    """One item cannot be published in the asked format; the message says which and why."""
