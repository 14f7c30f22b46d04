"""config.toml → Settings; every error names file, line and key, and all errors are reported at once."""

from __future__ import annotations

from aggregator.config.settings import PLACES, Settings, find, load, parse
from aggregator.config.tables import SourceTable

__all__ = ["PLACES", "Settings", "SourceTable", "find", "load", "parse"]
