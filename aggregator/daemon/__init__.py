"""The daemon: a process that collects, curates and serves until it is stopped.

- `service`: runs the daemon from start to stop
- `poll_loop`, `poll_budget`: polls what is due, no more than there are free slots, within a budget of requests a day
- `refresh_loop`: decides when lists are refreshed
- `fleet`: one process of several on one PostgreSQL
- `websub`: subscriptions at the hubs of publishers
- `reload`: reloads the configuration
- `jobs`, `maintenance`: timed jobs; backups and retention
- `health`, `metrics`: progress of the parts, and Prometheus metrics
- `runtime`: event loop, garbage collector, thread switching
"""

from __future__ import annotations

from aggregator.daemon.service import Daemon

__all__ = ["Daemon"]
