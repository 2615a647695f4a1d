"""Nothing to sign in with, and nothing to sign with, comes out of the box."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from annotations.models import ApiToken, User

pytestmark = pytest.mark.anywhere

ROOT = Path(__file__).resolve().parents[2]


def manage(tmp_path, *args, **env):
    clean = {"PATH": os.environ["PATH"], "TAGSTUDIO_HOME": str(tmp_path), **env}
    return subprocess.run(
        [sys.executable, "manage.py", *args], cwd=ROOT, env=clean, capture_output=True, text=True, check=False
    )


@pytest.mark.django_db
def test_no_account_comes_with_the_database():
    assert User.objects.count() == 0
    assert ApiToken.objects.count() == 0


@pytest.mark.parametrize("secret", [None, "", "short", "x" * 60])
def test_production_does_not_start_without_a_secret_of_its_own(tmp_path, secret):
    env = {"TAGSTUDIO_ENV": "prod", "ALLOWED_HOSTS": "tags.example"} | (
        {} if secret is None else {"SECRET_KEY": secret}
    )
    tried = manage(tmp_path, "check", **env)
    assert tried.returncode != 0
    assert "SECRET_KEY must be set" in tried.stderr


@pytest.mark.long
def test_the_control_with_one_it_starts_and_the_deploy_check_is_clean(tmp_path):
    secret = "a9X" + "kq7Zr2Lw8Pn4Vt6Yb3Hd5Jf1Gs0Mc" * 2
    tried = manage(
        tmp_path, "check", "--deploy", "--fail-level", "WARNING",
        TAGSTUDIO_ENV="prod", ALLOWED_HOSTS="tags.example", SECRET_KEY=secret,
    )  # fmt: skip
    assert tried.returncode == 0, tried.stderr


@pytest.mark.long
def test_a_development_secret_is_made_once_per_home_and_kept_to_its_owner(tmp_path):
    homes = [tmp_path / "one", tmp_path / "two"]
    for home in homes:
        assert manage(home, "check").returncode == 0
    kept = [(home / "secret_key").read_text() for home in homes]
    assert kept[0] != kept[1]
    assert min(map(len, kept)) >= 50
    assert all((home / "secret_key").stat().st_mode & 0o077 == 0 for home in homes)
    assert manage(homes[0], "check").returncode == 0
    assert (homes[0] / "secret_key").read_text() == kept[0]
