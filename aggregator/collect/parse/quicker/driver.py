"""From expat to feedparser without the stations between them."""

from __future__ import annotations

from typing import Any
from xml.sax import expatreader

from aggregator.collect.parse.quicker.elements import QuickParser

__all__ = ["create_parser"]

_BUFFER_BYTES = 64 * 1024
#: how much expat is given at once: any document as a whole, which it need not copy then to go on where it stopped
_DOCUMENT_BYTES = 1024 * 1024 * 1024


class _Reader(expatreader.ExpatParser):
    """A SAX parser that hands over the text between two tags in one piece, and elements as expat names them."""

    _parser: Any
    _cont_handler: Any

    def reset(self) -> None:
        super().reset()
        self._parser.buffer_text = True
        self._parser.buffer_size = _BUFFER_BYTES
        if isinstance(self._cont_handler, QuickParser):
            self._parser.StartElementHandler = self._cont_handler.begin
            self._parser.EndElementHandler = self._cont_handler.finish


def create_parser() -> expatreader.ExpatParser:
    """What `xml.sax.make_parser` asks a driver module for."""
    return _Reader(bufsize=_DOCUMENT_BYTES)
