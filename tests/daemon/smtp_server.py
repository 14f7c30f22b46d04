"""A real SMTP server on loopback (RFC 5321) that keeps what it is sent and fails where it is told to."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast


class Inbox:
    """What a server was sent, and how it answers."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        #: command → its answer instead of the usual; "" breaks the connection off
        self.answers: dict[str, str] = {}
        #: with the message received, and then: its answer; "" breaks off
        self.after_data = "250 queued"
        self.connections = 0
        self.port = 0

    def parsed(self) -> list[EmailMessage]:
        return [message_from_bytes(body, policy=default) for _, body in self.messages]


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        inbox: Inbox = cast("Any", self.server).inbox
        inbox.connections += 1
        recipient = ""
        self._say(inbox.answers.get("HELO", "220 ready"))
        while line := self.rfile.readline().decode("ascii").strip():
            verb = line.split(" ", 1)[0].upper()
            if verb in inbox.answers:
                if not inbox.answers[verb]:
                    return
                self._say(inbox.answers[verb])
            elif verb == "DATA":
                self._say("354 go on")
                body = b"".join(iter(self.rfile.readline, b".\r\n"))
                inbox.messages.append((recipient, body.replace(b"\r\n..", b"\r\n.")))
                if not inbox.after_data:
                    return
                self._say(inbox.after_data)
            else:
                recipient = line.partition("<")[2].partition(">")[0] if verb == "RCPT" else recipient
                self._say({"QUIT": "221 bye"}.get(verb, "250 fine"))
                if verb == "QUIT":
                    return

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def smtp_server() -> Iterator[Inbox]:
    """A server that listens until the block ends."""
    inbox = Inbox()
    with _Server(("127.0.0.1", 0), _Session) as server:
        server.inbox = inbox  # type: ignore[attr-defined]
        inbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield inbox
        finally:
            server.shutdown()
            thread.join()
