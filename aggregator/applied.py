"""One configuration for all processes on a PostgreSQL store: the one that was applied last, with a version.

The store holds the text of the file that `aggregator apply` was called with. A machine whose own file says something
else follows the applied one, and says so; only `LOCAL` is taken from its own file. The first process on an empty store
applies its own. Lists of feeds (``[[subscriptions]]``) are shared likewise; the folder beside the file is a copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aggregator import config
from aggregator.config import Settings
from aggregator.following import lists_folder
from aggregator.store import FleetStore, is_postgresql

__all__ = ["LOCAL", "Effective", "apply", "effective", "share_lists", "take_lists", "versions"]

#: tables that each machine has of its own
LOCAL = ("server", "store", "backup")
_NAME, _LISTS = "config.toml", "lists/"


@dataclass(frozen=True, slots=True)
class Effective:
    """The settings that a process goes by."""

    settings: Settings
    #: of the applied configuration; 0: each file stands for itself
    version: int = 0
    #: what applying the file of this machine would change
    differences: tuple[str, ...] = ()


def effective(local: Settings, store: FleetStore, *, now: datetime) -> Effective:
    """What this process goes by; `local` is what its file says. Raises ConfigError, StoreError."""
    if not is_postgresql(local.store.url):
        return Effective(local)
    found = store.documents(_NAME).get(_NAME)
    if found is None:
        store.put_document(_NAME, _text(local), now=now, expected=0)
        found = store.documents(_NAME)[_NAME]
    return Effective(*_merged(local, found.text, found.version))


def apply(local: Settings, store: FleetStore, *, now: datetime, dry_run: bool = False) -> Effective | None:
    """Makes the file of this machine the applied configuration; what that changes, under its new version.

    None: another one was applied meanwhile. Without a difference nothing is written.
    """
    before = effective(local, store, now=now)
    if dry_run or not before.differences:
        return before
    version = store.put_document(_NAME, _text(local), now=now, expected=before.version)
    return None if version is None else Effective(local, version, before.differences)


def versions(store: FleetStore) -> dict[str, int]:
    """The versions of what is shared; other ones tell that something was applied."""
    return {**store.document_versions(_NAME), **store.document_versions(_LISTS)}


def take_lists(settings: Settings, store: FleetStore) -> bool:
    """Copies the shared lists of feeds into the folder of this machine; whether one was another. Raises OSError."""
    folder, changed = lists_folder(settings), False
    for name, shared in store.documents(_LISTS).items():
        path = folder / name.removeprefix(_LISTS)
        if not path.is_file() or path.read_text("utf-8") != shared.text:
            folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".tmp")
            temporary.write_text(shared.text, "utf-8")
            temporary.replace(path)
            changed = True
    return changed


def share_lists(settings: Settings, store: FleetStore, *, now: datetime) -> None:
    """Gives the lists of feeds in the folder of this machine to all others. Raises OSError."""
    known = store.documents(_LISTS)
    for path in sorted(lists_folder(settings).glob("*.json")):
        name, text = f"{_LISTS}{path.name}", path.read_text("utf-8")
        if name not in known or known[name].text != text:
            store.put_document(name, text, now=now)


def _merged(local: Settings, text: str, version: int) -> tuple[Settings, int, tuple[str, ...]]:
    # its relative paths are relative to the same folder; its name tells where an error is
    parsed = config.parse(text, path=local.path.with_name(f"applied-configuration-{version}"))
    own = {name: getattr(local, name) for name in LOCAL}
    applied = parsed.model_copy(update={**own, "path": local.path})
    return applied, version, tuple(config.diff(applied, local))


def _text(local: Settings) -> str:
    return local.path.read_text("utf-8-sig")
