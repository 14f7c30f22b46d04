"""The other side of bench/collect.py: `reader` (PyPI), in an environment of its own; needs nothing of this project.

    python collect_reader.py DATABASE WORKERS URLS [--profile]

Reads a word a line from stdin, the name of a stage, and answers with a line of JSON when all feeds have been updated.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path

from profiles import Profiles


def main(database: str, workers: int, urls: list[str], profiles: Profiles | None) -> None:
    """Follows `urls` and updates all of them, once for each line of stdin."""
    if bundle := os.environ.get("SSL_CERT_FILE"):  # the bench's own authority (--tls), which requests does not look for
        vars(importlib.import_module("certifi"))["where"] = lambda: bundle
    reader = importlib.import_module("reader").make_reader(database)
    for url in urls:
        reader.add_feed(url)
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        began, used = time.perf_counter(), time.process_time()
        results = list(reader.update_feeds_iter(workers=workers, scheduled=False))
        took_s, own_s = time.perf_counter() - began, time.process_time() - used
        failed = [str(result.value) for result in results if isinstance(result.value, Exception)]
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        entries = reader.get_entry_counts().total
        answer = {"s": took_s, "own": own_s, "entries": entries, "failed": failed[:3], "mb": peak_mb}
        print(json.dumps(answer | ({"profile": profiles.spent(len(urls))} if profiles else {})), flush=True)


if __name__ == "__main__":
    profiled = Profiles() if "--profile" in sys.argv else None
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]).read_text().split(), profiled)
