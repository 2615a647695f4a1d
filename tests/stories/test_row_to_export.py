"""A row to an export: a table and a zip come in through the pages, and what people decided goes out, nothing else."""

from __future__ import annotations

import io
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from annotations.models import ImportBatch, Job
from tests.faults.conftest import Worker, ended, until
from tests.stories.conftest import PICTURED, PRODUCTS, Shop, open_shop, picture_zip, rows, table
from tests.stories.reader import Program

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True), pytest.mark.long]
Key = tuple[str, str, str]


def take_in(shop: Shop, who: str, name: str, content: bytes, pictures: bytes | None = None) -> ImportBatch:
    """Through the import pages, as a person does it: send, look, take it as proposed."""
    lead = shop.at_pages(who)
    form = lead.get(shop.page("imports/")).form("receive")
    files = {"table": SimpleUploadedFile(name, content)}
    if pictures is not None:
        files["pictures"] = SimpleUploadedFile("pictures.zip", pictures)
    seen = lead.send(form.action, form.fields, files)
    assert seen.status == 200, seen.text
    go = seen.form("/go/")
    begun = lead.send(go.action, go.with_(do="start"))
    assert begun.status == 200, begun.text
    batch = ImportBatch.objects.get(pk=int(go.action.split("/")[-3]))
    assert batch.job is not None
    job = ended(batch.job, 120)
    assert job.state == Job.State.DONE, job.error
    batch.refresh_from_db()
    return batch


def tags_from_attributes(shop: Shop) -> None:
    lead = shop.at_pages("lead")
    form = lead.get(shop.page("taxonomy/")).form("from-attributes")
    assert lead.send(form.action, form.fields).status == 200


def fetched(program: Program) -> list[dict[str, Any]]:
    """The feed in pages, from its beginning."""
    found: list[dict[str, Any]] = []
    after = 0
    while True:
        page = program.get(f"changes/?after={after}&limit=7").json
        if not page["changes"]:
            assert page["next"] == after
            return found
        found += page["changes"]
        after = page["next"]


def replayed(changes: list[dict[str, Any]]) -> dict[Key, str]:
    """What stands for the products; lines about the taxonomy itself have an ``event`` and no product."""
    standing: dict[Key, str] = {}
    for change in changes:
        if change["product"] is None:
            assert change["event"]
            continue
        key = (change["product"], change["facet"], change["tag"])
        if change["state"] == "removed":
            standing.pop(key, None)
        else:
            standing[key] = change["state"]
    return standing


def exported(program: Program) -> tuple[dict[Key, str], int]:
    """Approved tags of the JSONL file, and as of which seq."""
    asked = program.post("exports/", {"format": "jsonl"}).json
    until(lambda: program.get(f"exports/{asked['id']}/").json["finished_at"], 60)
    ready = program.get(f"exports/{asked['id']}/").json
    lines = [json.loads(line) for line in program.get(ready["download"]).text.splitlines()]
    assert len(lines) == ready["rows"]
    approved = {
        (line["id"], facet, tag): "approved"
        for line in lines
        for facet, tags in line["decided"].items()
        for tag in tags
    }
    return approved, ready["as_of"]


def judged(card: dict[str, Any]) -> list[dict[str, str]]:
    """What a reviewer does: the checked ones accepted, one where only one may be, and the rest refused."""
    choices = []
    for row in card["facets"]:
        sure = [s["tag"] for s in row["suggestions"] if s["band"] != "unsure"]
        if row["kind"] == "single":
            sure = sure[:1]
        choices += [
            {
                "id": str(uuid.uuid4()), "facet": row["facet"], "tag": s["tag"],
                "verdict": "accept" if s["tag"] in sure else "reject",
            }
            for s in row["suggestions"]
        ]  # fmt: skip
    return choices


def told(product: str, choices: list[dict[str, str]]) -> dict[Key, str]:
    states = {"accept": "approved", "add": "approved", "reject": "rejected"}
    return {(product, c["facet"], c["tag"]): states[c["verdict"]] for c in choices}


def test_a_row_to_an_export(web: str, worker: Callable[..., Worker]) -> None:
    begun = time.monotonic()
    shop = open_shop(web, "row")
    worker()
    products = rows()
    batch = take_in(shop, "lead", "shop.csv", table(products), picture_zip(products))
    assert (batch.rows, batch.created, batch.problem_count) == (PRODUCTS, PRODUCTS, 0)
    pictured = [p for p in shop.catalogue.products.all() if p.pictures]
    assert len(pictured) == PICTURED
    print(f"{PRODUCTS} products in after {time.monotonic() - begun:.1f} s")

    tags_from_attributes(shop)
    lead = shop.program("lead", "import", "export")
    assert {facet["slug"] for facet in lead.get("facets/").json["results"]} >= {"colour", "material", "size"}

    reviewer = shop.program("reviewer", "review", "export")
    until(lambda: any(row["suggestions"] for row in reviewer.get("review/next/").json["facets"]), 60)
    print(f"suggestions after {time.monotonic() - begun:.1f} s")

    decisions: dict[Key, str] = {}
    for _ in range(8):
        card = reviewer.get("review/next/").json
        choices, product = judged(card), card["product"]["external_id"]
        body = {"product": product, "version": card["version"], "decisions": choices, "complete": True}
        saved = reviewer.post("decisions/", body)
        assert saved.status == 200, saved.text
        decisions |= told(product, choices)
    assert {"approved", "rejected"} <= set(decisions.values())
    again = reviewer.post("decisions/", body).json
    assert (again["replayed"], again["seq"]) == (True, saved.json["seq"]), "sent twice is decided once"

    # another reviewer had the same card open
    second = shop.program("second", "review")
    late = {**body, "decisions": [{**choice, "id": str(uuid.uuid4())} for choice in choices]}
    refusal = second.post("decisions/", late)
    assert refusal.status == 409, refusal.text
    assert refusal.json["decisions"] and refusal.json["version"] == saved.json["version"]
    assert "reviewer" in json.dumps(refusal.json["decisions"]), "it says who was quicker"

    # and the last one is taken back
    undone = reviewer.post("decisions/undo/", {}).json
    assert undone["products"] == [product] and undone["undone"] > 0
    taken_back = {key for key in decisions if key[0] == product}
    for key in taken_back:
        del decisions[key]

    out = shop.program("viewer", "export")
    changes = fetched(out)
    numbers = [change["seq"] for change in changes]
    assert numbers == sorted(set(numbers)), "in order, none twice"
    removed = {(c["product"], c["facet"], c["tag"]) for c in changes if c["state"] == "removed"}
    assert taken_back and removed == taken_back
    assert replayed(changes) == decisions
    approved, as_of = exported(out)
    assert approved == {key: state for key, state in decisions.items() if state == "approved"}
    assert as_of >= numbers[-1]
    check = io.StringIO()
    call_command("rebuild_standing_tags", "--check", "--json", stdout=check)
    assert json.loads(check.getvalue())["differences"] == 0
    print(f"{len(decisions)} decisions out after {time.monotonic() - begun:.1f} s")
