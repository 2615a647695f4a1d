"""A lead's pages: the dashboard's numbers, settling a conflict, and who is asked first."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotations.actions import assignment, queue
from annotations.actions.errors import Conflict, Refused
from annotations.actions.panels import mark_gold
from annotations.models import (
    AssignmentRule,
    Catalogue,
    GoldItem,
    Job,
    Membership,
    Product,
    QueueItem,
    Suggestion,
    Turn,
)
from annotations.queries.assignment import absent, shares
from annotations.queries.dashboard import answer_units, dashboard, right_so_far

from .conftest import World

WHOLE = "colour material"


@pytest.fixture
def lead(world: World) -> Client:
    client = Client()
    client.force_login(world.people["lead"])
    return client


def page(name: str, *more: object) -> str:
    return reverse(name, args=["shop", *more])


def several(world: World, k: int = 2) -> None:
    Catalogue.objects.update(reviewers=k)
    world.catalogue.refresh_from_db()
    for product in world.products:
        product.catalogue = world.catalogue


# -- conflicts ---------------------------------------------------------------------------------------------------


def test_a_lead_sees_both_sides_and_settles(world: World, lead: Client) -> None:
    several(world)
    product = world.products[0]
    world.decide(product, black="accept", wool="accept", complete=WHOLE)
    world.decide(product, role="second", red="accept", wool="accept", complete=WHOLE)
    shown = lead.get(page("conflicts")).content.decode()
    assert "second" in shown and "reviewer" in shown and "Red" in shown and "Black" in shown
    assert "Wool" not in shown  # on that they agree
    colour = world.facets["colour"].pk
    sent = {
        "facet": colour,
        f"tag-{colour}": world.tags["red"].pk,
        "version": world.version(product),
        "card": uuid.uuid4(),
    }
    assert lead.post(page("conflict_settle", product.pk), {**sent, f"tag-{colour}": []}).status_code == 422
    for _twice in range(2):
        assert lead.post(page("conflict_settle", product.pk), sent).status_code == 302
    assert world.standing(product) == {"wool": "approved", "red": "approved", "black": "rejected"}
    quicker = {**sent, "card": uuid.uuid4()}
    assert lead.post(page("conflict_settle", product.pk), quicker).status_code == 409
    assert "Nobody differs" in lead.get(page("conflicts")).content.decode()


def test_a_lead_may_say_that_none_fits_or_another_does(world: World, lead: Client) -> None:
    several(world)
    colour = world.facets["colour"].pk
    for product, chosen, stands in (
        (world.products[0], {f"tag-{colour}": "none"}, {"black": "rejected", "red": "rejected"}),
        (world.products[1], {f"tag-{colour}": "other", f"other-{colour}": world.tags["white"].pk},
         {"black": "rejected", "red": "rejected", "white": "approved"}),
    ):  # fmt: skip
        world.decide(product, black="accept", complete=WHOLE)
        world.decide(product, role="second", red="accept", complete=WHOLE)
        sent = {"facet": colour, "version": world.version(product), "card": uuid.uuid4(), **chosen}
        assert lead.post(page("conflict_settle", product.pk), sent).status_code == 302
        assert world.standing(product) == stands
    third = world.products[2]
    world.decide(third, black="accept", complete=WHOLE)
    world.decide(third, role="second", red="accept", complete=WHOLE)
    assert lead.post(page("conflict_again", third.pk), {"version": world.version(third)}).status_code == 302
    assert QueueItem.objects.get(product=third).status == "queued"


# -- assignment --------------------------------------------------------------------------------------------------


def test_rules_say_who_is_asked_first_and_hide_nothing(world: World) -> None:
    me, other, boss = world.people["reviewer"], world.people["second"], world.people["lead"]
    Product.objects.filter(pk=world.products[3].pk).update(category="Home/Lamps")
    rule = assignment.add_rule(catalogue=world.catalogue, reviewer=other, category="Home", percent=100, user=boss)
    assert Job.objects.filter(kind="assign").count() == 1
    assert assignment.apply_rules(catalogue=world.catalogue) == 1
    first = queue.lease_next(catalogue=world.catalogue, user=other)
    assert [item.product_id for item in first] == [world.products[3].pk]  # theirs, though last in the queue
    queue.release(user=other, product_ids=[world.products[3].pk])
    mine = {item.product_id for item in queue.lease_next(catalogue=world.catalogue, user=me, count=9)}
    assert mine == {product.pk for product in world.products[:3]}
    late = Product.objects.create(catalogue=world.catalogue, external_id="new", category="Home/Lamps")
    QueueItem.objects.create(product=late, catalogue=world.catalogue)  # no job has looked at it yet
    assert late.pk in {i.product_id for i in queue.lease_next(catalogue=world.catalogue, user=me, count=9)}
    # whoever does not come keeps nothing from the others
    AssignmentRule.objects.update(made_at=timezone.now() - timedelta(hours=73))
    assert absent(world.catalogue) == [other.pk] and shares(world.catalogue)[0].away
    assert world.products[3].pk in {i.product_id for i in queue.lease_next(catalogue=world.catalogue, user=me, count=9)}
    queue.release(user=me, product_ids=[world.products[3].pk])
    Turn.objects.create(
        catalogue=world.catalogue, product=late, reviewer=other, batch=uuid.uuid4(), decided_at=timezone.now()
    )
    assert absent(world.catalogue) == []
    Membership.objects.filter(user=other).delete()
    assert absent(world.catalogue) == [other.pk]
    rule.refresh_from_db()
    assignment.remove_rule(rule=rule, user=boss)
    assert not QueueItem.objects.filter(assignee__isnull=False).exists()


def test_percentages_share_products_out_and_refuse_nonsense(world: World) -> None:
    people, boss = world.people, world.people["lead"]
    more = [Product(catalogue=world.catalogue, external_id=f"Q{n}") for n in range(196)]
    Product.objects.bulk_create(more)
    QueueItem.objects.bulk_create(
        [QueueItem(product=p, catalogue=world.catalogue) for p in Product.objects.filter(queue_item=None)]
    )
    add = lambda who, percent: assignment.add_rule(  # noqa: E731
        catalogue=world.catalogue, reviewer=people[who], category="", percent=percent, user=boss
    )
    add("reviewer", 30), add("second", 20)
    for who, percent, error in (
        ("reviewer", 10, Conflict),
        ("lead", 60, Refused),
        ("viewer", 5, Refused),
        ("lead", 0, Refused),
    ):
        with pytest.raises(error):
            add(who, percent)
    assert assignment.apply_rules(catalogue=world.catalogue) == 100
    counts = [QueueItem.objects.filter(assignee=people[who]).count() for who in ("reviewer", "second")]
    assert counts == [60, 40] and assignment.apply_rules(catalogue=world.catalogue) == 0


def test_the_page_sets_how_many_review_and_who_comes_first(world: World, lead: Client) -> None:
    settings = {"reviewers": 2, "blind": 3, "flagged": 1, "second_opinion": 1, "gold_percent": 4, "gold_threshold": 75,
                "absent_hours": 48}  # fmt: skip
    assert lead.post(page("assignment"), settings).status_code == 302
    world.catalogue.refresh_from_db()
    assert (world.catalogue.reviewers, world.catalogue.reviewers_by_queue) == (2, {"blind": 3})
    assert (world.catalogue.gold_share, world.catalogue.gold_threshold, world.catalogue.absent_hours) == (
        0.04,
        0.75,
        48,
    )
    assert lead.post(page("assignment"), {**settings, "reviewers": 0}).status_code == 422
    rule = {"reviewer": world.people["second"].pk, "category": "Fashion", "percent": 50}
    assert lead.post(page("assignment_add"), rule).status_code == 302
    assert lead.post(page("assignment_add"), rule).status_code == 409
    assert "Fashion" in lead.get(page("assignment")).content.decode()
    assert lead.post(page("assignment_remove", AssignmentRule.objects.get().pk)).status_code == 302
    several(world, 1)
    assert lead.post(page("gold", world.products[0].pk)).status_code == 422  # nothing is decided
    world.decide(world.products[0], role="lead", black="accept", complete=WHOLE)
    assert lead.post(page("gold", world.products[0].pk)).status_code == 302
    assert GoldItem.objects.get().retired_at is None
    assert lead.post(page("gold", world.products[0].pk), {"off": "1"}).status_code == 302
    assert GoldItem.objects.get().retired_at is not None


# -- the dashboard -----------------------------------------------------------------------------------------------


def suggest(world: World, product: Product, **scores: float) -> None:
    for tag, score in scores.items():
        band = "likely" if score >= 0.5 else "unsure"
        Suggestion.objects.create(product=product, tag=world.tags[tag], score=score, band=band)


def test_the_numbers_are_those_of_the_log(world: World) -> None:
    several(world)
    first, second, third, known = world.products
    Product.objects.filter(pk=first.pk).update(supplier="Acme")
    for product in (first, second, third):
        suggest(world, product, black=0.9, wool=0.8, cotton=0.2)
    for role, wool in (("reviewer", "accept"), ("second", "reject")):
        world.decide(first, role=role, black="accept", wool=wool, complete=WHOLE)
        world.decide(second, role=role, black="accept", wool="accept", complete=WHOLE)
    QueueItem.objects.filter(product=third).update(blind=True)
    world.decide(third, black="accept", wool="reject", complete=WHOLE)
    several(world, 1)
    known.catalogue = world.catalogue
    world.decide(known, role="lead", red="accept", complete=WHOLE)
    mark_gold(product=known, user=world.people["lead"])
    world.decide(known, red="accept", wool="accept", complete=WHOLE)
    world.catalogue.refresh_from_db()
    view = dashboard(world.catalogue)
    by = {person.user.username: person for person in view.reviewers}
    assert (by["reviewer"].today, by["second"].today, by["lead"].today) == (4, 2, 1) and view.today == 7
    assert (by["reviewer"].accepted.good, by["reviewer"].accepted.all) == (4, 4)  # blind ones were not shown
    assert (by["second"].accepted.good, by["second"].accepted.all) == (3, 4)
    assert (by["reviewer"].checked.good, by["reviewer"].checked.all) == (4, 4)
    assert (by["reviewer"].blind.good, by["reviewer"].blind.all) == (1, 2)
    assert (by["reviewer"].gold.good, by["reviewer"].gold.all) == (1, 2) and not by["reviewer"].waves_through
    assert {facet.slug: (share.good, share.all) for facet, share in view.facets} == {
        "colour": (4, 4),
        "material": (3, 4),
    }
    assert [(name, share.all) for name, share in view.suppliers] == [("Acme", 4)]
    units = answer_units(world.catalogue)
    assert sorted(len(some) for some in units.values()) == [2, 2]
    assert {len(right) for right in right_so_far(world.catalogue).values()} == {4}
    assert sum(count for _hour, count in view.hours) == 7


def test_the_page_in_both_languages_and_its_queries_do_not_grow(world: World, lead: Client) -> None:
    several(world)
    lead.get(page("team"))
    counts = []
    for product in world.products:
        suggest(world, product, black=0.9)
        for role in ("reviewer", "second"):
            world.decide(product, role=role, black="accept", complete=WHOLE)
        with CaptureQueriesContext(connection) as seen:
            shown = lead.get(page("team"), {"target": "90"})
        assert shown.status_code == 200 and "<svg" in shown.content.decode()
        counts.append(len(seen))
    assert counts[-1] <= counts[0] <= 40
    lead.post(reverse("set_language"), {"language": "zh-hans"})
    assert "审核员" in lead.get(page("team")).content.decode()
