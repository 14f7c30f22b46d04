"""Mails a digest: one message, plain and HTML, by the SMTP server of ``[mail]``. Blocks; called in a thread of its own.

A message is handed over in two steps, as SMTP has them (RFC 5321, 3.3): until the server has accepted the recipient
nothing is sent, and any failure may be tried again. Then the caller marks it as sent, and only then the message itself
goes out. An answer that never comes leaves it unknown whether the server has it: it is not sent again.
"""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Final

from aggregator.daemon.delivery import Refused, Undelivered, Unknown
from aggregator.model import Digest

__all__ = ["MailServer", "compose", "send"]

#: what every server takes (RFC 5321, 2.4), with lines of at most 998 characters
_POLICY: Final = SMTP.clone(cte_type="7bit")
_TIMEOUT_S: Final = 30.0
_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
#: from here on a reply says that the same message will never be accepted (RFC 5321, 4.2.1)
_PERMANENT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """``[mail]``, with the password."""

    host: str
    #: 0: the usual one
    port: int
    tls: str
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)


def compose(digest: Digest, *, server: MailServer, to: str, authority: str, site: str, language: str) -> EmailMessage:
    """The message of a digest. Its id is made of feed and period: a server or reader that sees it twice can tell.

    `authority`: the host name that ids belong to; `site`: the address of the site.
    """
    message = EmailMessage(policy=_POLICY)
    message["From"], message["To"], message["Subject"] = server.sender, to, digest.title
    message["Date"] = format_datetime(digest.issued)
    message["Message-ID"] = f"<digest.{digest.feed}.{digest.period}@{authority}>"
    message["List-Id"] = f"<{digest.feed}.{authority}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notices in reply
    page = f"{site}/feeds/{digest.feed}"
    message.set_content(f"{digest.title}\n\n{digest.text}\n-- \n{page}\n")
    title = escape(digest.title)
    html = (
        f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8"><title>{title}</title></head>'
        f"<body><h1>{title}</h1>{digest.html}"
        f'<p><a href="{escape(page)}">{escape(page)}</a></p></body></html>'
    )
    message.add_alternative(html, subtype="html")
    return message


def send(message: EmailMessage, server: MailServer, *, on_accepted: Callable[[], None]) -> None:
    """Hands a message over; `on_accepted` is called when the server takes it, before it is sent.

    Raises Undelivered: it was not sent, and may be tried again; Refused: it was not and never will be; Unknown: nobody
    can tell whether it was.
    """
    try:
        smtp = _connected(server, server.sender.rpartition("@")[2])
        try:
            smtp.ehlo_or_helo_if_needed()
            _expect(smtp.mail(server.sender), "the sender")
            _expect(smtp.rcpt(str(message["To"])), "the recipient")
            on_accepted()
            _transmit(smtp, message)
        finally:
            # whatever becomes of the farewell says nothing of the message
            with contextlib.suppress(smtplib.SMTPException, OSError):
                smtp.quit()
    except smtplib.SMTPAuthenticationError as error:
        raise Undelivered(f"the mail server refuses user and password ({error.smtp_code})") from error
    except smtplib.SMTPException as error:
        raise Undelivered(f"the mail server cannot be used ({type(error).__name__})") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise Undelivered(f"the mail server cannot be reached ({why})") from error


def _connected(server: MailServer, name: str) -> smtplib.SMTP:
    port = server.port or _PORTS[server.tls]
    if server.tls == "tls":
        context = ssl.create_default_context()
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(server.host, port, name, timeout=_TIMEOUT_S, context=context)
    else:
        smtp = smtplib.SMTP(server.host, port, name, timeout=_TIMEOUT_S)
    try:
        if server.tls == "starttls":
            smtp.starttls(context=ssl.create_default_context())
        if server.user:
            smtp.login(server.user, server.password)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _transmit(smtp: smtplib.SMTP, message: EmailMessage) -> None:
    """The message itself. What fails here before the server has answered may have been received."""
    try:
        reply = smtp.data(message.as_bytes())
    except smtplib.SMTPDataError as error:
        reply = error.smtp_code, b""
    except (smtplib.SMTPException, OSError) as error:
        raise Unknown("the connection to the mail server broke off while the message was sent") from error
    _expect((reply[0], b""), "the message")


def _expect(reply: tuple[int, bytes], what: str) -> None:
    code = reply[0]
    if code >= _PERMANENT:
        raise Refused(f"the mail server refuses {what} ({code})")
    if not 200 <= code < 300:
        raise Undelivered(f"the mail server does not take {what} now ({code})")
