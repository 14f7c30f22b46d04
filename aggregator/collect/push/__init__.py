"""WebSub subscriber: hubs tell us what is new; polling goes on, more rarely, as a net (W3C WebSub, 2018).

- `links`: which hub and topic an answer names (pure)
- `signature`: whether a delivery is the hub's (pure)
- `plan`: what is to be asked of hubs, how long a delivery is trusted, when nothing is asked (pure)
- `hubs`: one request to a hub
- `intake`: from a delivery to the store
- `subscriber`: carries the plan out, answers verifications, takes deliveries
"""

from __future__ import annotations

from aggregator.collect.push.hubs import Hubs
from aggregator.collect.push.links import with_links
from aggregator.collect.push.subscriber import Subscriber

__all__ = ["Hubs", "Subscriber", "with_links"]
