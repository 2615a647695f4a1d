"""The starter taxonomy by its pages: sent, looked at, chosen from, tried, loaded, undone; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from annotations.actions import claims, starter_uploads, tag_plans
from annotations.models import Facet, ImportBatch, Job, Tag, TaxonomyRevision
from annotations.tasks.run import run_now
from tests.annotations.conftest import World
from tests.annotations.test_starter import ATTRIBUTES, CATEGORIES

HOME = "/c/shop/taxonomy/starter/"
LIST = "facet,tag,label zh-hans,kind\nColour,Black,黑色,single\nColour,Teal,蓝绿,\nShape,Round,圆形,\n"


@pytest.fixture
def lead(world: World, tmp_path: Path, settings: Any, client: Client) -> Client:
    settings.UPLOADS_ROOT = tmp_path / "uploads"
    client.force_login(world.people["lead"])
    return client


def file(name: str, content: object) -> SimpleUploadedFile:
    text = content if isinstance(content, str) else json.dumps(content)
    return SimpleUploadedFile(name, text.encode())


def send(client: Client, *files: SimpleUploadedFile) -> ImportBatch:
    answer = client.post(HOME + "receive/", dict(zip(("first", "second"), files, strict=False)))
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    batch = ImportBatch.objects.latest("pk")
    assert answer["Location"] == f"{HOME}{batch.pk}/"
    assert batch.job is not None
    run_now(batch.job)
    return batch


def press(client: Client, batch: ImportBatch, do: str, **said: Any) -> ImportBatch:
    answer = client.post(f"{HOME}{batch.pk}/go/", {"do": do, "chosen": "1", **said})
    assert answer.status_code == 302, answer.context["refusal"]
    batch.refresh_from_db()
    if batch.job is not None and batch.job.live:
        job = run_now(batch.job)
        assert job.state == "done", job.error
        batch.refresh_from_db()
    return batch


def page(client: Client, batch: ImportBatch, query: str = "") -> Any:
    answer = client.get(f"{HOME}{batch.pk}/{query}")
    assert answer.status_code == 200
    return answer


def test_a_branch_is_chosen_tried_loaded_and_undone(world: World, lead: Client) -> None:
    # the files in the wrong order are told apart by what they hold
    batch = send(lead, file("categories.json", {"verticals": [{"categories": CATEGORIES}]}), file("a.json", ATTRIBUTES))
    seen = page(lead, batch)
    assert [(path, b.facets, b.values, b.below) for b, path, _c in seen.context["listed"]] == [
        ("Wear", 2, 3, 2),
        ("Home", 2, 3, 1),
    ]
    assert [code for code, _name, chosen in seen.context["tongues"] if chosen] == ["en", "zh-hans"]
    found = page(lead, batch, "?q=家居 > 其他").context["listed"]
    assert [path for _b, path, _c in found] == ["Home > Other"]
    batch = press(lead, batch, "try", branch=["w-1"], language=["zh-hans"])
    said = page(lead, batch)
    assert (said.context["found"]["new_facets"], said.context["found"]["new_tags"]) == (2, 3)
    assert dict(said.context["added"])["简体中文"] == 4  # two facets, two colours; a sole has no Chinese name
    assert [row[0] for row in said.context["some"]] == ["色调", "鞋底"]
    assert not Facet.objects.filter(slug="tint").exists()
    batch = press(lead, batch, "load", branch=["w-1"], language=["zh-hans"])
    assert Facet.objects.get(slug="tint").labels == {"zh-hans": "色调"}
    assert (batch.report["new_facets"], batch.report["new_tags"], batch.dry_run) == (2, 3, False)
    assert not Path(batch.stored_file or "x").exists() and "What was loaded" in page(lead, batch).content.decode()
    revision = TaxonomyRevision.objects.get(word="starter taxonomy")
    assert lead.post(f"/c/shop/taxonomy/history/{revision.number}/undo/").status_code == 302
    assert not Facet.objects.live().filter(slug__in=["tint", "sole"]).exists()
    assert not Tag.objects.live().filter(facet__slug__in=["tint", "sole"]).exists()
    assert "It was undone." in page(lead, batch).content.decode()


def test_a_list_is_chosen_from_by_facet(world: World, lead: Client) -> None:
    batch = send(lead, file("tags.csv", LIST))
    seen = page(lead, batch)
    assert [(path, b.values) for b, path, _c in seen.context["listed"]] == [("Colour", 2), ("Shape", 1)]
    batch = press(lead, batch, "try", branch=["Colour"], language=["en"])
    found = page(lead, batch).context
    assert (found["found"]["new_facets"], found["facets_there"]) == (0, 1)
    assert (found["found"]["new_tags"], found["there"]) == (1, 1)  # black is there
    batch = press(lead, batch, "load", branch=["Colour"], language=["en"])
    assert Tag.objects.get(slug="teal").labels == {"en": "Teal"}
    assert not Facet.objects.filter(slug="shape").exists()
    assert lead.post(f"{HOME}{batch.pk}/go/", {"do": "load"}).status_code == 409  # somebody was quicker


def test_one_file_with_everything_loads_whole_with_its_tree(world: World, lead: Client) -> None:
    batch = send(lead, file("taxonomy.json", {"verticals": [{"categories": CATEGORIES}], "attributes": ATTRIBUTES}))
    batch = press(lead, batch, "load", language=["en"], category_facet="on")
    assert Tag.objects.filter(facet__slug="product-category").count() == 5
    again = send(lead, file("taxonomy.json", {"verticals": [{"categories": CATEGORIES}], "attributes": ATTRIBUTES}))
    again = press(lead, again, "try", language=["en"], category_facet="on")
    assert (again.report["new_facets"], again.report["new_tags"], again.report["labels"]) == (0, 0, {})
    again = press(lead, again, "try", language=["en", "de"], category_facet="on")
    assert again.report["labels"] == {"de": 4} and again.report["new_tags"] == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name,price\nx,1\n", "no column for a tag"),
        ('[{"id": "w", "full_name": "Wear"}]', "without its attributes"),
        ('[{"handle": "x", "values": [1], "name": "X"}]', "not shaped like"),
    ],
)
def test_what_cannot_be_read_is_said(world: World, lead: Client, content: str, said: str) -> None:
    batch = send(lead, file("x.json" if content.startswith("[") else "x.csv", content))
    text = page(lead, batch).content.decode()
    assert said in text, text[text.index("<main") :]
    assert "Read the file again" in text
    assert lead.post(f"{HOME}{batch.pk}/go/", {"do": "load"}).status_code == 409
    assert lead.post(f"{HOME}{batch.pk}/discard/").status_code == 302
    assert not ImportBatch.objects.exists()


def test_what_is_refused_leaves_the_form(world: World, lead: Client) -> None:
    assert lead.post(HOME + "receive/").status_code == 422
    batch = send(lead, file("tags.csv", LIST))
    for said in ({"branch": ["Nonsense"]}, {"language": ["xx"]}):
        answer = lead.post(f"{HOME}{batch.pk}/go/", {"do": "try", "chosen": "1", **said})
        assert answer.status_code == 422 and answer.context["refusal"] is not None
    assert lead.get("/c/shop/imports/").status_code == 200
    assert lead.get(f"/c/shop/imports/{batch.pk}/")["Location"] == f"{HOME}{batch.pk}/"
    assert lead.post(f"/c/shop/imports/{batch.pk}/go/", {"do": "start"}).status_code == 404
    assert lead.get(f"{HOME}999/").status_code == 404


def test_a_load_that_was_stopped_goes_on_with_the_same_change(
    world: World, lead: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_plans, "TAGS_AT_ONCE", 1)
    batch = send(lead, file("a.json", ATTRIBUTES))
    job = starter_uploads.begin(batch=batch, user=world.people["lead"], do="load")
    real = tag_plans._Applying.place_tags
    steps = iter(range(1))

    def cancelling(self: Any, facet: Any, tags: Any) -> None:
        real(self, facet, tags)
        if next(steps, None) is not None:
            Job.objects.filter(pk=job.pk).update(cancel_requested_at="2026-01-01T00:00:00Z")

    monkeypatch.setattr(tag_plans._Applying, "place_tags", cancelling)
    monkeypatch.setattr(claims, "SECONDS_BETWEEN_WRITES", 0.0)  # so that it hears of it at once
    assert run_now(job).state == "cancelled"
    text = page(lead, batch).content.decode()
    assert "A part of it has been loaded" in text and Tag.objects.filter(facet__slug="tint").count() == 1
    monkeypatch.undo()
    batch.refresh_from_db()
    revision = TaxonomyRevision.objects.get(word="starter taxonomy")
    assert lead.post(f"{HOME}{batch.pk}/go/", {"do": "load"}).status_code == 302
    assert lead.post(f"/c/shop/taxonomy/history/{revision.number}/undo/").status_code == 409  # it goes on just now
    batch.refresh_from_db()
    assert batch.job is not None and run_now(batch.job).state == "done"
    batch.refresh_from_db()
    assert (batch.report["new_facets"], batch.report["new_tags"]) == (3, 4)
    assert TaxonomyRevision.objects.filter(word="starter taxonomy").count() == 1
