"""Django's SQLite backend, with a waiting line in which nobody starves.

SQLite has one writer at a time, and one that waits for its place asks again after 1, 2, 5, 10 … 100 ms
(``sqliteDefaultBusyCallback`` in SQLite's main.c). Somebody who writes all the time, as an import does, and lets go
between two transactions for a moment only, is hardly ever caught at it: a reviewer's save then waits for half a second
where a twentieth would do. Here every statement that has to wait asks every two milliseconds, the beginning of a
transaction and a write outside of one alike: were one of them slower to ask, it would starve behind the other.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from typing import Any

from django.db.backends.sqlite3 import base

ASK_AGAIN_SECONDS = 0.002
"""A writer that gives way does so for longer than this (``annotations.actions.bulk.Pace``)."""


class Cursor(base.SQLiteCursorWrapper):
    """Django's cursor; a statement that finds somebody else writing is asked again, ``patience`` seconds long."""

    patience: float

    def execute(self, query: str, params: Any = None) -> Any:
        until: float | None = None
        while True:
            try:
                return super().execute(query, params)
            except sqlite3.OperationalError as error:
                now = time.monotonic()
                until = until or now + self.patience
                if not _taken(error) or now > until:
                    raise
            time.sleep(ASK_AGAIN_SECONDS)

    def executemany(self, query: str, param_list: Iterable[Any]) -> Any:
        """Outside a transaction each row is one of its own, so that none is written twice when another has to wait."""
        if self.connection.in_transaction:
            return super().executemany(query, param_list)
        for params in param_list:
            self.execute(query, params)
        return self


class DatabaseWrapper(base.DatabaseWrapper):
    """As Django's; only waiting differs. Statements raise OperationalError after OPTIONS' ``timeout`` (seconds)."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        connection: sqlite3.Connection = super().get_new_connection(conn_params)
        connection.execute("PRAGMA busy_timeout = 0")  # from here on it is the cursor that waits
        return connection

    def create_cursor(self, name: str | None = None) -> Cursor:
        connection: sqlite3.Connection = self.connection  # type: ignore[assignment]
        cursor = connection.cursor(factory=Cursor)
        cursor.patience = float(self.settings_dict["OPTIONS"].get("timeout", 5))
        return cursor


def _taken(error: sqlite3.OperationalError) -> bool:
    """Somebody else is writing. The lower byte of an extended code is the code itself (sqlite.org/rescode.html).

    A snapshot that others have overtaken (SQLITE_BUSY_SNAPSHOT) stays so however long one waits.
    """
    return (
        error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY and error.sqlite_errorcode != sqlite3.SQLITE_BUSY_SNAPSHOT
    )
