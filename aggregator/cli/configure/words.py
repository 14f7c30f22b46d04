"""What the commands about the configuration share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aggregator.config import section_key

if TYPE_CHECKING:
    from aggregator.config import Settings


def has_store(settings: Settings) -> bool:
    """Whether there is a store to look into: opening one that is not there would make it."""
    _, _, place = settings.store.url.partition(":")
    return (settings.base / place).is_file()


def spelled(section: str, known: Sequence[str]) -> str:
    """`section` as it is spelled already, if it is there."""
    return next((name for name in known if section_key(name) == section_key(section)), section)
