"""What the commands about the configuration share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aggregator.config import section_key

if TYPE_CHECKING:
    from aggregator.config import Settings


def has_store(settings: Settings) -> bool:
    """Whether there is a store to look into: opening one that is not there would make it."""
    return place_of(settings).is_file()


def place_of(settings: Settings) -> Path:
    """Where the store is, or will be."""
    return settings.base / settings.store.url.partition(":")[2]


def spelled(section: str, known: Sequence[str]) -> str:
    """`section` as it is spelled already, if it is there."""
    return next((name for name in known if section_key(name) == section_key(section)), section)
