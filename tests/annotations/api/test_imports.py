"""The wizard for programs: a file sent, looked at, changed, tried, started, stopped, and what was wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from annotations.models import ImportBatch, ImportSource, Job, Product, Tag
from annotations.tasks.run import run_now
from tests.annotations.api.conftest import ROOT, Program
from tests.annotations.conftest import World

CSV = "nr_x;was;farbe;preis\nA1;Mantel;rot|blau;10\nA2;Hose;rot;20\n;ohne Nummer;rot;5\n"


@pytest.fixture(autouse=True)
def homes(tmp_path: Path, settings: Any) -> None:
    settings.UPLOADS_ROOT, settings.MEDIA_ROOT = tmp_path / "uploads", tmp_path / "media"


def send(program: Program, content: str = CSV, name: str = "waren.csv", **more: Any) -> Any:
    data = {"file": SimpleUploadedFile(name, content.encode()), **more}
    return program.client.post(ROOT + "imports/", data, headers={"Authorization": f"Token {program.secret}"})


def work_off(answer: Any) -> Job:
    assert answer.status_code == 202, answer.content
    return run_now(Job.objects.get(pk=answer.json()["job"]["id"]))


@pytest.mark.long
def test_a_file_is_sent_mapped_tried_and_taken_in(world: World, lead: Program) -> None:
    answer = send(lead)
    assert answer.status_code == 201, answer.content
    one = f"imports/{answer.json()['id']}/"
    assert (answer.json()["state"], answer.json()["job"]) == ("received", None)
    seen = lead.get(one + "preview/").json()
    assert (seen["kind"], seen["delimiter"], seen["told"]) == ("csv", ";", "proposed")
    proposed = {c["header"]: (c["target"], c["samples"][:1]) for c in seen["columns"]}
    assert proposed["farbe"][1] == ["rot|blau"]
    columns = [{"header": "nr_x", "target": "id"}, {"header": "was", "target": "title"},
               {"header": "farbe", "target": "attribute", "facet": "colour", "separator": "|"}]  # fmt: skip
    changed = lead.patch(one, {"columns": columns})
    assert changed.status_code == 200, changed.content
    assert lead.get(one + "preview/").json()["rows"][0]["attributes"] == {"colour": ["rot", "blau"]}
    assert work_off(lead.post(one + "try/")).state == "done"
    tried = lead.get(one).json()
    assert (tried["state"], tried["created"], tried["problem_count"]) == ("tried", 2, 1)
    assert not Product.objects.filter(external_id="A1").exists()
    job = work_off(lead.post(one + "start/", {"attributes": "source", "remember_as": "Waren"}))
    assert job.result["created"] == 2
    done = lead.get(one).json()
    assert (done["state"], done["source"], done["job"]["state"]) == ("done", "Waren", "done")
    problem = lead.get(one + "problems/").json()["results"][0]
    assert (problem["line"], problem["code"], problem["column"]) == (4, "missing-id", "nr_x")
    assert problem["cells"][0]["was"] == "ohne Nummer" and "id" in problem["message"]
    assert b"missing-id" in b"".join(lead.get(one + "problems.csv").streaming_content)
    assert lead.post(one + "start/").status_code == 409  # taken in already
    again = f"imports/{send(lead).json()['id']}/"
    assert lead.get(again + "preview/").json()["told"] == "source"
    sources = lead.get("sources/").json()["results"]
    assert [(s["name"], s["files"]) for s in sources] == [("Waren", 2)]
    assert [row["state"] for row in lead.get("imports/").json()["results"]] == ["done", "received"]
    assert lead.call("delete", f"sources/{sources[0]['id']}/").status_code == 204
    assert not ImportSource.objects.exists()


def test_reading_a_source_and_a_list_of_tags(world: World, lead: Program) -> None:
    first = f"imports/{send(lead).json()['id']}/"
    assert lead.patch(first, {"source": "Nonsense"}).status_code == 422
    assert lead.patch(first, {"columns": [{"header": "nonsense", "target": "id"}]}).status_code == 422
    assert lead.patch(first, {"columns": [{"header": "was", "target": "nonsense"}]}).status_code == 400
    assert lead.patch(first, {"reading": {"encoding": "cp1252"}}).status_code == 200
    assert lead.get(first + "preview/").json()["encoding"] == "cp1252"
    assert lead.patch(first, {"reading": {"delimiter": ","}}).status_code == 200
    refused = lead.get(first + "preview/")
    assert (refused.status_code, refused.json()["code"]) == (422, "file-one-column")
    tags = (
        f"imports/{send(lead, 'facet,tag' + chr(10) + 'colour,Teal' + chr(10), 'tags.csv', kind='tags').json()['id']}/"
    )
    assert (lead.get(tags + "preview/").status_code, lead.post(tags + "try/").status_code) == (409, 409)
    assert work_off(lead.post(tags + "start/")).state == "done"
    assert Tag.objects.filter(slug="teal").exists()


def test_stopped_and_thrown_away(world: World, lead: Program) -> None:
    one = f"imports/{send(lead).json()['id']}/"
    assert lead.post(one + "cancel/").status_code == 409
    assert lead.post(one + "try/").status_code == 202
    assert lead.post(one + "try/").status_code == 409  # somebody was quicker
    assert lead.call("delete", one).status_code == 409
    stopped = lead.post(one + "cancel/")
    assert (stopped.status_code, stopped.json()["job"]["state"]) == (200, "cancelled")
    assert lead.call("delete", one).status_code == 204
    assert not ImportBatch.objects.exists() and lead.get(one).status_code == 404


def test_what_is_wrong_with_a_file_is_a_problem_and_no_crash(world: World, lead: Program, settings: Any) -> None:
    assert lead.post("imports/", {"kind": "products"}).status_code == 415
    assert lead.client.post(ROOT + "imports/", {}, headers={"Authorization": f"Token {lead.secret}"}).status_code == 400
    assert send(lead, mends=999).status_code == 404
    assert send(lead, kind="nonsense").status_code == 400
    settings.UPLOAD_MAX_BYTES = 10
    refused = send(lead)
    assert (refused.status_code, refused.json()["code"]) == (422, "too_large")
    settings.UPLOAD_MAX_BYTES = 10**6
    broken = f"imports/{send(lead, '', 'x.csv').json()['id']}/"
    answer = lead.get(broken + "preview/")
    assert answer.status_code == 422 and answer.json()["code"].startswith("file-")


def test_bulk_actions_are_foreseen_done_and_undone(world: World, lead: Program) -> None:
    action = {"kind": "add_tag", "params": {"tag": "material:wool"}, "filters": {"category": "Fashion/Coats"}}
    seen = lead.post("bulk/preview/", action)
    assert seen.status_code == 200, seen.content
    assert (seen.json()["total"], seen.json()["changed"]) == (4, 4)
    assert lead.post("bulk/", {**action, "confirmed": 3}).status_code == 409
    run = lead.post("bulk/", {**action, "confirmed": 4})
    assert work_off(run).state == "done"
    one = f"bulk/{run.json()['id']}/"
    assert (lead.get(one).json()["changed"], world.standing(world.products[0])) == (4, {"wool": "approved"})
    assert lead.post(one + "cancel/").status_code == 409
    undo = lead.post(one + "undo/")
    assert undo.status_code == 202
    assert run_now(Job.objects.get(pk=undo.json()["undo_job"]["id"])).state == "done"
    assert world.standing(world.products[0]) == {}
    assert lead.post(one + "undo/").status_code == 409
    few = {"kind": "flag", "params": {"reason": "odd"}, "products": ["P-0"]}
    assert work_off(lead.post("bulk/", few)).state == "done"
    assert lead.post("bulk/", {**few, "products": ["nonsense"]}).status_code == 422
    assert lead.post("bulk/", {"kind": "flag"}).status_code == 422
    assert lead.post("bulk/", {**few, "filters": {}}).status_code == 422
    assert lead.post("bulk/", {**few, "params": {"nonsense": "1"}}).status_code == 400
    assert len(lead.get("bulk/").json()["results"]) == 2
