"""How alike is the same: what an operator may set of it (``[stories]``), with what was measured as the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

__all__ = ["DUPLICATE", "SIMILARITY", "WINDOW", "Thresholds"]

WINDOW = timedelta(hours=48)
SIMILARITY = 0.25
DUPLICATE = 0.65


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Replaced whole when the configuration is; what was decided before stays decided."""

    #: an article this far from all others of a story is not part of it
    window: timedelta = WINDOW
    #: the least cosine of an article and its story with a thousand articles within the window; more or fewer of them
    #: raise or lower it (`stories.join_from`)
    similarity: float = SIMILARITY
    #: the likeness from which another source's text is a copy (`duplicates.likeness`)
    duplicate: float = DUPLICATE

    @property
    def strictness(self) -> float:
        """What every cosine that decides about stories is multiplied by."""
        return self.similarity / SIMILARITY
