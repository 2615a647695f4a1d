"""The promises of every command: one object on standard output, exit codes, quiet where there is no terminal."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from annotations.management.base import Failed, JsonCommand
from annotations.models import ApiToken, Catalogue, Membership, User

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.django_db


def run(*args, stdin=None, monkeypatch=None):
    out, err = io.StringIO(), io.StringIO()
    if stdin is not None:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    call_command(*args, "--json", stdout=out, stderr=err)
    return json.loads(out.getvalue())


def test_a_day_zero(monkeypatch):
    assert run("create_catalogue", "day", "--languages", "en,zh-hans") == {
        "catalogue": "day", "name": "day", "languages": ["en", "zh-hans"],
    }  # fmt: skip
    made = run("create_user", "ada", "--role", "admin", "--catalogue", "day")
    assert User.objects.get(username="ada").check_password(made["password"])
    made = run(
        "create_user", "bob", "--password-stdin", "--role", "viewer", "--catalogue", "day",
        stdin="a long enough one\n", monkeypatch=monkeypatch,
    )  # fmt: skip
    assert made == {"user": "bob", "role": "viewer", "catalogue": "day"}
    assert User.objects.get(username="bob").check_password("a long enough one")
    token = run("create_token", "ada", "--scopes", "review,export")
    assert token["scopes"] == ["review", "export"]
    assert token["expires"]
    assert not ApiToken.objects.filter(digest=token["token"]).exists(), "only the digest is kept"
    assert run("set_role", "bob", "--catalogue", "day", "--role", "lead")["role"] == "lead"
    assert {m.user.username: m.role for m in Membership.objects.select_related("user")} == {
        "ada": "admin",
        "bob": "lead",
    }


def test_a_failure_is_said_in_json_and_exits_1():
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError) as raised:
        call_command("create_token", "nobody", "--scopes", "review", "--json", stdout=out, stderr=err)
    assert raised.value.returncode == 1
    assert json.loads(out.getvalue())["code"] == "no_user"


def test_refusals_change_nothing():
    Catalogue.objects.create(slug="day", name="Day")
    for args in (
        ("create_catalogue", "day"),
        ("create_catalogue", "two words"),
        ("create_catalogue", "other", "--languages", "English"),
        ("create_token", "ada", "--scopes", "everything"),
        ("create_user", "ada lovelace", "--role", "viewer", "--catalogue", "day"),
    ):
        with pytest.raises(CommandError):
            run(*args)
    assert (Catalogue.objects.count(), User.objects.count(), ApiToken.objects.count()) == (1, 0, 0)


@pytest.mark.long
def test_exit_codes_of_a_real_process(tmp_path):
    def manage(*args):
        return subprocess.run(
            [sys.executable, "manage.py", *args], cwd=ROOT, capture_output=True, text=True, check=False,
            env={"PATH": "/usr/bin:/bin", "TAGSTUDIO_HOME": str(tmp_path), "TAGSTUDIO_ENV": "dev"},
        )  # fmt: skip

    usage = manage("create_user", "ada", "--role", "king", "--catalogue", "x")
    assert usage.returncode == 2
    assert usage.stdout == ""
    assert manage("migrate", "-v", "0").returncode == 0
    failed = manage("create_user", "ada", "--role", "admin", "--catalogue", "x", "--json")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["code"] == "no_catalogue"
    fine = manage("create_catalogue", "x", "--json")
    assert fine.returncode == 0
    assert json.loads(fine.stdout)["catalogue"] == "x"


class Counting(JsonCommand):
    def arguments(self, parser):
        parser.add_argument("--fail", action="store_true")

    def answer(self, **options):
        with self.progress("counting") as tell:
            for n in range(1, 4):
                tell(n, 3)
        if options["fail"]:
            raise Failed("it did not add up", "sum", off_by=2)
        return {"counted": 3}


def test_the_bar_is_drawn_on_a_terminal_only():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream, drawn in ((io.StringIO(), False), (Terminal(), True)):
        out = io.StringIO()
        call_command(Counting(), "--json", stdout=out, stderr=stream)
        assert json.loads(out.getvalue()) == {"counted": 3}
        assert ("3/3" in stream.getvalue()) is drawn


def test_a_failure_carries_its_details():
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command(Counting(), "--fail", "--json", stdout=out, stderr=io.StringIO())
    assert json.loads(out.getvalue()) == {"error": "it did not add up", "code": "sum", "off_by": 2}
