from __future__ import annotations

import math

import pytest

from aggregator.daemon.metrics import METRICS, Sample, render


def test_a_metric_carries_its_help_and_type() -> None:
    assert render([Sample("aggregator_items", 1_234_567)]) == (
        "# HELP aggregator_items Items in the store.\n# TYPE aggregator_items gauge\naggregator_items 1234567\n"
    )


def test_labels_are_sorted_and_escaped() -> None:
    text = render([Sample("aggregator_polls_total", {'od"d': 1.0, "new": 2.0})])
    assert text.splitlines()[2:] == [
        'aggregator_polls_total{outcome="new"} 2',
        'aggregator_polls_total{outcome="od\\"d"} 1',
    ]


def test_what_is_not_known_is_left_out() -> None:
    assert not render([Sample("aggregator_items", None)])


def test_infinity_is_a_number_of_the_format() -> None:
    assert "+Inf" in render([Sample("aggregator_job_age_seconds", {"poll": math.inf})])


def test_a_name_outside_the_vocabulary_is_refused() -> None:
    with pytest.raises(KeyError):
        render([Sample("aggregator_surprise", 1)])


def test_counters_end_in_total() -> None:
    for name, (kind, text, _) in METRICS.items():
        assert name.endswith("_total") == (kind == "counter")
        assert text.endswith(".")
