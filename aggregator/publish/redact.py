"""Addresses as strangers may see them: `aggregator.model.redact`, under the name by which publishing knows it."""

from __future__ import annotations

from aggregator.model.redact import HIDDEN, public_url

__all__ = ["HIDDEN", "public_url"]
