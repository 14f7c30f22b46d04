"""What ``/metrics`` says, in Prometheus' text format.

`METRICS` is the daemon's whole vocabulary, which docs/OPERATING.md repeats; the web server adds its own count of
answers (``aggregator_http_responses_total``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Value = float | int | bool | None
#: label → value of a metric that has one label
Labelled = dict[str, float]

#: name → (type, what it says, its label)
METRICS: dict[str, tuple[str, str, str | None]] = {
    "aggregator_build_info": ("gauge", "Always 1; the label says which version runs.", "version"),
    "aggregator_up_seconds": ("gauge", "Seconds since the daemon started.", None),
    "aggregator_polls_total": (
        "counter",
        "Finished polls by outcome (new, same, not-modified, error, gone).",
        "outcome",
    ),
    "aggregator_polls_in_flight": ("gauge", "Sources that are being polled at the moment.", None),
    "aggregator_poll_slots": ("gauge", "Polls that may be in flight: [polling] concurrency.", None),
    "aggregator_fetched_bytes_total": ("counter", "Bytes of feeds read, after decompression.", None),
    "aggregator_new_items_total": ("counter", "Items that polls have founded.", None),
    "aggregator_updated_entries_total": ("counter", "Entries that were edited in place.", None),
    "aggregator_sources": ("gauge", "Configured sources by state (new, ok, quiet, failing, gone, disabled).", "state"),
    "aggregator_entries": ("gauge", "Entries in the store.", None),
    "aggregator_items": ("gauge", "Items in the store.", None),
    "aggregator_stories": ("gauge", "Stories in the store.", None),
    "aggregator_views": ("gauge", "Views counted, ever.", None),
    "aggregator_likes": ("gauge", "Likes counted, ever.", None),
    "aggregator_pending_items": ("gauge", "Items that wait to be compared with the others.", None),
    "aggregator_store_bytes": ("gauge", "Size of the store on disk.", None),
    "aggregator_store_writable": ("gauge", "1: the store takes writes; 0: polling waits for it.", None),
    "aggregator_overdue_seconds": ("gauge", "How long the oldest due poll has been waiting.", None),
    "aggregator_refreshes_total": ("counter", "Times the lists were made anew.", None),
    "aggregator_refresh_seconds": ("gauge", "How long the last refresh took.", None),
    "aggregator_config_ok": (
        "gauge",
        "1: the configuration that runs is the one in the file; 0: the file has errors.",
        None,
    ),
    "aggregator_config_reloads_total": ("counter", "Reloads by result (taken, refused).", "result"),
    "aggregator_job_failures_total": ("counter", "Runs of timed jobs that failed or took too long.", "job"),
    "aggregator_job_age_seconds": ("gauge", "Seconds since the last good run of a timed job.", "job"),
    "aggregator_pushes": ("gauge", "Subscriptions at hubs by state (asked, active, leaving, resting).", "state"),
    "aggregator_deliveries_total": (
        "counter",
        "Deliveries of hubs by what became of them (stored, unreadable, unsigned).",
        "outcome",
    ),
    "aggregator_clock_disbelieved": ("gauge", "1: the wall clock has jumped and is not believed yet.", None),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One metric's value or values; None: not known at the moment, left out."""

    name: str
    value: Value | Labelled


def render(samples: Iterable[Sample]) -> str:
    """The samples as text, each metric with its help and type. KeyError for a metric that is not in `METRICS`."""
    return "".join(line for sample in samples for line in _lines(sample))


def _lines(sample: Sample) -> Iterator[str]:
    kind, text, label = METRICS[sample.name]
    if sample.value is None:
        return
    yield f"# HELP {sample.name} {text}\n# TYPE {sample.name} {kind}\n"
    if isinstance(sample.value, dict):
        for key, value in sorted(sample.value.items()):
            yield f'{sample.name}{{{label}="{_escape(key)}"}} {_number(value)}\n'
    else:
        yield f"{sample.name} {_number(sample.value)}\n"


def _number(value: float | bool) -> str:
    number = float(value)
    if math.isinf(number):
        return "+Inf"
    return str(int(number)) if number.is_integer() else f"{number:.6g}"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
