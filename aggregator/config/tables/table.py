"""What all tables of config.toml share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Count", "Table"]

#: how many of something a list holds
Count = Annotated[int, Field(ge=1, le=1_000)]


class Table(BaseModel):
    """What all tables share: frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)
