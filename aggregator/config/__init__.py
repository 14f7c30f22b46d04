"""config.toml → Settings; every error names file, line and key, and all errors are reported at once."""

from __future__ import annotations

from aggregator.config.checks import comparable, section_key
from aggregator.config.compare import diff, diff_sources
from aggregator.config.edit import NewSource, add_source, add_sources, remove_source
from aggregator.config.settings import PLACES, Settings, find, load, parse
from aggregator.config.tables import SourceTable
from aggregator.config.values import http_url

__all__ = [
    "PLACES",
    "NewSource",
    "Settings",
    "SourceTable",
    "add_source",
    "add_sources",
    "comparable",
    "diff",
    "diff_sources",
    "find",
    "http_url",
    "load",
    "parse",
    "remove_source",
    "section_key",
]
