"""Notices for readers and operators, such as: the network is down, a backup has replaced the store.

They are stored in ``notices.json`` beside the store, for commands and for the next start. Pages show them as a banner,
`aggregator status` in its first lines.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aggregator.model import Notice

log = logging.getLogger(__name__)

NAME = "notices.json"
#: notices about the past are shown for that long; others until they no longer hold
KEPT = {"store-restored": timedelta(days=7), "store-replaced": timedelta(days=7)}


class Notices:
    """The notices that hold at the moment. `on_change` is called with all of them whenever they change."""

    def __init__(self, directory: Path, *, now: datetime, on_change: Callable[[tuple[Notice, ...]], None]) -> None:
        self._path = directory / NAME
        self._on_change = on_change
        kept = [one for one in read_notices(directory) if now - one.since < KEPT.get(one.code, timedelta(0))]
        self._notices = {one.code: one for one in kept}
        self._changed()

    def put(self, code: str, message: str, *, now: datetime) -> None:
        """Something holds from now on; a notice that is there already keeps its time."""
        before = self._notices.get(code)
        if before is None or before.message != message:
            since = before.since if before and code not in KEPT else now
            self._notices[code] = Notice(code=code, message=message, since=since)
            self._changed()

    def clear(self, code: str) -> None:
        """It no longer holds."""
        if self._notices.pop(code, None) is not None:
            self._changed()

    def hold(self, code: str, message: str | None, *, now: datetime) -> None:
        """`put` with a message, `clear` without."""
        if message is None:
            self.clear(code)
        else:
            self.put(code, message, now=now)

    def forget_present(self) -> None:
        """The daemon ends: what only holds while it runs holds no longer."""
        for code in [code for code in self._notices if code not in KEPT]:
            self.clear(code)

    def _changed(self) -> None:
        notices = tuple(self._notices.values())
        rows = [{"code": one.code, "message": one.message, "since": one.since.isoformat()} for one in notices]
        try:
            if rows:
                self._path.write_text(json.dumps(rows), "utf-8")
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("notices not written", extra={"path": self._path, "why": error})
        self._on_change(notices)


def read_notices(directory: Path) -> tuple[Notice, ...]:
    """The notices in the folder of a store, as the daemon wrote them last; none where they cannot be read."""
    try:
        rows = json.loads((directory / NAME).read_text("utf-8"))
        return tuple(
            Notice(code=row["code"], message=row["message"], since=datetime.fromisoformat(row["since"]).astimezone(UTC))
            for row in rows
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ()
