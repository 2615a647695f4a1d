"""Which ids a file has had so far. On disk, so that memory does not grow with the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

ASKED_AT_ONCE = 500


class Seen:
    """Ids with the line they were first on. A private temporary SQLite file that goes when it is closed."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-8000;"
            "CREATE TABLE seen (id TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID; BEGIN"
        )

    def first_line(self, name: str, line: int) -> int | None:
        """None for a new id, which is remembered from now on; else the line it was first on."""
        if self._file.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (name, line)).rowcount:
            return None
        found: int = self._file.execute("SELECT line FROM seen WHERE id = ?", (name,)).fetchone()[0]
        return found

    def missing(self, names: Sequence[str]) -> set[str]:
        """Those that the file has not had. At most ``ASKED_AT_ONCE`` at a time."""
        marks = ",".join("?" * len(names))
        found: Iterable[tuple[str]] = self._file.execute(f"SELECT id FROM seen WHERE id IN ({marks})", tuple(names))  # noqa: S608
        return set(names) - {name for (name,) in found}

    def close(self) -> None:
        self._file.close()
