"""The web server: routes, conditional responses, counting. The only package that imports aiohttp.web.

- `routes`, `opening`, `operating`: the addresses that show, that count, and that tell how the program is doing
- `content`: answers are rendered once for each state of the store, in threads of their own, and kept
- `answer`: entity tags, 304, compression
- `server`: sockets and limits
"""

from __future__ import annotations

from aggregator.publish.web.app import create_app
from aggregator.publish.web.server import ServerLimits, WebServer, serve, split_listen
from aggregator.publish.web.services import Health, Services

__all__ = ["Health", "ServerLimits", "Services", "WebServer", "create_app", "serve", "split_listen"]
