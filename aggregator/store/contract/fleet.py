"""Several processes on one store: who lives, and who does what only one may do at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from aggregator.model import AddressSlot, LeftSlot, Process, SharedDocument

__all__ = ["FleetStore"]


class FleetStore(Protocol):
    """Leases of roles, and the processes that work on the store.

    Times come from the server's clock where the engine has one, so that machines need not agree; else from `now`.
    What else the store is told (`now` of a claim, `polled_at`, `next_poll`) is by `server_time` as well, where several
    machines share it: leases and due times would mean different things to each otherwise.
    """

    def server_time(self, *, now: datetime) -> datetime:
        """The time of the server's clock, where the engine has a server; else `now`."""

    def hold_role(self, role: str, *, holder: str, lease: timedelta, now: datetime) -> bool:
        """Takes a role that nobody holds, or renews it; False while somebody else holds it.

        From then on what this store writes in that role (curation, lists, folding, retention) is fenced: once another
        process has taken the role, such a write raises LostRole and changes nothing, however late it comes.
        """

    def hold_lease(self, name: str, *, holder: str, lease: timedelta, now: datetime) -> bool:
        """As `hold_role`, for work of which it is enough that hardly ever two processes do it: nothing is fenced."""

    def release_role(self, role: str, *, holder: str) -> None:
        """Gives a role back at once, so that another process need not wait for the lease to end."""

    def report_process(self, process: Process, *, now: datetime) -> None:
        """Notes that a process lives and what it does; one that has not been heard of for a day is forgotten."""

    def remove_process(self, process_id: str) -> None:
        """Forgets a process that has ended."""

    def processes(self) -> Sequence[Process]:
        """The processes that were heard of, by id, with the roles that they hold by lease."""

    def exchange_slots(
        self, *, take: Collection[str], leave: Collection[LeftSlot], hold: timedelta, now: datetime
    ) -> Mapping[str, AddressSlot]:
        """Gives slots back, and takes those at the addresses `take`, each of which one process has at a time.

        A slot that is not given back is free after `hold`. A slot under another token than that of its holder is left
        as it is. Slots outlive a crash of the server.
        """

    def documents(self, prefix: str) -> Mapping[str, SharedDocument]:
        """The shared documents whose names begin with `prefix`, by name."""

    def document_versions(self, prefix: str) -> Mapping[str, int]:
        """Only their versions."""

    def put_document(
        self, name: str, text: str, *, now: datetime, expected: int | None = None, announced: bool = True
    ) -> int | None:
        """Writes a document; its new version. None, and nothing has changed: its version is not `expected` (0: new).

        `announced`: the generation of the store is raised, so that all processes look at it.
        """
