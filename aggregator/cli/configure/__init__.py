"""``aggregator check``, ``add``, ``remove``, ``import`` and ``export``: config.toml and the sources in it."""

from __future__ import annotations

from aggregator.cli.configure.check import check
from aggregator.cli.configure.opml import export, import_opml
from aggregator.cli.configure.sources import add, remove

__all__ = ["add", "check", "export", "import_opml", "remove"]
