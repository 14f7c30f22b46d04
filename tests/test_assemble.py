"""How the parts are put together, where nothing else would notice that they are not."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from daemon_process import config_text
from desk import LIMITS, START, USER_AGENT, InProcess

from aggregator import assemble, config
from aggregator.collect.fetch import Fetcher
from aggregator.collect.guard import Guard
from aggregator.daemon.observers import TimedFetcher
from aggregator.store import open_store


def test_articles_take_turns_with_feeds_whose_requests_are_measured(tmp_path: Path) -> None:
    pytest.importorskip("trafilatura")
    path = tmp_path / "config.toml"
    path.write_text(f'{config_text("http://127.0.0.1:1/feed")}full_text = "fetch"\n', "utf-8")
    settings = config.load(path)
    web = Fetcher(LIMITS, Guard(), USER_AGENT)
    with closing(open_store("sqlite:test.db", base=tmp_path)) as store:
        poller = assemble.poller(
            settings,
            policy=assemble.policy(settings, store, START),
            store=store,
            fetcher=TimedFetcher(web, nullcontext),
            web=web,
            parser=InProcess(),
            clock=lambda: START,
        )
    articles = poller._articles
    assert articles is not None
    for made in (articles._public_fetcher, articles._own_fetcher):
        fetcher = made()
        assert isinstance(fetcher, Fetcher)
        assert fetcher._throttle is web._throttle
