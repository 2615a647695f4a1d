"""The language model by program and by command, against a real server that speaks the protocol."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotations.models import AuditEvent, Job, LanguageModel, Suggestion
from annotations.tasks.run import run_now
from tests.annotations.api.conftest import program
from tests.annotations.api.test_auth import is_problem
from tests.annotations.conftest import World
from tests.annotations.test_language_model import server, world  # noqa: F401
from tests.llm_server import Server, error

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "language-model/"


def command(*args: str, stdin: str = "", monkeypatch: pytest.MonkeyPatch | None = None) -> Any:
    out = io.StringIO()
    if monkeypatch is not None:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    call_command(*args, "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def test_set_asked_and_forgotten_by_program(world: World, server: Server) -> None:  # noqa: F811
    admin, lead = program(world.people["admin"]), program(world.people["lead"])
    is_problem(lead.get(ADDRESS), 404, "not_found")
    terms = {"endpoint": server.endpoint, "name": "tiny", "key": "sk-secret-123", "price_in": 1.0, "currency": "eur"}
    said = admin.patch(ADDRESS, terms)
    assert said.status_code == 200 and "sk-secret" not in said.content.decode()
    assert (said.json()["key"], said.json()["currency"], said.json()["unasked"]) == (True, "EUR", 4)
    asked = lead.post(ADDRESS + "runs/", {"products": 3})
    assert asked.status_code == 202 and asked.json()["kind"] == "ask_model"
    assert run_now(Job.objects.get(pk=asked.json()["id"])).state == "done"
    assert server.headers[0]["Authorization"] == "Bearer sk-secret-123"
    assert {(s.source, s.band) for s in Suggestion.objects.all()} == {("llm", "unsure")}
    (run,) = lead.get(ADDRESS + "runs/").json()
    assert (run["products"], run["tags"], run["tokens_in"], run["job"]["state"]) == (3, 6, 300, "done")
    world.decide(world.products[0], black="accept")
    shown = lead.get(ADDRESS).json()
    assert shown["agreement"] == [{"facet": "colour", "accepted": 1, "judged": 1}] and shown["spent"] > 0
    assert admin.patch(ADDRESS, {"seconds": 9}).json()["endpoint"] == server.endpoint, "what is not given stays"
    assert admin.call("delete", ADDRESS).status_code == 204
    assert not LanguageModel.objects.exists()
    is_problem(lead.post(ADDRESS + "runs/", {"products": 3}), 422, "no_language_model")


def test_what_a_program_may_not(world: World, server: Server) -> None:  # noqa: F811
    admin = program(world.people["admin"])
    is_problem(admin.patch(ADDRESS, {"endpoint": "http://10.0.0.1/v1", "name": "x"}), 422, "endpoint")
    is_problem(admin.patch(ADDRESS, {"endpont": server.endpoint}), 400, "invalid")
    is_problem(admin.patch(ADDRESS, {"endpoint": server.endpoint, "name": "tiny", "budget": -1}), 400, "invalid")
    assert not LanguageModel.objects.exists()
    admin.patch(ADDRESS, {"endpoint": server.endpoint, "name": "tiny"})
    is_problem(admin.post(ADDRESS + "runs/", {"products": 0}), 400, "invalid")
    is_problem(program(world.people["lead"], "review", "import").post(ADDRESS + "runs/", {"products": 1}), 403, "scope")
    is_problem(program(world.people["reviewer"]).get(ADDRESS), 403, "role")
    admin.patch(ADDRESS, {"budget": 0})
    is_problem(admin.post(ADDRESS + "runs/", {"products": 1}), 422, "budget")
    assert not server.requests, "setting it asks nothing"


def test_the_commands(world: World, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    assert command("language_model", "shop") == {"catalogue": "shop", "language_model": None}
    said = command(
        "language_model", "shop", "--endpoint", server.endpoint, "--name", "tiny", "--price-in", "1", "--budget", "5",
        "--seconds", "5", "--key-stdin", stdin="sk-secret-123\n", monkeypatch=monkeypatch,
    )["language_model"]  # fmt: skip
    assert (said["key"], said["budget"], said["name"], said["unasked"]) == (True, 5.0, "tiny", 4)
    assert "sk-secret" not in json.dumps([said, *AuditEvent.objects.values_list("data", flat=True)])
    asked = command("ask_language_model", "shop", "--products", "3", "--wait")
    assert (asked["answered"], asked["tags"], asked["tokens_in"]) == (3, 6, 300)
    assert server.headers[0]["Authorization"] == "Bearer sk-secret-123"
    assert command("language_model", "shop", "--budget", "none")["language_model"]["budget"] is None
    waiting = command("ask_language_model", "shop", "--products", "1")
    assert waiting["state"] == "queued" and Job.objects.get(pk=waiting["job"]).params == {"products": 1}
    assert command("language_model", "shop", "--forget")["language_model"] is None


def test_commands_that_cannot(world: World, server: Server) -> None:  # noqa: F811
    with pytest.raises(CommandError, match="Say first where"):
        command("ask_language_model", "shop")
    for wrong in (("--budget", "much"), ("--endpoint", "http://10.0.0.1/v1"), ("--shots", "99")):
        with pytest.raises(CommandError):
            command("language_model", "shop", "--endpoint", server.endpoint, "--name", "tiny", *wrong)
    assert not LanguageModel.objects.exists()
    command("language_model", "shop", "--endpoint", server.endpoint, "--name", "tiny")
    server.answer = lambda body: error(401)
    with pytest.raises(CommandError, match="does not accept the key"):
        command("ask_language_model", "shop", "--wait")
