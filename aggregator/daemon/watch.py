"""Notices that a file has been saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

Stamp = tuple[int, int, int]


@dataclass(slots=True)
class FileWatch:
    """Compares a file with how it was when last looked at."""

    path: Path
    _seen: Stamp | None = field(init=False)
    _pending: Stamp | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._seen = self._stamp()

    def changed(self) -> bool:
        """True once after each change, when the file has been the same for two looks: an editor may write in pieces.

        A file that is missing for a moment (saved by renaming) has not changed.
        """
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            self._pending = None
            return False
        if stamp != self._pending:
            self._pending = stamp
            return False
        self._seen, self._pending = stamp, None
        return True

    def seen(self) -> None:
        """Takes the file as it is now for known."""
        self._seen, self._pending = self._stamp(), None

    def _stamp(self) -> Stamp | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
