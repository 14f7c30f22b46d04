"""WebSub's sending side (w3.org/TR/websub): whoever wants to know is told when a feed has changed, within seconds.

- `requests`: what somebody asks of the embedded hub, read and refused (pure)
- `topics`: which feeds are told of, and whether one has changed
- `messages`: what goes over the wire: challenges, signed bodies, announcements (pure)
- `hub`: the order of things; with ``hub = "self"`` the embedded hub, else announcements to one of the operator's choice

Both are one thing: a list of those to be told, what each was last told of, and when to try again. It lies in the store,
so that a change is told once, whatever stops in between.
"""

from __future__ import annotations

from aggregator.publish.hub.hub import Hub
from aggregator.publish.hub.protocol import HubRequest, Send, read_request

__all__ = ["Hub", "HubRequest", "Send", "read_request"]
