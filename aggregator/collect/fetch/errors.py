"""What went wrong, as a stable code and one sentence. Told apart by what somebody would do about it.

The codes of a FetchError, here and in the modules beside this one:

- names: ``dns-not-found``, ``dns-failure``, ``dns-timeout``
- connections: ``connection-refused``, ``connection-reset``, ``connection-failed``, ``network-unreachable``,
  ``host-unreachable``, ``out-of-files``, ``out-of-threads``
- time: ``timeout-connect``, ``timeout-first-byte``, ``timeout-read``, ``timeout-total``
- TLS: ``tls-expired``, ``tls-wrong-host``, ``tls-untrusted``, ``tls-failure``; http is never tried instead
- HTTP: ``http-<status>``, ``challenge`` (a bot wall), ``protocol-error``, ``bad-encoding``, ``too-large``,
  ``redirect-loop``, ``bad-redirect``
- refused by us: ``bad-url``, ``blocked-address``, ``blocked-port``
- put off by us: ``crowded``
"""

from __future__ import annotations

import errno
import socket
import ssl
from datetime import datetime
from http import HTTPStatus

from aggregator.collect.fetch import headers
from aggregator.collect.fetch.connections import Disconnected, Silence
from aggregator.collect.fetch.dialer import ConnectTimeout, RefusedAddress, ResolveTimeout
from aggregator.collect.fetch.http1 import HeaderFields, ProtocolError
from aggregator.errors import FetchError

#: what an exchange ends with when it fails; ValueError: what is asked for cannot be written down
TRANSPORT_ERRORS = (ProtocolError, OSError, ValueError)

#: OpenSSL's X509_V_ERR_… numbers that people can act on
_CERTIFICATE = {
    9: ("tls-expired", "its certificate is not valid yet; is this machine's clock right?"),
    10: ("tls-expired", "its certificate has expired"),
    18: ("tls-untrusted", "its certificate is signed by itself"),
    19: ("tls-untrusted", "its certificate is signed by an unknown authority"),
    20: ("tls-untrusted", "its certificate is signed by an unknown authority"),
    62: ("tls-wrong-host", "its certificate is for another host"),
    64: ("tls-wrong-host", "its certificate is for another host"),
}

_CONNECT = {
    errno.ECONNREFUSED: ("connection-refused", "refused the connection"),
    errno.ECONNRESET: ("connection-reset", "broke off the connection"),
    errno.EPIPE: ("connection-reset", "broke off the connection"),
    errno.ENETUNREACH: ("network-unreachable", "cannot be reached: no route to its network"),
    errno.EHOSTUNREACH: ("host-unreachable", "cannot be reached: no route to it"),
    errno.ETIMEDOUT: ("timeout-connect", "did not accept the connection in time"),
    errno.EADDRNOTAVAIL: ("network-unreachable", "cannot be reached from this machine's addresses"),
    errno.EMFILE: ("out-of-files", "was not asked: this process has too many files open"),
    errno.EAGAIN: ("out-of-threads", "was not asked: this process may start no more threads"),
    errno.ENFILE: ("out-of-files", "was not asked: this machine has too many files open"),
}

_WALLED = ": it wants to see a browser (bot protection); ask the publisher to let feed readers in"

#: "no such name", in the words of different C libraries; the rest of EAI_… are troubles of the resolver
_NO_NAME = {
    number
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
    if (number := getattr(socket, name, None)) is not None
}


def classify(error: Exception, host: str) -> FetchError:
    """The FetchError for what was raised while `host` was asked (see `TRANSPORT_ERRORS`)."""
    if isinstance(error, RefusedAddress):
        return _refusal(error, host)
    if isinstance(error, ResolveTimeout):
        return FetchError("dns-timeout", f"The name {host} was not resolved: {error}")
    if isinstance(error, socket.gaierror):
        return _resolving(error, host)
    if isinstance(error, ssl.SSLError):
        return _tls(error, host)
    code, what = _silence(error) or _dialling(error)
    return FetchError(code, f"{host} {what}")


def status_error(status: int, answer: HeaderFields, host: str, *, received: datetime | None) -> FetchError:
    """The FetchError ``http-<status>`` for an answer that is neither a document nor a 304.

    ``challenge`` if it is a bot wall: no back-off cures that, and it stands before all of the host. Retry-After and
    Cache-Control count whatever the status; `received` is the time of an answer that has no Date.
    """
    walled = is_challenge(answer)
    return FetchError(
        "challenge" if walled else f"http-{status:03}",
        f"{host} answered {status:03} {_phrase(status)}{_WALLED if walled else ''}".rstrip(),
        status=status,
        permanent=status == HTTPStatus.GONE,
        retry_after=headers.retry_after(answer, received),
        fresh_for=headers.cache_headers(answer, received).fresh_for,
    )


def is_challenge(answer: HeaderFields) -> bool:
    """A page that wants to be solved by a browser, whatever its status: Cloudflare and AWS (with 202) say so."""
    return "cf-mitigated" in answer or "x-amzn-waf-action" in answer


def reading(error: Exception, host: str) -> FetchError:
    """The FetchError for a body that did not arrive whole and cannot be used in part."""
    if isinstance(error, Silence):
        return FetchError("timeout-read", f"{host} fell silent in the middle of its answer")
    if isinstance(error, OSError):
        return FetchError("connection-reset", f"{host} broke off in the middle of its answer")
    return FetchError("protocol-error", f"{host} does not speak proper HTTP: {_short(error)}")


def _refusal(refused: RefusedAddress, host: str) -> FetchError:
    reason = refused.reason
    named = str(reason) if f" {host} " in str(reason) else f"{host}: {reason}"
    return FetchError(reason.code, named, permanent=True)


def _resolving(error: socket.gaierror, host: str) -> FetchError:
    if error.errno in _NO_NAME:
        return FetchError("dns-not-found", f"cannot resolve {host}: check the spelling")
    return FetchError("dns-failure", f"The name {host} was not resolved: {error.strerror or error}")


def _silence(error: Exception) -> tuple[str, str] | None:
    """A connection without an answer; None: something else went wrong."""
    if isinstance(error, ConnectTimeout):
        return "timeout-connect", "did not accept the connection in time"
    if isinstance(error, Silence):
        return "timeout-first-byte", "accepted the connection and said nothing"
    if isinstance(error, Disconnected):
        return "connection-reset", "closed the connection without an answer"
    return None


def _tls(error: ssl.SSLError, host: str) -> FetchError:
    number = getattr(error, "verify_code", None)
    default = ("tls-untrusted" if number else "tls-failure", _short(error))
    code, why = _CERTIFICATE.get(number or 0, default)
    return FetchError(code, f"No secure connection to {host}: {why}")


def _dialling(error: BaseException) -> tuple[str, str]:
    if not isinstance(error, OSError):
        return "protocol-error", f"does not speak proper HTTP: {_short(error)}"
    # event loops end a handshake that was cut short with one that has no number
    number = errno.ECONNRESET if isinstance(error, ConnectionResetError) else error.errno
    return _CONNECT.get(number or 0, ("connection-failed", f"could not be connected to: {_short(error)}"))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(not a status of HTTP)"


def _short(error: BaseException) -> str:
    """One line; it may quote the answer, never the address, which may carry a secret."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:159] + "…"
