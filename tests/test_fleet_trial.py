"""The quick version of `make fleet`: a few blows, nothing lost, nothing twice."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import fleet_harness
import postgres_server
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.mark.skipif(not postgres_server.is_installed() or fleet_harness.NGINX is None, reason="needs PostgreSQL, nginx")
def test_nothing_is_lost_or_twice_when_processes_and_the_server_are_killed() -> None:
    trial = importlib.import_module("bench.fleet_trial").trial
    assert [(row.what, row.seen) for row in trial(kills=12, names=6, seed=5, peace_s=0.0) if not row.held] == []
