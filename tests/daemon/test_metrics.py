"""The metrics: their names, and that the alerts and the dashboard ask for nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client.metrics_core import Metric

from aggregator.daemon.metrics import Metrics, StoreGauges
from aggregator.daemon.observers import progress_gauges
from aggregator.model import StoreStats

DOCS = Path(__file__).parents[2] / "docs"
STATS = StoreStats(sources=1, entries=7, items=5, stories=2, views=3, likes=1, pending=0, size_bytes=4096)


def families() -> Iterator[Metric]:
    """All metrics of a daemon in which something of everything has happened; the web server has its own."""
    metrics = Metrics()
    metrics.polls.labels("new").inc()
    parts = SimpleNamespace(
        poll_loop=SimpleNamespace(in_flight=1, slots=64, blocked=None),
        websub=SimpleNamespace(
            subscriber=SimpleNamespace(states=lambda: {"active": 1.0}, deliveries=lambda: {"stored": 2.0})
        ),
        parser=SimpleNamespace(restarts=3),
        refresh_loop=SimpleNamespace(compared=timedelta(hours=48)),
        clock=SimpleNamespace(jumped=False),
        server_clock=SimpleNamespace(ahead=timedelta(seconds=7)),
        schedule=SimpleNamespace(
            progress=SimpleNamespace(failures={"ping": 1}, finished_s={"ping": 0.0}, age_s=lambda _: 4.0)
        ),
        health_check=SimpleNamespace(started_s=0.0),
    )
    metrics.registry.register(progress_gauges(cast("Any", parts)))
    metrics.registry.register(StoreGauges(stats=STATS, states={"ok": 1}))
    yield from metrics.registry.collect()


def full_name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


@pytest.mark.parametrize("family", list(families()), ids=full_name)
def test_names_follow_the_conventions(family: Metric) -> None:
    """https://prometheus.io/docs/practices/naming/: base units, a sentence of help."""
    assert re.fullmatch(r"(aggregator|process)_[a-z_]+", family.name)
    assert not re.search(r"_(ms|milliseconds|kb|mb|minutes|hours)(_|$)", family.name)
    assert family.documentation.endswith(".")
    if family.type == "histogram":
        assert family.name.endswith("_seconds")


@pytest.mark.parametrize("family", list(families()), ids=full_name)
def test_every_metric_is_described(family: Metric) -> None:
    name = full_name(family)
    rows = (DOCS / "METRICS.md").read_text("utf-8").splitlines()
    row = next((line for line in rows if line.startswith(f"| `{name}`")), "")
    assert family.type.replace("unknown", "gauge") in row, f"{name} is not in docs/METRICS.md"
    assert family.documentation in row


def known_names() -> set[str]:
    samples = {sample.name for family in families() for sample in family.samples}
    return samples | {"aggregator_http_responses_total", "up"}


def asked_for(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:aggregator|process)_[a-z_]+", expression))


def test_the_alerts_ask_for_metrics_that_exist() -> None:
    expressions = re.findall(r"^ +expr: (.+)$", (DOCS / "alerts.yml").read_text("utf-8"), flags=re.MULTILINE)
    assert len(expressions) >= 8
    assert {name for one in expressions for name in asked_for(one)} <= known_names()


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    board = json.loads((DOCS / "dashboard.json").read_text("utf-8"))
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    assert len(expressions) >= 8
    for one in expressions:
        assert asked_for(one), one
        assert asked_for(one) <= known_names()


def test_counters_count_and_what_the_store_holds_is_told() -> None:
    samples = {sample.name: sample.value for family in families() for sample in family.samples}
    assert samples["aggregator_polls_total"] == 1
    assert samples["aggregator_items"] == 5
    assert samples["aggregator_store_size_bytes"] == 4096
    assert samples["aggregator_parse_restarts_total"] == 3
    assert samples["process_resident_memory_bytes"] > 0
