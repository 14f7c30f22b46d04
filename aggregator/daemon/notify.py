"""Tells of a digest through Apprise (the ``notify`` extra): webhooks, ntfy and others. Only module that knows it.

Blocks; called in a thread of its own. Apprise is imported with the first notification.
"""

from __future__ import annotations

import logging

from aggregator.daemon.delivery import Refused, Undelivered
from aggregator.model import Digest

__all__ = ["HOW_TO_INSTALL", "notify"]

HOW_TO_INSTALL = 'pip install "feed-aggregator[notify]"'


def notify(digest: Digest, url: str) -> None:
    """Sends title and text of a digest to one address of Apprise's.

    Raises Refused where there is no Apprise or it does not know the address, Undelivered where the service failed.
    """
    try:
        import apprise
    except ImportError as error:
        raise Refused(HOW_TO_INSTALL) from error
    # its lines may name addresses, which may hold secrets; what happened is told without them
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    service = apprise.Apprise()
    if not service.add(url):
        raise Refused("Apprise does not know this kind of address")
    if not service.notify(title=digest.title, body=digest.text, body_format=apprise.NotifyFormat.TEXT):
        raise Undelivered("the service does not take it")
