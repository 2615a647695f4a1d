"""Copies of the database that are whole, made while everybody goes on working."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tagstudio.filesystems import network_file_system
from tagstudio.settings import env

PAGES_AT_ONCE = 1000
SQLITE = b"SQLite format 3\x00"
NEEDED = "annotations_decision"


class BackupError(Exception):
    """The message says what to do."""


def backup(
    database: dict[str, Any], target: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Write the database to ``target``, which must not be there. Raises BackupError.

    SQLite through its backup API: a copy of one moment, with readers and writers at work. PostgreSQL through pg_dump.
    """
    if target.exists():
        raise BackupError(f"{target} is there already: choose another name")
    if not target.parent.is_dir():
        raise BackupError(f"{target.parent} is no folder")
    temporary = Path(tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)[1])
    try:
        if env.is_sqlite(database):
            _copy(Path(str(database["NAME"])), temporary, progress)
            _check(temporary)
        else:
            _postgresql("pg_dump", database, ["--format=custom", "--no-owner", f"--file={temporary}"])
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.rename(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def restore(
    database: dict[str, Any], source: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> Path | None:
    """Put a backup in the database's place. Returns where the former database was kept (SQLite), or None.

    Nobody may be at work meanwhile. Raises BackupError, and has changed nothing then (SQLite).
    """
    if not source.is_file():
        raise BackupError(f"{source} is not there")
    if not env.is_sqlite(database):
        _postgresql(
            "pg_restore", database, ["--clean", "--if-exists", "--no-owner", "--single-transaction", str(source)]
        )
        return None
    _check(source)
    target = Path(str(database["NAME"]))
    target.parent.mkdir(parents=True, exist_ok=True)
    if kind := network_file_system(target.parent):
        raise BackupError(f"{target.parent} is on a network file system ({kind}), where SQLite is not safe")
    kept = _put_aside(target)
    temporary = target.with_name(f".{target.name}-restore")
    temporary.unlink(missing_ok=True)
    _copy(source, temporary, progress)
    temporary.rename(target)
    return kept


def _copy(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    if not source.is_file():
        raise BackupError(f"{source} is not there")
    origin = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=60)
    copy = sqlite3.connect(target)
    try:
        origin.backup(copy, pages=PAGES_AT_ONCE, progress=lambda _status, left, total: progress(total - left, total))
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without companions
    except sqlite3.Error as error:
        raise BackupError(f"{source} could not be copied: {error}") from error
    finally:
        copy.close()
        origin.close()


def _check(file: Path) -> None:
    """Raises BackupError unless it is a sound database of ours."""
    with file.open("rb") as stream:
        if stream.read(len(SQLITE)) != SQLITE:
            raise BackupError(f"{file} is no SQLite database")
    database = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    try:
        verdict = database.execute("PRAGMA quick_check").fetchone()[0]
        ours = database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (NEEDED,)).fetchone()
    except sqlite3.Error as error:
        raise BackupError(f"{file} is damaged: {error}") from error
    finally:
        database.close()
    if verdict != "ok":
        raise BackupError(f"{file} is damaged: {verdict}")
    if ours is None:
        raise BackupError(f"{file} is a database, but not one of TagStudio's")


def _put_aside(target: Path) -> Path | None:
    """Copy the present database beside itself, and take it and its companions out of the way."""
    if not target.exists():
        return None
    kept = target.with_name(f"{target.name}.before-restore")
    number = 1
    while kept.exists():
        number += 1
        kept = target.with_name(f"{target.name}.before-restore-{number}")
    locked = sqlite3.connect(target, timeout=2, isolation_level=None)
    try:
        locked.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        locked.execute("PRAGMA locking_mode=EXCLUSIVE")
        locked.execute("BEGIN EXCLUSIVE")
        locked.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        raise BackupError(f"somebody is at work in {target} ({error}): stop web and workers first") from error
    except sqlite3.DatabaseError:
        pass  # damaged: that may be why it is to be replaced
    finally:
        locked.close()
    target.rename(kept)
    for companion in ("-wal", "-shm"):
        file = target.with_name(target.name + companion)
        if file.exists():
            file.rename(kept.with_name(kept.name + companion))
    return kept


def _postgresql(program: str, database: dict[str, Any], words: list[str]) -> None:
    if shutil.which(program) is None:
        raise BackupError(
            f"{program} is not installed here: install PostgreSQL's client programs, or run {program} where they are"
        )
    where = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    environment = {**os.environ, **{name: str(database[key]) for name, key in where.items() if database.get(key)}}
    if program == "pg_restore":
        words = [f"--dbname={database['NAME']}", *words]
    done = subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(f"{program} failed: {done.stderr.strip()[-500:]}")
