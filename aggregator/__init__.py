"""Follows feeds politely, knows that nine copies are one story, and republishes what is worth reading."""

__version__ = "0.1.0"
