"""The job of digests: issues what is due, then sends what was issued."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial

from aggregator.config import Settings
from aggregator.config.secrets import read_secret
from aggregator.config.tables import FeedTable
from aggregator.daemon import mailer, notify
from aggregator.daemon.delivery import Channel, Delivery, Refused, Undelivered
from aggregator.model import Digest, OwnFeed
from aggregator.publish.channel import authority
from aggregator.publish.lists import Lists
from aggregator.publish.own_feeds import issue, newest, sent_prefix
from aggregator.publish.site import Site
from aggregator.store import Store

__all__ = ["Digests", "in_a_thread"]

log = logging.getLogger(__name__)


class Digests:
    """Issues and sends the digests of one store. Blocks; called by one thread at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._delivery = Delivery(store)
        self._busy = threading.Lock()

    def run(self, settings: Settings, site: Site, lists: Lists, *, clock: Callable[[], datetime]) -> str:
        """Issues and sends; says what could not be sent as one line, "" if nothing.

        Does nothing while another thread is at it, whose run took longer than it may.
        """
        if self._busy.acquire(blocking=False):
            try:
                self._run(settings, site, lists, clock)
            finally:
                self._busy.release()
        return " ".join(dict.fromkeys(self._delivery.failures.values()))

    def _run(self, settings: Settings, site: Site, lists: Lists, clock: Callable[[], datetime]) -> None:
        marks: set[str] = set()
        tables = {feed.name: feed for feed in settings.feeds}
        for feed in site.feeds:
            if feed.every is None or feed.name not in tables:
                continue
            self._issue(feed, site, lists, clock())
            digest = newest(feed.name, self._store)
            if digest is not None and digest.items and clock() - digest.issued < feed.every:
                for channel in channels(tables[feed.name], settings, site):
                    marks.add(sent_prefix(digest.feed, digest.period) + channel.key)
                    self._delivery.deliver(digest, channel, now=clock())
        self._delivery.forget_all_but(marks)

    def _issue(self, feed: OwnFeed, site: Site, lists: Lists, now: datetime) -> None:
        digest = issue(feed, lists.own, store=self._store, site=site, now=now)
        if digest is not None:
            told = {"feed": digest.feed, "period": digest.period, "items": len(digest.items)}
            log.info("digest issued", extra=told)


def channels(feed: FeedTable, settings: Settings, site: Site) -> list[Channel]:
    """Where config.toml sends the digests of a feed."""
    by_mail = [
        Channel(kind="mail", address=to, send=partial(_mail, settings=settings, site=site, to=to)) for to in feed.mail
    ]
    return by_mail + [Channel(kind="notify", address=url, send=partial(_notify, url=url)) for url in feed.notify]


def _mail(digest: Digest, on_accepted: Callable[[], None], *, settings: Settings, site: Site, to: str) -> None:
    mail = settings.mail
    if not mail.server or mail.sender is None:
        raise Refused("[mail] server is not given")
    try:
        password = read_secret(mail.password_file, settings.base, os.environ) if mail.password_file else ""
    except ValueError as error:
        raise Undelivered("[mail] password_file cannot be read") from error
    server = mailer.MailServer(
        host=mail.server, port=mail.port, tls=mail.tls, sender=mail.sender, user=mail.user, password=password
    )
    host = (site.id or authority(site.url)).removeprefix("tag:").partition(",")[0]
    message = mailer.compose(digest, server=server, to=to, authority=host, site=site.url, language=site.language)
    mailer.send(message, server, on_accepted=on_accepted)


def _notify(digest: Digest, on_accepted: Callable[[], None], *, url: str) -> None:
    on_accepted()
    notify.notify(digest, url)


async def in_a_thread(work: Callable[[], str]) -> str:
    """What `work` returns. A server that does not answer must not hold up the end of the daemon, as a pool would."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[str] = loop.create_future()

    def settle(result: str | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result or "")

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="digests", daemon=True).start()
    return await done
