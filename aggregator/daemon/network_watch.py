"""Says when the network goes down and when it is back: once each, in the log and as a notice."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from aggregator.collect.decision import CountedFailure, OutageDetector
from aggregator.daemon.notices import Notices

__all__ = ["NetworkWatch"]

log = logging.getLogger(__name__)


class NetworkWatch:
    """What has been said of the network so far."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._is_down = False

    def look(self, outage: OutageDetector, *, now: datetime) -> Sequence[CountedFailure]:
        """Says it if the network has gone down or come back.

        Returns the failures that were counted against sources before it was understood: they are to be taken back.
        """
        if outage.is_down == self._is_down:
            return ()
        self._is_down = outage.is_down
        if not outage.is_down:
            log.warning("network is back")
            self._notices.clear("network-down")
            return ()
        counted = outage.take_back()
        log.warning("network is down; failures are not counted against sources", extra={"taken_back": len(counted)})
        self._notices.put("network-down", "The network is down: no source can be reached.", now=now)
        return counted
