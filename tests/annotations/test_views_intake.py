"""Pages of what comes in: the catalogue, imports, the taxonomy. Works, wrong method, wrong person, somebody quicker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from annotations.actions import tag_requests, taxonomy, uploads
from annotations.models import Facet, ImportBatch, Job, Product, QueueItem, Suggestion, Tag, TagRequest
from annotations.tasks.run import run_now
from tests.annotations.conftest import World

CSV = "sku;name;farbe;preis\n1;Mantel;rot|blau;10\n2;Hose;rot;20\n;ohne Nummer;rot;5\n"


@pytest.fixture
def homes(tmp_path: Path, settings: Any) -> Path:
    settings.UPLOADS_ROOT, settings.MEDIA_ROOT = tmp_path / "uploads", tmp_path / "media"
    return tmp_path


@pytest.fixture
def lead(world: World, homes: Path, client: Client) -> Client:
    client.force_login(world.people["lead"])
    return client


def send(client: Client, content: str | bytes = CSV, name: str = "waren.csv", **more: Any) -> Any:
    body = content.encode() if isinstance(content, str) else content
    return client.post(
        "/c/shop/imports/receive/", {"table": SimpleUploadedFile(name, body), "kind": "products", **more}
    )


def form(client: Client, pk: int, **changes: str) -> dict[str, str]:
    """What the page's form would send as it stands."""
    seen = client.get(f"/c/shop/imports/{pk}/").context["seen"]
    sent = {
        "columns": str(len(seen["mapping"]["columns"])),
        "shape": seen["mapping"]["shape"],
        "attributes_as": "source",
    }
    for n, column in enumerate(seen["mapping"]["columns"]):
        for name in ("header", "target", "facet", "separator"):
            sent[f"{name}-{n}"] = column[name]
    return sent | changes


def test_a_file_goes_from_the_form_to_products(world: World, lead: Client) -> None:
    answer = send(lead)
    batch = ImportBatch.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/c/shop/imports/{batch.pk}/")
    page = lead.get(answer["Location"])
    assert page.status_code == 200
    seen = page.context["seen"]
    assert [(c["header"], c["target"]) for c in seen["mapping"]["columns"]][:3] == [
        ("sku", "id"),
        ("name", "title"),
        ("farbe", "attribute"),
    ]
    assert "Mantel" in page.content.decode()
    assert not Product.objects.filter(external_id="1").exists()

    lead.post(f"/c/shop/imports/{batch.pk}/go/", form(lead, batch.pk, do="try"))
    batch.refresh_from_db()
    job = batch.job
    assert job is not None
    assert (batch.dry_run, job.state) == (True, "queued")
    assert 'id="job-' in lead.get(answer["Location"]).content.decode()
    assert run_now(job).state == "done", job.error
    batch.refresh_from_db()
    assert (batch.rows, batch.created, batch.problem_count) == (2, 2, 1)
    checked = lead.get(answer["Location"]).content.decode()
    assert "What taking it in would do" in checked
    assert "The row has no id" in checked
    assert not Product.objects.filter(external_id="1").exists()

    lead.post(f"/c/shop/imports/{batch.pk}/go/", form(lead, batch.pk, do="start"))
    batch.refresh_from_db()
    assert batch.job.params == {"batch": batch.pk, "total": 2}
    assert batch.job.slot == f"import:{world.catalogue.pk}"
    again = lead.post(f"/c/shop/imports/{batch.pk}/go/", {"do": "start"})
    assert again.status_code == 409
    assert run_now(batch.job).result["created"] == 2
    product = Product.objects.get(external_id="1")
    assert (product.title, product.attributes) == ("Mantel", {"farbe": ["rot", "blau"]})
    batch.refresh_from_db()
    assert (batch.created, batch.problem_count, batch.stored_file) == (2, 1, "")
    assert not list(Path(uploads.settings.UPLOADS_ROOT).rglob("table"))
    done = lead.get(answer["Location"]).content.decode()
    assert "What was taken in" in done
    lines = b"".join(lead.get(f"/c/shop/imports/{batch.pk}/problems.csv").streaming_content).decode("utf-8-sig")
    assert lines.splitlines()[1].startswith("waren.csv,4,sku,")
    assert "waren.csv" in lead.get("/c/shop/imports/").content.decode()


def test_a_mapping_that_a_person_made_is_used_and_remembered(world: World, lead: Client) -> None:
    odd = "nummer_x,was_x,stoff_x\n1,Mantel,Wolle\n2,Hose,Leinen\n"
    send(lead, odd)
    batch = ImportBatch.objects.get()
    page = lead.get(f"/c/shop/imports/{batch.pk}/")
    assert page.context["seen"]["refusal"]
    mapped = form(lead, batch.pk)
    for n, (target, facet) in enumerate([("id", ""), ("title", ""), ("attribute", "material")]):
        mapped |= {f"target-{n}": target, f"facet-{n}": facet}
    lead.post(f"/c/shop/imports/{batch.pk}/go/", {**mapped, "do": "look"})
    seen = lead.get(f"/c/shop/imports/{batch.pk}/").context["seen"]
    assert (seen["refusal"], seen["rows"][0]["attributes"]) == (None, {"material": ["Wolle"]})
    lead.post(f"/c/shop/imports/{batch.pk}/go/", {**mapped, "do": "start"})
    batch.refresh_from_db()
    assert run_now(batch.job).state == "done"
    send(lead, odd)
    second = ImportBatch.objects.latest("pk")
    remembered = lead.get(f"/c/shop/imports/{second.pk}/").context["seen"]
    assert [c["target"] for c in remembered["mapping"]["columns"]] == ["id", "title", "attribute"]
    nonsense = {**mapped, "target-0": "nonsense", "do": "look"}
    assert lead.post(f"/c/shop/imports/{second.pk}/go/", nonsense).status_code == 422


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "not text but"),
        (b"id^title\n1^Coat\n2^Cape\n", "Only one column"),
    ],
)
def test_a_bad_file_is_said_on_its_page(world: World, lead: Client, content: bytes, said: str) -> None:
    answer = send(lead, content or b" ", name="bad.csv") if content else send(lead, b"\n", name="bad.csv")
    page = lead.get(answer["Location"])
    assert page.status_code == 200
    assert said in page.content.decode()
    batch = ImportBatch.objects.get()
    lead.post(f"/c/shop/imports/{batch.pk}/go/", {"do": "start"})
    batch.refresh_from_db()
    job = run_now(batch.job)
    assert job.state == "failed"
    assert said in job.error
    assert said in lead.get(answer["Location"]).content.decode()


def test_a_file_name_is_text_and_never_a_path(world: World, lead: Client, homes: Path) -> None:
    send(lead, name="../../../evil<script>.csv")
    batch = ImportBatch.objects.get()
    assert batch.file_name == "evil<script>.csv"
    assert batch.stored_file.endswith("/table")
    assert [p.name for p in (homes / "uploads").rglob("*") if p.is_file()] == ["table"]
    assert "<script>.csv" not in lead.get(f"/c/shop/imports/{batch.pk}/").content.decode()


def test_too_large_or_missing_files_are_refused(world: World, lead: Client, settings: Any, homes: Path) -> None:
    assert lead.post("/c/shop/imports/receive/", {"kind": "products"}).status_code == 422
    settings.UPLOAD_MAX_BYTES = 10
    assert send(lead).status_code == 422
    assert not ImportBatch.objects.exists()
    assert not [p for p in (homes / "uploads").rglob("*") if p.is_file()]


def test_an_upload_can_be_thrown_away_but_not_what_was_taken_in(world: World, lead: Client, homes: Path) -> None:
    send(lead)
    batch = ImportBatch.objects.get()
    assert lead.post(f"/c/shop/imports/{batch.pk}/discard/").status_code == 302
    assert not ImportBatch.objects.exists()
    assert not [p for p in (homes / "uploads").rglob("*") if p.is_file()]
    send(lead)
    batch = ImportBatch.objects.get()
    lead.post(f"/c/shop/imports/{batch.pk}/go/", form(lead, batch.pk, do="start"))
    assert lead.post(f"/c/shop/imports/{batch.pk}/discard/").status_code == 409
    batch.refresh_from_db()
    run_now(batch.job)
    assert lead.post(f"/c/shop/imports/{batch.pk}/discard/").status_code == 409
    assert ImportBatch.objects.exists()


def test_a_list_of_tags_goes_in_by_the_same_page(world: World, lead: Client) -> None:
    send(lead, "facet,tag\nmaterial,Linen\nmaterial,Wool\n", name="tags.csv", kind="tags")
    batch = ImportBatch.objects.get()
    assert lead.get(f"/c/shop/imports/{batch.pk}/").status_code == 200
    lead.post(f"/c/shop/imports/{batch.pk}/go/", {"do": "start"})
    batch.refresh_from_db()
    assert run_now(batch.job).result == {
        "batch": batch.pk, "problems": 0, "rows": 2, "created": 1, "updated": 0, "unchanged": 1, "archived": 0,
    }  # fmt: skip
    assert Tag.objects.filter(slug="linen").exists()


def test_an_interrupted_import_goes_on_from_its_page(world: World, lead: Client) -> None:
    send(lead)
    batch = ImportBatch.objects.get()
    ImportBatch.objects.filter(pk=batch.pk).update(dry_run=False, position=1, rows=1, created=1)
    Product.objects.create(catalogue=world.catalogue, external_id="1", title="Mantel")
    page = lead.get(f"/c/shop/imports/{batch.pk}/")
    assert page.context["begun"]
    assert "seen" not in page.context
    assert lead.post(f"/c/shop/imports/{batch.pk}/go/", {"columns": "0", "do": "start"}).status_code == 409
    lead.post(f"/c/shop/imports/{batch.pk}/go/", {"do": "start"})
    batch.refresh_from_db()
    assert run_now(batch.job).result["created"] == 2
    assert Product.objects.filter(external_id__in=["1", "2"]).count() == 2


def test_the_history_costs_the_same_whatever_its_length(
    world: World, lead: Client, django_assert_num_queries: Any
) -> None:
    for n in range(12):
        job = Job.objects.create(kind="import", queue="io", catalogue=world.catalogue)
        ImportBatch.objects.create(catalogue=world.catalogue, user=world.people["lead"], job=job, file_name=f"{n}.csv")
    with django_assert_num_queries(6):  # session, user, member, batches, sources, workers
        html = lead.get("/c/shop/imports/").content.decode()
    assert html.count("at work") >= 12


# -- the catalogue -----------------------------------------------------------------------------------------------
def test_the_list_is_searched_and_filtered(world: World, lead: Client) -> None:
    first, second, *_rest = world.products
    world.decide(first, black="accept", complete="colour material")
    Product.objects.filter(pk=second.pk).update(category="Home/Lamps", title="Lamp 100%")

    def found(query: str) -> list[str]:
        page = lead.get(f"/c/shop/products/?{query}")
        assert page.status_code == 200
        return [row.product.external_id for row in page.context["page"].rows]

    assert found("") == ["P-0", "P-1", "P-2", "P-3"]
    assert found("search=coat+2") == ["P-2"]
    assert found("search=p-3") == ["P-3"]
    assert found("search=0%25") == ["P-1"]
    assert found("status=done") == ["P-0"]
    assert found("category=Fashion") == ["P-0", "P-2", "P-3"]
    assert found("missing=colour") == ["P-1", "P-2", "P-3"]
    assert found("status=nonsense") == ["P-0", "P-1", "P-2", "P-3"]
    Product.objects.filter(pk=first.pk).update(archived_at="2026-01-01T00:00Z")
    assert found("status=archived") == ["P-0"]
    assert found("after=x&before=%F0") == ["P-1", "P-2", "P-3"]


def test_pages_lead_to_and_fro_without_gaps(world: World, lead: Client, django_assert_num_queries: Any) -> None:
    Product.objects.bulk_create(
        Product(catalogue=world.catalogue, external_id=f"N{n}", title=f"n {n}") for n in range(120)
    )
    QueueItem.objects.bulk_create(
        QueueItem(product=p, catalogue=world.catalogue) for p in Product.objects.filter(external_id__startswith="N")
    )
    # session, user, member, page, tags, two counts, views, facets, categories, suppliers, workers
    with django_assert_num_queries(12):
        page = lead.get("/c/shop/products/").context["page"]
    seen = [[row.product.pk for row in page.rows]]
    while page.after:
        page = lead.get(f"/c/shop/products/?after={page.after}").context["page"]
        seen.append([row.product.pk for row in page.rows])
    assert [len(p) for p in seen] == [50, 50, 24]
    everything = [pk for keys in seen for pk in keys]
    assert everything == sorted(everything)
    back = lead.get(f"/c/shop/products/?before={page.before}").context["page"]
    assert [row.product.pk for row in back.rows] == seen[1]
    assert back.total == 124


def test_a_product_tells_its_story(world: World, lead: Client) -> None:
    product = world.products[0]
    Product.objects.filter(pk=product.pk).update(
        title="Coat <b>\u200b", attributes={"stoff": ["Wolle"]}, extra={"preis": "10"}
    )
    world.decide(product, wool="accept", black="reject", complete="material")
    Suggestion.objects.create(product=product, tag=world.tags["red"], score=0.7, band="likely")
    html = lead.get(f"/c/shop/products/{product.pk}/").content.decode()
    assert "Coat &lt;b&gt;" in html
    assert "U+200B" in html
    for words in ("Wolle", "preis", "Wool", "Black", "Red", "looked at as a whole by reviewer", "P-0"):
        assert words in html
    assert html.count('<tr><td class="n">') == 3


def test_a_product_page_costs_the_same_whatever_its_history(
    world: World, lead: Client, django_assert_max_num_queries: Any
) -> None:
    product = world.products[0]
    for n in range(12):
        world.decide(product, wool="accept" if n % 2 else "reject", complete="material")
    with django_assert_max_num_queries(19):
        lead.get(f"/c/shop/products/{product.pk}/")


# -- the taxonomy ------------------------------------------------------------------------------------------------
def test_facets_and_tags_are_made_and_changed(world: World, lead: Client) -> None:
    answer = lead.post(
        "/c/shop/taxonomy/facets/add/",
        {"label:en": "Fit", "label:zh-hans": "版型", "kind": "single", "categories": "Fashion/Coats\n"},
    )
    fit = Facet.objects.get(slug="fit")
    assert answer["Location"] == f"/c/shop/taxonomy/facets/{fit.pk}/"
    assert (fit.labels, fit.kind, fit.categories) == ({"en": "Fit", "zh-hans": "版型"}, "single", ["Fashion/Coats"])
    lead.post(f"/c/shop/taxonomy/facets/{fit.pk}/tags/", {"label:en": "Slim"})
    slim = Tag.objects.get(slug="slim")
    lead.post(
        f"/c/shop/taxonomy/tags/{slim.pk}/edit/",
        {"label:en": "Slim fit", "label:zh-hans": "修身", "synonyms:en": "tight\n\nnarrow ", "definition:en": "Close."},
    )
    slim.refresh_from_db()
    assert (slim.labels, slim.definitions) == ({"en": "Slim fit", "zh-hans": "修身"}, {"en": "Close."})
    assert slim.synonyms == {"en": ["tight", "narrow", "Slim"]}
    html = lead.get(f"/c/shop/taxonomy/facets/{fit.pk}/").content.decode()
    assert "Slim fit" in html
    assert lead.get(f"/c/shop/taxonomy/tags/{slim.pk}/").status_code == 200
    lead.post(f"/c/shop/taxonomy/facets/{fit.pk}/edit/", {"label:en": "Cut", "kind": "multi"})
    fit.refresh_from_db()
    assert (fit.labels, fit.kind, fit.categories) == ({"en": "Cut"}, "multi", [])
    lead.post(f"/c/shop/taxonomy/tags/{slim.pk}/retire/")
    assert not Tag.objects.live().filter(pk=slim.pk).exists()
    lead.post(f"/c/shop/taxonomy/tags/{slim.pk}/retire/")
    assert Tag.objects.live().filter(pk=slim.pk).exists()
    lead.post(f"/c/shop/taxonomy/facets/{fit.pk}/retire/")
    assert not Facet.objects.live().filter(pk=fit.pk).exists()


def test_what_is_refused_is_said_with_the_form_there_again(world: World, lead: Client) -> None:
    material = world.facets["material"]
    again = lead.post(f"/c/shop/taxonomy/facets/{material.pk}/tags/", {"label:en": "WOOL"})
    assert again.status_code == 422
    assert "is a name of" in again.content.decode()
    assert lead.post("/c/shop/taxonomy/facets/add/", {"label:en": " ", "kind": "multi"}).status_code == 422
    wool, red = world.tags["wool"], world.tags["red"]
    assert lead.post(f"/c/shop/taxonomy/tags/{wool.pk}/merge/", {"into": red.pk}).status_code == 422
    assert lead.post(f"/c/shop/taxonomy/tags/{wool.pk}/merge/", {"into": ""}).status_code == 422


def test_tags_are_merged_from_the_page(world: World, lead: Client) -> None:
    world.decide(world.products[0], cotton="accept")
    cotton, wool = world.tags["cotton"], world.tags["wool"]
    answer = lead.post(f"/c/shop/taxonomy/tags/{cotton.pk}/merge/", {"into": wool.pk})
    assert answer["Location"] == f"/c/shop/taxonomy/tags/{wool.pk}/"
    assert world.standing(world.products[0]) == {"wool": "approved"}


def test_requests_are_answered_on_the_taxonomy_page(world: World, lead: Client) -> None:
    asked = [
        tag_requests.request_tag(facet=world.facets["material"], text=text, user=world.people["reviewer"])
        for text in ("Linen", "Cow hide", "Unobtainium")
    ]
    html = lead.get("/c/shop/taxonomy/").content.decode()
    assert all(request.text in html for request in asked)
    linen, hide, none = (f"/c/shop/taxonomy/requests/{request.pk}/" for request in asked)
    lead.post(linen, {"answer": "grant", "label": "Fine linen"})
    assert Tag.objects.get(slug="fine-linen").labels == {"en": "Fine linen"}
    assert lead.post(hide, {"answer": "synonym"}).status_code == 422
    lead.post(hide, {"answer": "synonym", "tag": world.tags["leather"].pk})
    lead.post(none, {"answer": "decline"})
    assert not TagRequest.objects.filter(resolved_at=None).exists()
    assert lead.post(linen, {"answer": "grant"}).status_code == 422


def test_tags_are_found_by_any_name_and_made_from_attributes(world: World, lead: Client) -> None:
    html = lead.get("/c/shop/taxonomy/?q=羊").content.decode()
    assert f"/c/shop/taxonomy/tags/{world.tags['wool'].pk}/" in html
    Product.objects.filter(pk=world.products[0].pk).update(attributes={"fit": ["Slim"]})
    lead.post("/c/shop/taxonomy/from-attributes/")
    assert Tag.objects.filter(facet__slug="fit", slug="slim").exists()


def test_the_taxonomy_costs_the_same_whatever_its_size(
    world: World, lead: Client, django_assert_max_num_queries: Any
) -> None:
    for n in range(60):
        Tag.objects.create(facet=world.facets["material"], slug=f"m{n}", labels={"en": f"M {n}"}, position=10 + n)
    with django_assert_max_num_queries(14):
        html = lead.get("/c/shop/taxonomy/").content.decode()
    assert "39 more" in html


# -- who may ------------------------------------------------------------------------------------------------------
LOOK = ["products/", "imports/", "taxonomy/"]


@pytest.mark.parametrize("path", LOOK)
def test_members_look_and_strangers_find_nothing(world: World, homes: Path, client: Client, path: str) -> None:
    assert client.get(f"/c/shop/{path}").status_code == 302
    client.force_login(world.people["viewer"])
    assert client.get(f"/c/shop/{path}").status_code == 200
    assert client.post(f"/c/shop/{path}").status_code == 405
    world.catalogue.memberships.all().delete()  # type: ignore[attr-defined]
    assert client.get(f"/c/shop/{path}").status_code == 404


def test_only_leads_change_anything(world: World, homes: Path, client: Client) -> None:
    client.force_login(world.people["lead"])
    send(client)
    batch = ImportBatch.objects.get()
    tag, facet = world.tags["wool"], world.facets["material"]
    request = tag_requests.request_tag(facet=facet, text="Linen", user=world.people["reviewer"])
    doors = [
        "imports/receive/", f"imports/{batch.pk}/go/", f"imports/{batch.pk}/discard/", "taxonomy/facets/add/",
        "taxonomy/from-attributes/", f"taxonomy/facets/{facet.pk}/edit/", f"taxonomy/facets/{facet.pk}/retire/",
        f"taxonomy/facets/{facet.pk}/tags/", f"taxonomy/tags/{tag.pk}/edit/", f"taxonomy/tags/{tag.pk}/retire/",
        f"taxonomy/tags/{tag.pk}/merge/", f"taxonomy/requests/{request.pk}/",
    ]  # fmt: skip
    client.force_login(world.people["reviewer"])
    before = json.dumps(list(Tag.objects.values()) + list(Facet.objects.values()), default=str)
    for door in doors:
        assert client.post(f"/c/shop/{door}").status_code == 403, door
        assert client.get(f"/c/shop/{door}").status_code == 405, door
    assert json.dumps(list(Tag.objects.values()) + list(Facet.objects.values()), default=str) == before
    assert ImportBatch.objects.count() == 1
    assert not Job.objects.filter(kind="import").exists()
    html = client.get(f"/c/shop/imports/{batch.pk}/").content.decode()
    assert "Take it in" not in html


def test_what_belongs_to_another_catalogue_is_not_there(world: World, lead: Client) -> None:
    from annotations.actions.catalogues import create_catalogue

    other = create_catalogue(slug="other", user=world.people["admin"])
    facet = taxonomy.add_facet(catalogue=other, labels={"en": "Fit"}, user=None)
    tag = taxonomy.add_tag(facet=facet, labels={"en": "Slim"}, user=None)
    product = Product.objects.create(catalogue=other, external_id="x")
    batch = ImportBatch.objects.create(catalogue=other, file_name="x")
    for path in (f"products/{product.pk}/", f"imports/{batch.pk}/", f"imports/{batch.pk}/problems.csv",
                 f"taxonomy/facets/{facet.pk}/", f"taxonomy/tags/{tag.pk}/"):  # fmt: skip
        assert lead.get(f"/c/shop/{path}").status_code == 404, path
    for path in (f"imports/{batch.pk}/go/", f"taxonomy/tags/{tag.pk}/retire/", f"taxonomy/facets/{facet.pk}/edit/"):
        assert lead.post(f"/c/shop/{path}", {"kind": "multi"}).status_code == 404, path
    mine = world.facets["material"]
    foreign = lead.post(f"/c/shop/taxonomy/facets/{mine.pk}/tags/", {"label:en": "New", "parent": tag.pk})
    assert foreign.status_code == 404
