"""A process that polls, records views and likes until it is killed; it says what has been acknowledged."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from store_values import NOW, A, B, lease_of, make_entry, make_result

from aggregator.model import Scope, Validators, View
from aggregator.store import open_store


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(folder: Path, round_number: int) -> None:
    store = open_store("sqlite:a.db", base=folder)
    for n in range(10_000):
        at = NOW + timedelta(days=round_number, minutes=n)
        for url in (A, B):
            lease = lease_of(store, url, at=at, lease=timedelta(seconds=1))
            entries = [make_entry(f"{url}:{round_number}:{n}:{k}", published=at) for k in range(5)]
            result = make_result(lease.sources[0].id, entries, at=at, validators=Validators(etag=f"{round_number}:{n}"))
            store.complete(lease, result)
            say(f"poll {url} {round_number}:{n}")
        (item,) = store.latest(Scope(), limit=1)
        visitor = f"{round_number}:{n}".encode()
        store.record_views([View(item_id=item.id, at=at, visitor=visitor)])
        say("view")
        store.like(item.id, visitor=visitor, now=at)
        say("like")
        if n % 3 == 0:
            store.fold_views()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
