"""config.toml → Settings; every error names file, line and key, and all errors are reported at once."""

from __future__ import annotations

from aggregator.config.edit import NewSource, add_source, add_sources, find_source, remove_source, written_source
from aggregator.config.settings import (
    SYSTEM_CONFIG,
    Settings,
    diff,
    diff_sources,
    find,
    load,
    parse,
    user_config,
    user_state,
)
from aggregator.config.tables import SourceTable
from aggregator.config.types import http_url, listen_address
from aggregator.config.validation import comparable

__all__ = [
    "SYSTEM_CONFIG",
    "NewSource",
    "Settings",
    "SourceTable",
    "add_source",
    "add_sources",
    "comparable",
    "diff",
    "diff_sources",
    "find",
    "find_source",
    "http_url",
    "listen_address",
    "load",
    "parse",
    "remove_source",
    "user_config",
    "user_state",
    "written_source",
]
