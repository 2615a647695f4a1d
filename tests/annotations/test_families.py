"""Proposed families and duplicates, shared texts, and what becomes of them over the next import."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from annotations.actions.cleaning import switch_steps
from annotations.actions.errors import Conflict, Refused
from annotations.actions.families import accept_proposal, decline_proposal, reopen_proposal, request_families
from annotations.actions.imports import upsert_products
from annotations.models import Boilerplate, Catalogue, FamilyProposal, Job, Original, Product, RowChange, SetAside
from annotations.tasks.run import run_now
from tests.annotations.conftest import World

LONG = "Made of pure new wool from the highlands, double stitched, with two inner pockets and a lining of silk."
RETURNS = "Free returns within thirty days of your order."


def push(world: World, rows: list[dict[str, Any]]) -> None:
    answers = upsert_products(catalogue=world.catalogue, rows=rows, user=world.people["lead"])
    assert not [a for a in answers if a.status == "refused"], answers


def look(world: World) -> dict[str, int]:
    job = run_now(request_families(catalogue=world.catalogue, user=world.people["lead"]))
    assert job.state == "done", job.error
    return dict(job.result)


@pytest.fixture
def shop(world: World) -> World:
    Product.objects.all().delete()
    coats = [
        {"id": f"C-{c}", "title": f"Highland coat {c}", "description": LONG, "attributes": {"colour": [c]}}
        for c in ("black", "red", "white")
    ]
    other = {"id": "L-1", "title": "Desk lamp with a green shade", "description": "A lamp for reading at night."}
    named = [
        {
            "id": f"N-{n}",
            "title": f"Valley shirt {n}",
            "description": "Linen shirt with short sleeves for summer days.",
            "family": f"F{n}",
        }
        for n in (1, 2)
    ]
    push(world, [*coats, other, *named, {**other, "id": "L-2"}])
    return world


def one(kind: str) -> FamilyProposal:
    return FamilyProposal.objects.get(kind=kind)


def names(proposal: FamilyProposal) -> list[str]:
    known = Product.objects.in_bulk(proposal.members)
    return [known[pk].external_id for pk in proposal.members]


def test_variants_are_proposed_and_what_the_source_keeps_apart_is_not(shop: World) -> None:
    assert look(shop) == {"duplicate": 1, "family": 1, "shared_texts": 0}
    assert names(one("family")) == ["C-black", "C-red", "C-white"]
    assert names(one("duplicate")) == ["L-1", "L-2"]
    first = list(FamilyProposal.objects.order_by("pk").values_list("pk", flat=True))
    look(shop)
    assert list(FamilyProposal.objects.order_by("pk").values_list("pk", flat=True)) == first


def test_an_accepted_family_outlives_the_next_import(shop: World) -> None:
    look(shop)
    accept_proposal(proposal=one("family"), user=shop.people["lead"])
    coats = Product.objects.filter(external_id__startswith="C-")
    assert set(coats.values_list("family", flat=True)) == {"~C-black"}
    assert RowChange.objects.filter(product__in=coats, user=shop.people["lead"]).count() == 3
    push(shop, [{"id": "C-red", "title": "Highland coat red, new", "description": LONG}])
    assert Product.objects.get(external_id="C-red").family == "~C-black"
    push(shop, [{"id": "C-red", "title": "Highland coat red", "description": LONG, "family": "G7"}])
    assert Product.objects.get(external_id="C-red").family == "G7", "the source's own word counts more"
    assert look(shop)["family"] == 0
    with pytest.raises(Conflict):
        decline_proposal(proposal=one("family"), user=shop.people["lead"])


def test_declined_is_not_asked_again_and_can_be_taken_back(shop: World) -> None:
    look(shop)
    decline_proposal(proposal=one("family"), user=shop.people["lead"])
    assert look(shop)["family"] == 0
    reopen_proposal(proposal=one("family"), user=shop.people["lead"])
    accept_proposal(proposal=one("family"), user=shop.people["lead"])
    reopen_proposal(proposal=one("family"), user=shop.people["lead"])
    assert set(Product.objects.filter(external_id__startswith="C-").values_list("family", flat=True)) == {""}
    with pytest.raises(Conflict):
        reopen_proposal(proposal=one("family"), user=shop.people["lead"])


def test_duplicates_are_set_aside_and_come_back(shop: World) -> None:
    look(shop)
    accept_proposal(proposal=one("duplicate"), user=shop.people["lead"])
    second = Product.objects.get(external_id="L-2")
    assert (second.set_aside, second.archived_at is None) == (SetAside.DUPLICATE, False)
    push(shop, [{"id": "L-2", "title": "Desk lamp with a green shade", "description": "A lamp for reading."}])
    assert Product.objects.get(external_id="L-2").archived_at is not None
    reopen_proposal(proposal=one("duplicate"), user=shop.people["lead"])
    second.refresh_from_db()
    assert (second.set_aside, second.archived_at) == ("", None)


def test_shared_texts_are_proposed_by_supplier_and_go_once_accepted(shop: World, client: Client) -> None:
    rows = [
        {
            "id": f"A-{n}",
            "title": f"Thing {n}",
            "description": f"Its own text, number {n} of many.\n{RETURNS}",
            "brand": "Acme",
        }
        for n in range(25)
    ]
    push(shop, [*rows, {**rows[0], "id": "B-1", "brand": "Other"}])
    assert look(shop)["shared_texts"] == 1
    shared = Boilerplate.objects.get()
    assert (shared.supplier, shared.text, shared.products) == ("Acme", RETURNS, 25)
    client.force_login(shop.people["lead"])
    assert RETURNS in client.get("/c/shop/products/cleaning/").content.decode()
    assert client.post(f"/c/shop/products/cleaning/shared/{shared.pk}/", {"accept": "1"}).status_code == 302
    assert client.post(f"/c/shop/products/cleaning/shared/{shared.pk}/", {}).status_code == 409
    job = run_now(Job.objects.get(kind="shared_texts"))
    assert job.result == {"changed": 25}
    product = Product.objects.get(external_id="A-3")
    assert product.description == "Its own text, number 3 of many."
    cells = Original.objects.get(product=product).cells["description"]
    assert cells == {"was": rows[3]["description"], "steps": ["boilerplate"]}
    assert Product.objects.get(external_id="B-1").description.endswith(RETURNS)
    push(shop, [{**rows[0], "id": "A-99", "description": f"New.\n{RETURNS}"}])
    assert Product.objects.get(external_id="A-99").description == "New."
    assert look(shop)["shared_texts"] == 0


def test_steps_are_switched_by_name(shop: World) -> None:
    switch_steps(catalogue=shop.catalogue, user=shop.people["admin"], off=["html", "zero-width"])
    assert Catalogue.objects.get().cleaning_off == ["html", "zero-width"] or Catalogue.objects.get().cleaning_off == [
        "zero-width",
        "html",
    ]
    push(shop, [{"id": "H-1", "title": "<b>Zip</b>  hoodie"}])
    assert Product.objects.get(external_id="H-1").title == "<b>Zip</b> hoodie"
    with pytest.raises(Refused):
        switch_steps(catalogue=shop.catalogue, user=None, off=["nope"])


def test_the_pages_of_families_and_cleaning(shop: World, client: Client) -> None:
    look(shop)
    client.force_login(shop.people["lead"])
    page = client.get("/c/shop/products/families/").content.decode()
    assert "Highland coat" in page or "Desk lamp" in page
    family = one("family")
    assert client.post(f"/c/shop/products/families/{family.pk}/", {"verdict": "accept"}).status_code == 302
    assert client.post(f"/c/shop/products/families/{family.pk}/", {"verdict": "decline"}).status_code == 409
    assert client.post(f"/c/shop/products/families/{family.pk}/", {"verdict": "back"}).status_code == 302
    family.refresh_from_db()
    assert family.state == "open"
    assert client.post("/c/shop/products/families/look/").status_code == 302
    client.force_login(shop.people["admin"])
    assert client.post("/c/shop/products/cleaning/", {"on": ["html", "space"]}).status_code == 302
    assert "html" not in Catalogue.objects.get().cleaning_off and "control" in Catalogue.objects.get().cleaning_off
    client.force_login(shop.people["viewer"])
    assert client.post("/c/shop/products/cleaning/", {"on": []}).status_code == 403
