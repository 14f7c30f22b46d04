"""WebSub subscriber: hubs tell us what is new; polling goes on, more rarely, as a net (W3C WebSub, 2018).

- `subscription_state`: what is to be asked of hubs, how long a delivery is trusted, when nothing is asked (pure)
- `hub_client`: one request to a hub
- `delivery`: from a signed delivery to the store
- `subscriber`: carries the plan out, answers verifications, takes deliveries
"""

from __future__ import annotations

from aggregator.collect.push.hub_client import HubClient
from aggregator.collect.push.subscriber import Subscriber

__all__ = ["HubClient", "Subscriber"]
