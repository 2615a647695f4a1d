"""Backups: whole while others write, checked before they replace anything, and never over a network."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.db import connection

from tagstudio import backup, checks
from tagstudio.filesystems import network_file_system

ROOT = Path(__file__).resolve().parents[2]


def house(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command in a house of its own."""
    environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE")}
    return subprocess.run(
        [sys.executable, "manage.py", *words], capture_output=True, text=True, cwd=ROOT, check=False,
        env={**environment, "TAGSTUDIO_HOME": str(home)},
    )  # fmt: skip


@pytest.mark.long
def test_a_catalogue_comes_back(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "copy.sqlite3"
    assert house(home, "migrate", "-v0").returncode == 0
    house(home, "create_catalogue", "first")
    made = house(home, "backup", str(file), "--json")
    assert json.loads(made.stdout)["bytes"] > 0, made.stderr
    assert house(home, "backup", str(file), "--json").returncode == 1, "never over another"
    house(home, "create_catalogue", "second")
    answer = house(home, "restore", str(file), "--json")
    assert answer.returncode == 0, answer.stderr
    slugs = lambda name: [r[0] for r in sqlite3.connect(name).execute("SELECT slug FROM annotations_catalogue")]  # noqa: E731
    assert slugs(home / "tagstudio.sqlite3") == ["first"]
    assert slugs(json.loads(answer.stdout)["kept"]) == ["first", "second"]


def ours(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=20)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE annotations_decision (a INTEGER PRIMARY KEY, b INTEGER, c TEXT)")
    return database


def test_a_copy_is_of_one_moment_while_others_write(tmp_path: Path) -> None:
    source, stop = tmp_path / "db", threading.Event()
    ours(source).close()

    def write() -> None:
        database = sqlite3.connect(source, timeout=20)
        number = 0
        while not stop.is_set():
            number += 1
            with database:  # two rows that stand or fall together
                database.execute("INSERT INTO annotations_decision (b, c) VALUES (?, ?)", (number, "x" * 500))
                database.execute("INSERT INTO annotations_decision (b, c) VALUES (?, ?)", (-number, "x" * 500))
        database.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for n in range(5):
            backup.backup({"ENGINE": "x.sqlite3", "NAME": source}, tmp_path / f"copy{n}")
            total, count = (
                sqlite3.connect(tmp_path / f"copy{n}")
                .execute("SELECT coalesce(sum(b), 0), count(*) FROM annotations_decision")
                .fetchone()
            )
            assert total == 0 and count % 2 == 0
    finally:
        stop.set()
        writer.join()


def test_what_is_no_backup_replaces_nothing(tmp_path: Path) -> None:
    home = tmp_path / "db"
    ours(home).close()
    database = {"ENGINE": "x.sqlite3", "NAME": home}
    before = home.read_bytes()
    text, foreign, damaged = tmp_path / "a.txt", tmp_path / "foreign", tmp_path / "damaged"
    text.write_text("hello")
    sqlite3.connect(foreign).executescript("CREATE TABLE t (a)")
    filled = ours(damaged)
    filled.executemany("INSERT INTO annotations_decision (c) VALUES (?)", [("x" * 3000,)] * 100)
    filled.commit()
    filled.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    filled.close()
    content = bytearray(damaged.read_bytes())
    content[8192:40960] = os.urandom(32768)
    damaged.write_bytes(content)
    for file, words in (
        (text, "no SQLite"),
        (foreign, "not one of"),
        (damaged, "damaged"),
        (tmp_path / "no", "not there"),
    ):
        with pytest.raises(backup.BackupError, match=words):
            backup.restore(database, file)
    assert home.read_bytes() == before and not list(tmp_path.glob("*before*"))


@pytest.mark.long
def test_not_while_somebody_writes(tmp_path: Path) -> None:
    home, copy = tmp_path / "db", tmp_path / "copy"
    busy = ours(home)
    busy.commit()
    backup.backup({"ENGINE": "x.sqlite3", "NAME": home}, copy)
    busy.execute("BEGIN IMMEDIATE")
    busy.execute("INSERT INTO annotations_decision (b) VALUES (1)")
    with pytest.raises(backup.BackupError, match="at work"):
        backup.restore({"ENGINE": "x.sqlite3", "NAME": home}, copy)
    busy.rollback()


@pytest.mark.django_db(transaction=True)
def test_postgresql_is_dumped_by_its_own_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "postgresql":
        with monkeypatch.context() as patched:
            patched.setenv("PATH", str(tmp_path))
            with pytest.raises(backup.BackupError, match="pg_dump is not installed"):
                backup.backup({"ENGINE": "django.db.backends.postgresql", "NAME": "x"}, tmp_path / "copy")
        assert list(tmp_path.iterdir()) == [], "nothing half-made is left"
        return
    backup.backup(connection.settings_dict, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes().startswith(b"PGDMP")


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv/shop\\040data rw - nfs4 server:/export rw
31 22 0:41 / /mnt/local rw - xfs /dev/sdb rw
32 31 0:42 / /mnt/local/over rw - fuse.sshfs host: rw
33 22 0:43 / /mnt/win rw - cifs //server/share rw
34 33 0:44 / /mnt/win rw - ext4 /dev/sdc rw
"""


def test_network_file_systems_are_known(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    kinds = {
        "/srv/shop data/home": "nfs4", "/srv/shop": None, "/mnt/local/a": None, "/mnt/local/over/a": "fuse.sshfs",
        "/mnt/win/x": None, "/": None,
    }  # fmt: skip
    assert {path: network_file_system(Path(path), mounts) for path in kinds} == kinds
    assert network_file_system(tmp_path, tmp_path / "nothing") is None


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite must not lie on a network file system")
def test_the_check_names_the_folder_and_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.sqlite_on_local_disk() == []
    monkeypatch.setattr(checks, "network_file_system", lambda path: "nfs4")
    found = checks.sqlite_on_local_disk()
    assert found and "nfs4" in found[0].msg and "TAGSTUDIO_HOME" in str(found[0].hint)
