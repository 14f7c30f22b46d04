from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from aggregator import config
from aggregator.collect.cadence import Policy
from aggregator.daemon.poll_budget import PollBudget
from aggregator.errors import StoreUnavailable
from aggregator.model import Source
from aggregator.store import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOURCES = "".join(f'[[sources]]\nurl = "https://paper{number}.example/feed"\n' for number in range(50))


def test_a_budget_is_kept_while_it_changes(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Fifty sources that nothing is known of are asked four times a day each."""
    settings = config.parse(SOURCES, path=Path("config.toml"))
    store.sync_sources(settings.followed(), now=NOW)
    current = [settings]
    poll_budget = PollBudget(store, lambda: NOW, lambda: current[0])
    poller = cast("Any", SimpleNamespace(policy=None))

    def interval_factor(budget: int) -> float:
        current[0] = config.parse(f"[polling]\nbudget = {budget}\n{SOURCES}", path=Path("config.toml"))
        asyncio.run(poll_budget.look(poller))
        assert poller.policy is poll_budget.policy
        return float(poller.policy.interval_factor)

    with caplog.at_level(logging.INFO):
        assert interval_factor(0) == 1.0
        assert interval_factor(1000) == 1.0
        assert not caplog.records
        assert 1.5 < interval_factor(100) < 3
        assert interval_factor(101) > 1.5
        assert interval_factor(0) == 1.0
    assert [record.getMessage() for record in caplog.records] == ["polling paced to the budget"] * 2


def test_a_store_that_cannot_be_read_changes_the_bounds_alone() -> None:
    class Broken:
        def followed(self) -> list[Source]:
            raise StoreUnavailable("the disk is gone")

    settings = config.parse(f"[polling]\nbudget = 1\nmax_interval = '2h'\n{SOURCES}", path=Path("config.toml"))
    poll_budget, poller = PollBudget(cast("Any", Broken()), lambda: NOW, lambda: settings), SimpleNamespace(policy=None)
    poll_budget.policy = Policy(interval_factor=3.0)
    asyncio.run(poll_budget.look(cast("Any", poller)))
    assert poller.policy == Policy(max_interval=timedelta(hours=2), interval_factor=3.0)
