"""The web server: routes, conditional responses, counting. The only package that imports aiohttp.web.

- `app`: the application, its access control, headers and error pages
- `routes`, `item_routes`, `ops_routes`, `websub_routes`, `greader_routes`: the addresses
- `response_cache`: responses are rendered once for each state of the store, in threads of their own, and kept
- `http_response`: entity tags, 304, compression
- `fast_path`, `connection`: repeated requests are answered without aiohttp's request objects
- `server`: sockets and limits
"""

from __future__ import annotations

from aggregator.publish.web.app import create_app
from aggregator.publish.web.server import ServerLimits, WebServer, serve, split_listen
from aggregator.publish.web.services import Health, Services

__all__ = ["Health", "ServerLimits", "Services", "WebServer", "create_app", "serve", "split_listen"]
