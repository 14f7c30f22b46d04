"""Messages for readers in the language of a site: gettext catalogues.

A catalogue is ``locale/<language>/LC_MESSAGES/messages.po``; it is read as it is, so that there is nothing to compile.
Messages are English in the source, marked with ``gettext``, ``ngettext``, ``plural`` or `N_`.
"""

from __future__ import annotations

import gettext as gettext_module
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final

__all__ = ["N_", "SOURCE_LANGUAGE", "Messages", "catalogues", "messages"]

#: of the messages in the source
SOURCE_LANGUAGE: Final = "en"

Messages = gettext_module.NullTranslations


def N_(message: str) -> str:  # noqa: N802 - the name that gettext's tools know
    """Marks a message for translation and returns it unchanged; `Messages.gettext` translates it."""
    return message


@cache
def catalogues() -> frozenset[str]:
    """The languages that the messages have been translated to, by primary subtag."""
    folder = files("aggregator.publish").joinpath("locale")
    return frozenset(entry.name for entry in folder.iterdir() if entry.joinpath("LC_MESSAGES", "messages.po").is_file())


def messages(language: str) -> Messages:
    """The messages in a language (BCP 47), or in English where there is no catalogue."""
    return _messages(language.partition("-")[0].lower())


@cache
def _messages(primary: str) -> Messages:
    if primary not in catalogues():
        return Messages()
    # imported here: commands in English need no Babel
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    place = files("aggregator.publish").joinpath("locale", primary, "LC_MESSAGES", "messages.po")
    with place.open("rb") as file:
        catalogue = read_po(file, locale=primary)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext_module.GNUTranslations(compiled)
