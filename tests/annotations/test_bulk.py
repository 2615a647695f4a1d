"""Many products at once: previews that tell what happens, jobs that can be stopped, one undo for all of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from annotations.actions import bulk_actions as bulk
from annotations.actions.bulk_actions import carry_out, foresee, request_bulk, request_undo
from annotations.actions.errors import Conflict, Refused
from annotations.actions.imports import upsert_products
from annotations.actions.jobs import JobCancelled, cancel
from annotations.actions.tag_words import index_catalogue
from annotations.actions.undo import undo
from annotations.models import BulkRun, Decision, Product, ProductTag, QueueItem, RowChange, Suggestion
from annotations.queries.products import Filters
from annotations.queries.standing import differences
from annotations.tasks.run import run_now
from tests.annotations.conftest import World


@pytest.fixture
def shop(world: World) -> World:
    """Every product is suggested black strongly, wool likely; the last one is served blind."""
    for product in world.products:
        for tag, score, band in (
            ("black", 0.95, "strong"),
            ("red", 0.91, "strong"),
            ("wool", 0.7, "likely"),
            ("cotton", 0.2, "unsure"),
        ):
            Suggestion.objects.create(product=product, tag=world.tags[tag], score=score, band=band)
    QueueItem.objects.filter(product=world.products[3]).update(blind=True)
    index_catalogue(catalogue=world.catalogue)
    return world


def go(world: World, kind: str, **params: str) -> BulkRun:
    total = Product.objects.filter(catalogue=world.catalogue, archived_at=None).count()
    run = request_bulk(
        catalogue=world.catalogue,
        user=world.people["lead"],
        kind=kind,
        params=params,
        filters=Filters(),
        confirmed=total,
    )
    assert run.job is not None and run_now(run.job).state == "done", run.job.error
    run.refresh_from_db()
    return run


def back(run: BulkRun) -> BulkRun:
    request_undo(run=run, user=run.user)
    assert run.undo_job is not None and run_now(run.undo_job).state == "done"
    run.refresh_from_db()
    return run


def approved(world: World) -> list[set[str]]:
    return [{t for t, s in world.standing(p).items() if s == "approved"} for p in world.products]


def test_suggestions_from_a_band_upwards(shop: World) -> None:
    shop.decide(shop.products[0], red="accept")  # one value: what a person chose is not replaced
    shop.decide(shop.products[1], black="reject", complete="colour")
    told = foresee(catalogue=shop.catalogue, kind="accept", params={"band": "likely"}, filters=Filters(), selection=())
    assert (told.total, told.changed, told.held_count) == (4, 3, 1)
    run = go(shop, "accept", band="likely")
    assert (run.seen, run.changed, run.held_count) == (4, 3, 1)
    assert run.held[0]["product"] == shop.products[3].pk
    assert approved(shop) == [{"red", "wool"}, {"wool"}, {"black", "wool"}, set()]
    bulk_made = Decision.objects.filter(batch=run.decisions)
    assert set(bulk_made.values_list("input", "reviewer__username")) == {("bulk", "lead")}
    assert differences(shop.catalogue) == []
    assert undo(catalogue=shop.catalogue, by=shop.by("lead")) is None, "the key leaves a bulk action alone"
    assert back(run).undone == 3
    assert approved(shop) == [{"red"}, set(), set(), set()]
    assert differences(shop.catalogue) == []


def test_one_facet_strong_only_and_looked_at(shop: World) -> None:
    run = go(shop, "accept", band="strong", facet="colour", complete="1")
    assert approved(shop) == [{"black"}, {"black"}, {"black"}, set()]
    assert run.changed == 3 and shop.products[0].completions.count() == 1  # type: ignore[attr-defined]
    back(run)
    assert shop.products[0].completions.count() == 0  # type: ignore[attr-defined]


def test_a_tag_is_added_and_removed_but_never_in_place_of_another(shop: World) -> None:
    shop.decide(shop.products[0], red="accept")
    QueueItem.objects.filter(product=shop.products[1]).update(lease_until=timezone.now() + timedelta(minutes=5))
    run = go(shop, "add_tag", tag="colour:white")
    assert approved(shop) == [{"red"}, set(), {"white"}, {"white"}]
    assert [h["product"] for h in run.held] == [p.pk for p in shop.products[:2]]
    gone = go(shop, "remove_tag", tag="White")
    assert gone.changed == 2 and approved(shop)[2:] == [set(), set()]
    back(gone)
    assert approved(shop)[2:] == [{"white"}, {"white"}]


@pytest.mark.parametrize(
    ("kind", "params", "field", "after"),
    [
        ("category", {"category": " Home / Lamps/"}, "category", "Home/Lamps"),
        ("family", {"family": "F9"}, "family", "F9"),
    ],
)
def test_rows_are_changed_and_put_back_unless_they_changed_again(
    shop: World, kind: str, params: dict[str, str], field: str, after: str
) -> None:
    before = list(Product.objects.order_by("pk").values_list(field, flat=True))
    run = go(shop, kind, **params)
    assert set(Product.objects.values_list(field, flat=True)) == {after}
    assert set(Product.objects.values_list("revision", flat=True)) == {2}
    change = RowChange.objects.filter(run=run).first()
    assert change is not None and change.fields == {field: [before[0], after]} and change.user == shop.people["lead"]
    Product.objects.filter(pk=shop.products[0].pk).update(**{field: "mine"})
    back(run)
    assert (run.undone, run.kept) == (3, 1)
    assert list(Product.objects.order_by("pk").values_list(field, flat=True)) == ["mine", *before[1:]]


def test_a_new_category_asks_for_its_facets(shop: World) -> None:
    facet = shop.facets["material"]
    facet.categories = ["Home"]
    facet.save()
    shop.decide(shop.products[0], black="accept", complete="colour")
    assert QueueItem.objects.get(product=shop.products[0]).status == "done"
    go(shop, "category", category="Home/Lamps")
    assert QueueItem.objects.get(product=shop.products[0]).status == "queued"


def test_archived_by_hand_stays_archived_until_restored(shop: World) -> None:
    run = go(shop, "archive")
    assert not Product.objects.filter(archived_at=None).exists()
    row = {"id": "P-0", "title": "New words"}
    upsert_products(catalogue=shop.catalogue, rows=[row], user=None)
    assert not Product.objects.filter(archived_at=None).exists()
    some = request_bulk(
        catalogue=shop.catalogue, user=shop.people["lead"], kind="restore", params={}, selection=[shop.products[0].pk]
    )
    assert some.job and run_now(some.job).state == "done"
    assert list(Product.objects.filter(archived_at=None).values_list("external_id", "set_aside")) == [("P-0", "")]
    back(run)
    assert (run.undone, run.kept) == (3, 1)
    assert Product.objects.filter(archived_at=None).count() == 4


def test_flags_and_places_in_the_queue(shop: World) -> None:
    flagged = go(shop, "flag", reason="look at the photo")
    first = go(shop, "priority", priority="first")
    items = QueueItem.objects.order_by("product")
    assert {(i.flagged, i.boost) for i in items} == {("look at the photo", 100.0)}
    assert [i.priority for i in items] == [100.0, 99.0, 98.0, 97.0]
    back(first)
    back(flagged)
    assert [(i.flagged, i.boost, i.priority) for i in QueueItem.objects.order_by("product")][1] == ("", 0.0, -1.0)


def test_stopped_half_way_it_keeps_what_is_done_and_undoes_that(shop: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(bulk, "PRODUCTS_AT_ONCE", 1)
    lead = shop.people["lead"]
    run = request_bulk(
        catalogue=shop.catalogue,
        user=lead,
        kind="add_tag",
        params={"tag": "material:wool"},
        filters=Filters(),
        confirmed=4,
    )

    def stop(done: int, _total: int) -> None:
        if done == 2:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        carry_out(run=run, fence=lambda: None, progress=stop)
    assert run.job is not None
    cancel(job=run.job, user=lead)
    run.refresh_from_db()
    assert (run.seen, run.changed) == (2, 2) and ProductTag.objects.count() == 2
    assert back(run).undone == 2 and not ProductTag.objects.exists()


def test_killed_half_way_it_goes_on_and_doubles_nothing(shop: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(bulk, "PRODUCTS_AT_ONCE", 1)
    run = request_bulk(catalogue=shop.catalogue, user=shop.people["lead"], kind="add_tag", params={"tag": "material:wool"}, filters=Filters(), confirmed=4)  # fmt: skip
    fences: list[int] = []

    def die() -> None:
        fences.append(1)
        if len(fences) == 3:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        carry_out(run=run, fence=die, progress=lambda done, total: None)
    fresh = BulkRun.objects.get(pk=run.pk)
    carry_out(run=fresh, fence=lambda: None, progress=lambda done, total: None)
    assert (fresh.seen, fresh.changed) == (4, 4)
    assert Decision.objects.filter(batch=run.decisions).count() == 4


def test_what_is_refused_before_anything_is_written(shop: World) -> None:
    lead = shop.people["lead"]

    def ask(kind: str, confirmed: int | None = 4, **params: str) -> None:
        request_bulk(
            catalogue=shop.catalogue, user=lead, kind=kind, params=params, filters=Filters(), confirmed=confirmed
        )

    with pytest.raises(Conflict, match="4"):
        ask("flag", confirmed=3, reason="x")
    for kind, params in (
        ("nope", {}),
        ("flag", {}),
        ("add_tag", {"tag": "no:no"}),
        ("accept", {"band": "all"}),
        ("priority", {}),
    ):
        with pytest.raises(Refused):
            ask(kind, **params)
    with pytest.raises(Refused):
        request_bulk(catalogue=shop.catalogue, user=lead, kind="archive", params={}, selection=[10**9])
    assert not BulkRun.objects.exists()
    run = request_bulk(catalogue=shop.catalogue, user=lead, kind="archive", params={}, filters=Filters(), confirmed=4)
    with pytest.raises(Conflict):
        request_undo(run=run, user=lead)
    run = go(shop, "flag", reason="x")
    request_undo(run=run, user=lead)
    with pytest.raises(Conflict), transaction.atomic():
        request_undo(run=BulkRun.objects.get(pk=run.pk), user=lead)


def test_the_pages_from_choosing_to_taking_back(shop: World, client: Client) -> None:
    client.force_login(shop.people["lead"])
    url = "/c/shop/products/bulk/"
    assert client.post(url, {"kind": "flag"}).status_code == 302  # nothing chosen
    asked = {"kind": "flag", "every": "1", "category": "Fashion"}
    assert "All products that fit" in client.post(url, asked).content.decode()
    told = client.post(url, {**asked, "step": "preview", "reason": "odd"}).content.decode()
    assert "Type 4 to go on" in told and not BulkRun.objects.exists()
    wrong = client.post(url, {**asked, "step": "go", "reason": "odd", "number": "5"})
    assert wrong.status_code == 409 and "Type the number of products" in wrong.content.decode()
    done = client.post(url, {**asked, "step": "go", "reason": "odd", "number": "4"})
    run = BulkRun.objects.get()
    assert done["Location"] == f"{url}runs/{run.pk}/" and run.filters == {"category": "Fashion"}
    assert run.job is not None
    run_now(run.job)
    assert "Take back 4 products" in client.get(done["Location"]).content.decode()
    assert "Flag for a lead" in client.get(f"{url}runs/").content.decode()
    assert client.post(f"{done['Location']}undo/").status_code == 302
    assert client.post(f"{done['Location']}undo/").status_code == 409
    picked = client.post(url, {"kind": "archive", "pk": [shop.products[0].pk], "step": "go"})
    assert picked.status_code == 302 and BulkRun.objects.latest("pk").selection == [shop.products[0].pk]
    assert client.get(f"{url}runs/{10**6}/").status_code == 404
