"""One client's connection: aiohttp's, except that what can be answered at once wakes no task."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage

from aggregator.publish.web.shortcut import Shortcuts


class Connection(web.RequestHandler):
    """aiohttp's protocol with a shortcut between its parser and its task.

    Reading, limits and framing stay aiohttp's: the shortcut sees what its parser made of a request. Only a request that
    stands alone takes it; those that are sent in a row without waiting, and all while a client does not take what it
    has been sent, are queued for the task as ever.
    """

    __slots__ = ("_peer", "_shortcuts")

    def __init__(self, server: web.Server, shortcuts: Shortcuts, **options: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._shortcuts = shortcuts
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remembers who connected."""
        super().connection_made(transport)
        name = transport.get_extra_info("peername")
        self._peer = str(name[0]) if isinstance(name, tuple) else ""

    def data_received(self, data: bytes) -> None:
        """Answers at once what is known, and hands on the rest."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            super().data_received(data)  # an answer is being made: this one's turn comes behind it
            return
        self._waiter = None  # the task is not woken before it is clear that there is something for it
        super().data_received(data)
        self._waiter = waiter
        if self._messages and not self._answer() and not waiter.done():
            waiter.set_result(None)

    def _answer(self) -> bool:
        """Gives the answer to the one request that waits, if it is known."""
        server, transport, parser = self._manager, self.transport, self._parser
        if len(self._messages) > 1 or self._paused or server is None or transport is None or parser is None:
            return False
        message, payload = self._messages[0]
        answer = self._shortcuts.find(message, payload, self._peer) if isinstance(message, RawRequestMessage) else None
        if answer is None:
            return False
        self._messages.popleft()
        parser.message_consumed()
        server.requests_count += 1
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        transport.write(answer)
        return True
