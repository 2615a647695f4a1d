"""Two outputs side by side: nobody is told which is whose, the sides change, and the tally knows."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotations.actions.errors import Conflict, Refused
from annotations.actions.judging import Opinion, judge
from annotations.models import Job, Judgement, TrainingRun, User
from annotations.queries.flips import PAGE, flip_page
from annotations.queries.judging import candidate_first, next_pair, share, tally

from .conftest import World, build_world

pytestmark = pytest.mark.django_db
GOOD, BAD = Opinion(True, True), Opinion(False, False)


def flip(n: int, facet: str, right: bool) -> dict[str, Any]:
    tag = {"colour": "black", "material": "wool"}[facet]
    return {
        "product": f"P-{n}", "facet": facet, "tag": tag, "approved": True, "current": not right, "candidate": right,
        "current_score": 0.3, "candidate_score": 0.8, "right": right,
    }  # fmt: skip


def compared(world: World, **more: Any) -> TrainingRun:
    job = Job.objects.create(kind="train", queue="ml", catalogue=world.catalogue, state=Job.State.DONE)
    outputs = [
        {
            "product": p.external_id,
            "current": [["colour", "red"]],
            "candidate": [["colour", "black"], ["material", "wool"]],
        }
        for p in world.products
    ]
    report = {"comparison": {"outputs": outputs, **more}}
    return TrainingRun.objects.create(catalogue=world.catalogue, job=job, number=1, report=report)


def test_the_sides_change_at_random_and_stay_for_whoever_looks_again() -> None:
    world = build_world(products=60)
    run = compared(world)
    people = [world.people["reviewer"], world.people["second"]]
    sides = {u.pk: [candidate_first(run, p, u) for p in world.products] for u in people}
    assert all(15 < sum(found) < 45 for found in sides.values()) and sides[people[0].pk] != sides[people[1].pk]
    assert sides[people[0].pk] == [candidate_first(run, p, people[0]) for p in world.products]


def test_who_prefers_the_candidate_is_counted_for_it_on_whichever_side_it_stands() -> None:
    world = build_world(products=24)
    run, user = compared(world), world.people["reviewer"]
    while (pair := next_pair(run, user)) is not None:
        longer = len(pair.first) and dict(pair.first).get("Material")  # the candidate alone names a material
        better = "first" if longer else "second"
        opinions = (GOOD, BAD) if longer else (BAD, GOOD)
        judge(run=run, product=pair.product, user=user, first=opinions[0], second=opinions[1], better=better)
    found = tally(run)
    assert found is not None and found.judgements == 24 and found.people == 1
    assert found.candidate_better is not None and (found.candidate_better.good, found.candidate_better.every) == (
        24,
        24,
    )
    assert (
        found.verdict == "candidate"
        and found.reasonable["candidate"].good == 24
        and found.complete["current"].good == 0
    )  # type: ignore[union-attr]
    assert len(set(Judgement.objects.values_list("candidate_first", flat=True))) == 2, "both sides were seen"
    # the control: who always takes the left one says nothing about the models
    other = world.people["second"]
    for product in world.products:
        judge(run=run, product=product, user=other, first=GOOD, second=GOOD, better="first")
    left = Judgement.objects.filter(user=other, better="candidate").count()
    assert left == sum(candidate_first(run, p, other) for p in world.products)


def test_whom_fewest_have_judged_comes_first_and_nobody_twice() -> None:
    world = build_world(products=3)
    run, one, two = compared(world), world.people["reviewer"], world.people["second"]
    pair = next_pair(run, one)
    assert pair is not None
    judge(run=run, product=pair.product, user=one, first=GOOD, second=GOOD, better="same")
    other = next_pair(run, two)
    assert other is not None and other.product != pair.product
    with pytest.raises(Conflict):
        judge(run=run, product=pair.product, user=one, first=GOOD, second=GOOD, better="same")
    with pytest.raises(Refused):
        judge(run=run, product=pair.product, user=two, first=GOOD, second=GOOD, better="left")


def test_wilsons_interval() -> None:
    assert share(0, 0) is None
    found = share(8, 10)
    assert found is not None and (round(found.low, 4), round(found.high, 4)) == (0.4902, 0.9433)
    assert math.isclose(share(0, 10).low, 0.0, abs_tol=1e-12)  # type: ignore[union-attr]


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_the_page_names_nobody_and_keeps_what_was_said() -> None:
    world = build_world(products=2)
    run, client = compared(world), as_(world.people["reviewer"])
    address = reverse("training_judge", args=["shop", run.number])
    page = client.get(address).content.decode()
    form = page[page.index('id="judge"') :].lower()
    assert "candidate" not in form and "current" not in form
    product = re.search(r'name="product" value="(\d+)"', page)[1]  # type: ignore[index]
    said = {f"{s}_{w}": "yes" for s in ("first", "second") for w in ("reasonable", "complete")}
    assert client.post(address, {"product": product, "better": "same", **said, "first_complete": ""}).status_code == 422
    assert client.post(address, {"product": product, "better": "same", **said}).status_code == 302
    assert Judgement.objects.get().better == "same"
    report = client.get(reverse("training_run", args=["shop", run.number]))
    assert report.status_code == 200
    strange = build_world(products=1, slug="other").products[0]
    assert client.post(address, {"product": strange.pk, "better": "same", **said}).status_code == 404


def test_flips_are_listed_by_facet_with_links() -> None:
    world = build_world(products=4)
    flips = [flip(0, "colour", False), flip(1, "colour", True), flip(2, "material", True), flip(9, "material", False)]
    wins, losses = {"colour": 1, "material": 1}, {"colour": 1, "material": 1}
    run = compared(world, flips=flips, wins=wins, losses=losses)
    page = flip_page(run, facet="colour", kind="worse")
    assert page is not None and [(f.external_id, f.right) for f in page.rows] == [("P-0", False)]
    every = flip_page(run)
    assert every is not None and every.total == 4 and {(f.facet, f.wins, f.losses) for f in every.facets} == {
        ("colour", 1, 1), ("material", 1, 1),
    }  # fmt: skip
    client = as_(world.people["viewer"])
    shown = client.get(reverse("training_flips", args=["shop", 1])).content.decode()
    assert f"?product={world.products[2].pk}" in shown and "P-9" in shown, "a product that is gone has its id"
    only = client.get(reverse("training_flips", args=["shop", 1]), {"facet": "material", "kind": "better", "page": "x"})
    assert f"?product={world.products[2].pk}" in only.content.decode() and "P-9" not in only.content.decode()


def test_many_flips_come_in_pages() -> None:
    world = build_world(products=1)
    run = compared(world, flips=[flip(0, "colour", True)] * (PAGE + 1), wins={"colour": PAGE + 5}, losses={})
    last = flip_page(run, number=99)
    assert last is not None and (last.number, last.pages, len(last.rows)) == (2, 2, 1)
    assert (last.stored, last.counted) == (PAGE + 1, PAGE + 5)
