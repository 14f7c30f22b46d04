"""Marks messages for translation, where importing the pages (Jinja, Babel) would cost a command its start."""

from __future__ import annotations

__all__ = ["N_"]


def N_(message: str) -> str:  # noqa: N802 - the name that gettext's tools know
    """The message as it is; `pages.wording.Wording.gettext` translates it where it is shown on a page."""
    return message
