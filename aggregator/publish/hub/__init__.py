"""WebSub publisher (w3.org/TR/websub): notifies subscribers or a hub within seconds when a feed has changed.

- `topics`: which feeds are topics, and whether one has changed
- `protocol`: requests to the embedded hub, challenges, signed bodies and pings of other hubs (pure)
- `hub`: finds changes and sends notifications; with ``hub = "self"`` to the subscribers of the embedded hub, else to
  the hub that the operator has chosen

An external hub is stored like one more subscriber: what it was last notified of, and when to retry. The list is in the
store, so that each change is notified once even if the process stops in between.
"""

from __future__ import annotations

from aggregator.publish.hub.hub import Hub
from aggregator.publish.hub.protocol import HubRequest, Send, read_request

__all__ = ["Hub", "HubRequest", "Send", "read_request"]
