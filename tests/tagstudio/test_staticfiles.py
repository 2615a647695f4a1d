"""Static files: hashed once collected, found before, and modules that import each other by one name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command

from tagstudio.staticfiles import Storage

pytestmark = pytest.mark.anywhere

IMPORT = re.compile(r"""(?:from|import)\s*\(?["'](\.{1,2}/[^"']+)["']""")


@pytest.fixture
def root(tmp_path: Path, settings: Any) -> Path:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "tagstudio.staticfiles.Storage"}}
    return tmp_path


def test_before_collecting_plain_names(root: Path) -> None:
    assert Storage().url("annotations/css/look.css") == "/static/annotations/css/look.css"


@pytest.mark.long
def test_collected_modules_import_each_other_by_their_hashed_names(root: Path) -> None:
    call_command("collectstatic", verbosity=0, interactive=False)
    storage = Storage()
    assert re.search(r"look\.[0-9a-f]{12}\.css$", storage.url("annotations/css/look.css"))
    hashed = {storage.stored_name(str(file.relative_to(root))) for file in root.glob("annotations/js/*.js")}
    modules = [root / name for name in hashed]
    imports = [target for module in modules for target in IMPORT.findall(module.read_text())]
    assert imports, "our modules import each other"
    assert all(re.search(r"\.[0-9a-f]{12}\.js$", target) for target in imports), imports
    assert staticfiles_storage is not None
