"""Names on loopback for processes under test, by PYTHONPATH: ``anything.127-0-0-5.test`` is at 127.0.0.5."""

import re
import socket

_NAME = re.compile(r"^[\w.-]+\.(127-\d+-\d+-\d+)\.test\.?$")
_getaddrinfo = socket.getaddrinfo


def getaddrinfo(host, *arguments, **named):  # type: ignore[no-untyped-def]
    text = host.decode() if isinstance(host, bytes) else host
    found = _NAME.match(text) if isinstance(text, str) else None
    return _getaddrinfo(found[1].replace("-", ".") if found else host, *arguments, **named)


socket.getaddrinfo = getaddrinfo
