"""What every test may use: the shared catalogues, a catalogue with people in it, and a flush that history allows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.apps import apps
from django.db import connection
from django.test import TransactionTestCase

from annotations.queries import offers

# a slow machine is no failure
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

ROOT = Path(__file__).resolve().parent.parent
append_only = import_module("annotations.migrations.0015_panels")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real catalogues that developers have beside their checkout. Skips, saying so, where it is not."""
    for folder in (os.environ.get("TAGSTUDIO_SHARED"), ROOT.parent / "shared", ROOT.parent.parent / "shared"):
        if folder and (Path(folder) / "data").is_dir():
            return Path(folder) / "data"
    pytest.skip("no shared/data beside this checkout: the real catalogues are not part of the repository")


@pytest.fixture(autouse=True)
def no_taxonomy_kept() -> None:
    """Catalogues of different tests share numbers, so what a process keeps of one is not another's."""
    offers.forget()


def pytest_unconfigure(config: pytest.Config) -> None:
    """The home that the test settings made for this run goes with it."""
    if "TAGSTUDIO_TEST_HOME" not in os.environ and "/tagstudio-test-" in os.environ.get("TAGSTUDIO_HOME", ""):
        shutil.rmtree(os.environ["TAGSTUDIO_HOME"], ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def flush_may_empty_history() -> Iterator[None]:
    """Tests with real transactions end with a flush, which the append-only triggers rightly refuse: they step aside
    for the flush alone and are back before the next test begins."""
    original = TransactionTestCase._fixture_teardown

    def teardown(self: Any) -> None:
        with connection.schema_editor() as editor:
            append_only.remove(apps, editor)
        try:
            original(self)
        finally:
            with connection.schema_editor() as editor:
                append_only.install(apps, editor)

    TransactionTestCase._fixture_teardown = teardown
    yield
    TransactionTestCase._fixture_teardown = original
