"""Long jobs work in smaller bites while somebody is at the pages."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from annotations.actions import bulk
from tagstudio import presence


@pytest.fixture
def home(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(presence, "HERE_SECONDS", 600.0)  # a first page may take seconds on a busy machine
    settings.TAGSTUDIO_HOME = tmp_path
    return tmp_path


def test_a_page_says_that_somebody_is_here_for_a_moment(home: Path, client: Client, db: None) -> None:
    assert not presence.somebody_is_here()
    client.get("/login/")
    assert presence.somebody_is_here()
    past = time.time() - presence.HERE_SECONDS - 1
    os.utime(home / "present", (past, past))
    assert not presence.somebody_is_here()
    client.get("/login/")
    assert presence.somebody_is_here()


@pytest.mark.parametrize(("path", "headers"), [("/healthz", {}), ("/api/v1/", {}), ("/login/", {"HX-Request": "true"})])
def test_what_machines_ask_is_nobody(home: Path, client: Client, db: None, path: str, headers: dict[str, str]) -> None:
    client.get(path, headers=headers)
    assert not presence.somebody_is_here()


def test_a_home_that_is_gone_breaks_no_page(settings: Any, tmp_path: Path, client: Client, db: None) -> None:
    settings.TAGSTUDIO_HOME = tmp_path / "gone"
    assert client.get("/login/").status_code < 500
    assert not presence.somebody_is_here()


def test_a_job_begins_nothing_while_a_page_is_being_made(home: Path) -> None:
    with presence.serving():
        begun = time.monotonic()
        presence.let_pass(0.1)
        assert time.monotonic() - begun >= 0.1  # always somebody: the job goes on between them
    begun = time.monotonic()
    presence.let_pass(30)
    assert time.monotonic() - begun < 15, "waited for nobody"


def test_a_job_goes_on_when_the_page_is_made(home: Path) -> None:
    made = threading.Event()

    def make() -> None:
        with presence.serving():
            begun.set()
            time.sleep(0.2)
            made.set()

    begun = threading.Event()
    page = threading.Thread(target=make)
    page.start()
    begun.wait()
    presence.let_pass(30)
    assert made.is_set()
    page.join()


def test_what_fails_is_no_longer_being_served(home: Path) -> None:
    with pytest.raises(ValueError, match="a page that breaks"), presence.serving():
        raise ValueError("a page that breaks")
    begun = time.monotonic()
    presence.let_pass(30)
    assert time.monotonic() - begun < 15


def test_a_job_takes_smaller_bites_and_rests_while_somebody_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    rested: list[float] = []
    waited: list[float] = []
    clock = iter(float(n) for n in range(100))
    monkeypatch.setattr(bulk.connection, "vendor", "sqlite", raising=False)
    monkeypatch.setattr(bulk.time, "sleep", rested.append)
    monkeypatch.setattr(bulk.time, "monotonic", lambda: next(clock))  # each transaction takes a second
    bites = {}
    for here in (False, True):
        monkeypatch.setattr(bulk, "somebody_is_here", lambda here=here: here)
        monkeypatch.setattr(bulk, "let_pass", waited.append)
        pace = bulk.Pace(most=6000, seconds=0.6, rows=6000)
        with pace.keeping():
            pass
        bites[here] = pace.rows
    assert bites == {False: (6000 + 3600) // 2, True: (6000 + 720) // 2}
    assert waited == [bulk.REST_SECONDS]
    assert rested == [bulk.GIVE_WAY_SECONDS, bulk.REST_SECONDS]


def test_where_writers_do_not_wait_for_each_other_nothing_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk.connection, "vendor", "postgresql", raising=False)
    pace = bulk.Pace(most=500, seconds=0.001)
    with pace.keeping():
        pass
    assert pace.rows == 500
