"""A process that merges two items and takes them apart again until it is killed."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from store_values import NOW, B, edited, make_entry, poll

from aggregator.model import Curation, Merge, Split
from aggregator.store import open_store


def main(folder: Path, keep: str, absorb: str, round_number: int) -> None:
    store = open_store("sqlite:a.db", base=folder)
    merge = Merge(keep=keep, absorb=absorb, rule="near-duplicate")
    for n in range(10_000):
        at = NOW + timedelta(days=1 + round_number, minutes=n)
        store.put_curation(Curation(curated=(), merges=(merge,)), now=at)
        poll(store, B, edited(make_entry("b", text="Said by b."), f"Edit {round_number}.{n}"), at=at)
        (doubt,) = store.doubted(limit=9)
        split = Split(item_id=doubt.item_id, restore=doubt.parts[1].item_id)
        store.put_curation(Curation(curated=(), settled=(doubt.item_id,), splits=(split,)), now=at)
        sys.stdout.write(f"{n}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
