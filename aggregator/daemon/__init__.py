"""The daemon: one process that follows, curates and serves until it is told to stop.

- `service`: the order of things from start to stop
- `pump`: polls what is due, no more than there are free slots
- `refreshing`: when lists are made anew
- `reload`: a new configuration takes the place of the old one, or does not
- `health`, `counters`, `metrics`: whether there is progress, and what has been done
- `upkeep`, `watch`: backups, retention, a file that was saved
"""

from __future__ import annotations

from aggregator.daemon.service import Daemon

__all__ = ["Daemon"]
