"""The daemon: one process that follows, curates and serves until it is told to stop.

- `service`: the order of things from start to stop
- `poll_loop`, `poll_budget`: polls what is due, no more than there are free slots, within a budget of requests a day
- `refresh_loop`: when lists are computed again
- `fleet`: this process among others on one PostgreSQL
- `websub`: subscriptions at the hubs of publishers
- `reload`: a new configuration replaces the old one, or does not
- `jobs`, `maintenance`: timed jobs; backups and retention
- `health`, `metrics`: whether there is progress, and what has been done
- `runtime`: event loop, garbage collector, thread switching
"""

from __future__ import annotations

from aggregator.daemon.service import Daemon

__all__ = ["Daemon"]
