"""Sources of files: saved by name, recognised by their columns, used by page and command alike, and forgotten."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from annotations.actions.imports import import_products
from annotations.actions.sources import save_source
from annotations.models import AuditEvent, Event, ImportBatch, ImportSource, Product
from annotations.queries.sources import recognise
from annotations.tasks.run import run_now
from tests.annotations.conftest import World
from tests.annotations.test_views_intake import form, send

ODD = "nummer_x;was_x;stoff_x\n1;Mantel;Wolle\n2;Hose;Leinen\n"
MEANT = {"nummer_x": "id", "was_x": "title", "stoff_x": "attribute:material"}


@pytest.fixture
def lead(world: World, tmp_path: Path, settings: Any, client: Client) -> Client:
    settings.UPLOADS_ROOT, settings.MEDIA_ROOT = tmp_path / "uploads", tmp_path / "media"
    client.force_login(world.people["lead"])
    return client


def mapping(meant: dict[str, str] = MEANT) -> dict[str, Any]:
    from annotations.formats.mapping import Mapping

    return Mapping.from_json(meant).to_json()


def command(*arguments: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("import_products", "shop", *arguments, "--json", stdout=out, stderr=io.StringIO())
    return dict(json.loads(out.getvalue()))


def latest() -> ImportBatch:
    return ImportBatch.objects.latest("pk")


def work(client: Client, batch: ImportBatch, **changes: str) -> ImportBatch:
    client.post(f"/c/shop/imports/{batch.pk}/go/", form(client, batch.pk, **changes))
    batch.refresh_from_db()
    assert batch.job is not None
    assert run_now(batch.job).state == "done", batch.job.error
    batch.refresh_from_db()
    return batch


@pytest.mark.long
def test_a_source_is_saved_on_the_page_and_used_by_page_and_command(world: World, lead: Client, tmp_path: Path) -> None:
    send(lead, ODD)
    batch = latest()
    sent = form(lead, batch.pk)
    for n, (target, facet) in enumerate([("id", ""), ("title", ""), ("attribute", "material")]):
        sent |= {f"target-{n}": target, f"facet-{n}": facet}
    assert lead.post(f"/c/shop/imports/{batch.pk}/go/", {**sent, "do": "keep"}).status_code == 422
    lead.post(f"/c/shop/imports/{batch.pk}/go/", {**sent, "do": "keep", "source": " Nord  GmbH "})
    source = ImportSource.objects.get()
    assert (source.name, source.user) == ("Nord GmbH", world.people["lead"])
    assert not any(column["samples"] for column in source.mapping["columns"])
    assert AuditEvent.objects.filter(word=Event.SOURCE_SAVED, target="Nord GmbH").count() == 1

    # the same columns in another order and another spelling are recognised
    send(lead, "Stoff_X;nummer_x;WAS_X\nSeide;3;Bluse\n", name="neu.csv")
    second = latest()
    page = lead.get(f"/c/shop/imports/{second.pk}/")
    assert page.context["seen"]["told"] == "source" and "Nord GmbH" in page.content.decode()
    assert page.context["seen"]["rows"][0]["title"] == "Bluse"
    assert page.context["seen"]["rows"][0]["attributes"] == {"material": ["Seide"]}

    send(lead, "stoff_x;nummer_x;was_x\nSeide;3;Bluse\n", name="neu.csv")
    third = work(lead, latest(), do="start")
    assert (third.source, third.created) == (source, 1)
    assert Product.objects.get(external_id="3").attributes == {"material": ["Seide"]}

    (tmp_path / "odd.csv").write_text(ODD)
    assert command(str(tmp_path / "odd.csv"), "--preview")["source"] == "Nord GmbH"
    assert command(str(tmp_path / "odd.csv"))["created"] == 2  # recognised without a word
    assert command(str(tmp_path / "odd.csv"), "--mapping", "Nord GmbH")["unchanged"] == 2
    (tmp_path / "other.csv").write_text("a;b\n7;Rock\n")
    (tmp_path / "map.json").write_text('{"a": "id", "b": "title"}')
    said = command(
        str(tmp_path / "other.csv"), "--mapping", str(tmp_path / "map.json"), "--save-mapping", "Other", "--dry-run"
    )
    assert said["created"] == 1 and ImportSource.objects.filter(name="Other").exists()

    listed = lead.get("/c/shop/imports/").content.decode()
    assert "Nord GmbH" in listed and "Other" in listed
    assert lead.post(f"/c/shop/imports/sources/{source.pk}/forget/").status_code == 302
    assert list(ImportSource.objects.values_list("name", flat=True)) == ["Other"]
    third.refresh_from_db()
    assert third.source is None and Product.objects.filter(external_id="3").exists()


def test_whose_file_it_is(world: World) -> None:
    first = save_source(catalogue=world.catalogue, name="a", mapping=mapping(), user=None)
    wide = {**{f"k{n}": "" for n in range(8)}, "key": "id", "what": "title"}
    loose = save_source(catalogue=world.catalogue, name="b", mapping=mapping(wide), user=None)
    assert recognise(world.catalogue, ["WAS_X", "stoff-x", "nummer_x", "tagstudio_line"]) == first
    assert recognise(world.catalogue, [*MEANT, "more"]) is None
    assert recognise(world.catalogue, [h for h in wide if h != "k3"], exact=False) == loose
    assert recognise(world.catalogue, [h for h in wide if h != "key"], exact=False) is None
    again = save_source(catalogue=world.catalogue, name="a", mapping=mapping(wide), user=None)
    assert again.pk == first.pk and ImportSource.objects.count() == 2


@pytest.mark.long
def test_rows_that_were_left_out_are_mended_and_sent_again(world: World, lead: Client, tmp_path: Path) -> None:
    rows = (
        "sku;name;farbe;preis\n"
        "1;Mantel;rot|blau;10\n"
        ";ohne Nummer;rot;5\n"
        "3;zu viel;rot;7;9\n"
        "=4;Formel;rot;\n"
        f"{'5' * 201};lange Nummer;grün;8\n"
    )
    send(lead, rows.encode("cp1252"))
    assert lead.get(f"/c/shop/imports/{latest().pk}/").context["seen"]["encoding"]
    first = work(lead, latest(), do="start")
    assert (first.created, first.problem_count) == (2, 3)
    page = lead.get(f"/c/shop/imports/{first.pk}/").content.decode()
    assert "Mend the rows that were left out" in page
    answer = lead.get(f"/c/shop/imports/{first.pk}/to-mend/")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    lines = text.splitlines()
    assert lines[0] == "tagstudio_line,tagstudio_problem,sku,name,farbe,preis"
    assert [line.split(",")[0] for line in lines[1:]] == ["3", "4", "6"] and lines[2].endswith(",3,zu viel,rot,7;9")
    text = text.replace(",,ohne Nummer", ",2,ohne Nummer").replace("rot,7;9", "rot,7").replace("5" * 201, "5")

    # as the page's own form sends it …
    mended = {
        "table": SimpleUploadedFile("mended.csv", text.encode("utf-8-sig")),
        "mends": first.pk,
        "kind": "products",
    }
    where = lead.post("/c/shop/imports/receive/", mended)["Location"]
    second = latest()
    assert (second.mends, lead.get(where).context["seen"]["mends"]) == (first, True)
    assert "Archive the products" not in lead.get(where).content.decode()
    second = work(lead, second, do="start", archive_missing="on")
    assert (second.created, second.updated, second.unchanged, second.archived, second.problem_count) == (3, 0, 0, 0, 0)
    product = Product.objects.get(external_id="2")
    assert (product.title, product.attributes, product.extra) == ("ohne Nummer", {"farbe": ["rot"]}, {"preis": "5"})

    # … and by command, where the columns alone say whose rows they are
    save_source(catalogue=world.catalogue, name="Nord", mapping=first.mapping, user=None)
    (tmp_path / "mended.csv").write_text(text)
    assert command(str(tmp_path / "mended.csv"), "--to-mend", str(tmp_path / "none.csv"))["unchanged"] == 3
    assert latest().source is not None
    with pytest.raises(Exception, match="not all of it"):
        import_products(catalogue=world.catalogue, path=tmp_path / "mended.csv", archive_missing=True)


def test_rows_of_json_come_back_as_json_lines(world: World, lead: Client) -> None:
    rows = [{"id": "a", "title": "A"}, {"title": "no id", "attributes": {"colour": ["Black"]}}]
    send(lead, json.dumps(rows), name="rows.json")
    first = work(lead, latest(), do="start")
    assert (first.created, first.problem_count) == (1, 1)
    answer = lead.get(f"/c/shop/imports/{first.pk}/to-mend/")
    assert answer["Content-Disposition"].endswith('.jsonl"')
    (row,) = b"".join(answer.streaming_content).decode().splitlines()
    mended = {**json.loads(row), "id": "b"}
    assert mended["tagstudio_problem"].startswith("The row has no id")
    send(lead, json.dumps(mended), name="mended.jsonl", mends=first.pk)
    second = work(lead, latest(), do="start")
    assert (second.created, Product.objects.get(external_id="b").attributes) == (1, {"colour": ["Black"]})
    assert Product.objects.get(external_id="b").extra == {}


def test_a_trial_says_what_would_change_and_what_the_taxonomy_lacks(world: World, lead: Client) -> None:
    send(lead, "sku;name;colour;note\nP-0;Red coat;black|mauve;x\nnew;Cape;teal;y\nnew2;Cape;teal;z\n")
    batch = work(lead, latest(), do="try")
    report = batch.report
    assert report["created"] == [{"id": "new", "title": "Cape"}, {"id": "new2", "title": "Cape"}]
    (changed,) = report["updated"]
    assert changed["id"] == "P-0"
    assert changed["fields"][0] == {"field": "title", "before": "Black wool coat 0", "after": "Red coat"}
    (colour,) = report["facets"]
    assert (colour["name"], colour["facet"], colour["values"], colour["new"]) == ("colour", "colour", 3, 2)
    assert set(colour["examples"]) == {"teal", "mauve"}
    page = lead.get(f"/c/shop/imports/{batch.pk}/").content.decode()
    assert "Some that would change" in page and "teal" in page
    assert Product.objects.get(external_id="P-0").title == "Black wool coat 0"


@pytest.mark.long
def test_a_file_that_was_read_wrongly_is_read_otherwise(world: World, lead: Client) -> None:
    whole = {
        "meta": {"shops": [{"id": n, "title": "Shop"} for n in range(4)]},
        "data": {"goods": [{"id": "g", "title": "Gut"}]},
    }
    send(lead, json.dumps(whole), name="deep.json")
    batch = latest()
    where = f"/c/shop/imports/{batch.pk}/"
    assert lead.get(where).context["seen"]["choices"] == [["meta.shops", 4], ["data.goods", 1]]
    lead.post(f"{where}go/", {"do": "read", "path": "data.goods"})
    seen = lead.get(where).context["seen"]
    assert ([row["id"] for row in seen["rows"]], seen["mapping"]["options"]) == (["g"], {"path": "data.goods"})
    # the choice stays when the columns are sent
    sent = form(lead, batch.pk, do="look") | {"option-path": "data.goods"}
    lead.post(f"{where}go/", sent)
    batch = work(lead, batch, do="start", **{"option-path": "data.goods"})
    assert Product.objects.filter(external_id="g").exists() and batch.created == 1
    text = "sku;name\n1;Größe\n"
    send(lead, text.encode("cp1250"), name="ost.csv")
    batch = latest()
    lead.post(f"/c/shop/imports/{batch.pk}/go/", {"do": "read", "encoding": "cp1250", "delimiter": ";"})
    assert lead.get(f"/c/shop/imports/{batch.pk}/").context["seen"]["rows"][0]["title"] == "Größe"
    wrong = lead.post(f"/c/shop/imports/{batch.pk}/go/", {"do": "read", "encoding": "utf-99"})
    assert wrong.status_code == 302 and "encoding" in lead.get(wrong["Location"]).content.decode()
