"""Files below a directory that somebody else serves: replaced whole, only where they have changed, removed when stale.

Which files are ours stands in a list beside them; nothing else is ever touched. A file is on disk before it takes the
place of the old one, so that whoever reads it, and whatever happens, it is the old one or the new one.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

from aggregator.publish.compress import codings, pack

#: the list of our files, one path a line
LIST: Final = ".published"
#: files that wait for the disk together, and how many at a time: many at once cost little more than one
_AT_ONCE: Final = 256
_SYNCING: Final = 16


class StaticFiles:
    """One publication below `directory`, which is made if need be. All methods raise OSError where they cannot.

    A context manager: what was not put into its place by then leaves no trace.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._before = self._listed()
        self._now: set[str] = set()
        self._touched: set[Path] = set()
        #: written and not yet in its place: (temporary, target)
        self._waiting: dict[Path, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for temporary in self._waiting:
            temporary.unlink(missing_ok=True)

    def put(self, path: str, body: bytes) -> bool:
        """Makes the file of an address hold `body`, and its compressed forms beside it; whether it had changed."""
        target = self._target(path)
        is_new = self._write(target, body)
        beside = {coding.name: target.with_name(target.name + coding.suffix) for coding in codings()}
        present = [file for file in beside.values() if file.is_file()]
        if len(present) == len(beside) and not is_new:
            self._now.update(map(self._relative, present))
        else:
            for name, packed in pack(body).items():
                self._write(beside[name], packed)
        return is_new

    def stale(self) -> list[str]:
        """The files of former publications that this one has not made."""
        return sorted(self._before - self._now)

    def finish(self) -> int:
        """Removes what is stale and writes the list; how many files were removed."""
        self._settle()
        stale = self.stale()
        for relative in stale:
            self._remove(self._directory / relative)
        self._write(self._directory / LIST, "".join(f"{path}\n" for path in sorted(self._now - {LIST})).encode())
        self._settle()
        for directory in filter(Path.is_dir, self._touched):
            _sync(directory)
        return len(stale)

    def _listed(self) -> set[str]:
        """Our files, by their list; lines that lead out of the directory are nobody's."""
        place = self._directory / LIST
        lines = place.read_text("utf-8", "replace").splitlines() if place.is_file() else []
        return {line for line in lines if line and not line.startswith("/") and ".." not in line.split("/")}

    def _target(self, path: str) -> Path:
        """Where an address is kept: a file where its last part has a suffix, else a folder's index."""
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        target = self._directory.joinpath(*parts)
        return target if parts and "." in parts[-1] else target / "index.html"

    def _relative(self, file: Path) -> str:
        return file.relative_to(self._directory).as_posix()

    def _write(self, target: Path, body: bytes) -> bool:
        self._now.add(self._relative(target))
        if target.is_file() and target.read_bytes() == body:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        self._waiting[temporary] = target
        temporary.write_bytes(body)
        if len(self._waiting) >= _AT_ONCE:
            self._settle()
        return True

    def _settle(self) -> None:
        """Puts what was written into its place, in the order in which it was written, once it is on disk."""
        with ThreadPoolExecutor(_SYNCING) as pool:
            for _ in pool.map(_sync, self._waiting):
                pass
        for temporary, target in self._waiting.items():
            temporary.replace(target)
            self._touched.add(target.parent)
        self._waiting.clear()

    def _remove(self, file: Path) -> None:
        """Removes a file and the folders that it leaves empty."""
        file.unlink(missing_ok=True)
        self._touched.discard(file.parent)
        for folder in file.parents:
            if folder == self._directory or not folder.is_dir() or any(folder.iterdir()):
                self._touched.add(folder)
                return
            folder.rmdir()
            self._touched.discard(folder)


def _sync(path: Path) -> None:
    """Makes what a file holds, or the names in a directory, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
