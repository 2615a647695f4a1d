"""Several reviewers of one product: blind to each other, never asked twice, agreed or settled by a lead."""

from __future__ import annotations

import random
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotations.actions import panels as verbs
from annotations.actions import queue
from annotations.actions.decide import Card, Choice, save_card
from annotations.actions.errors import Conflict, Refused
from annotations.actions.family import copy_to_family
from annotations.actions.grid import Mark, save_grid
from annotations.actions.undo import redo, undo
from annotations.models import (
    Answer,
    Catalogue,
    Change,
    Decision,
    Job,
    Membership,
    Product,
    ProductTag,
    QueueItem,
    Role,
    Turn,
    User,
    Verdict,
    Voice,
)
from annotations.queries import panels
from annotations.queries.cards import cards
from annotations.queries.conflicts import dispute
from annotations.queries.feed import changes
from annotations.queries.product_pages import story_of
from annotations.queries.standing import differences

from .conftest import World, build_world

WHOLE = "colour material"


@pytest.fixture
def panel(db: None) -> World:
    """Two reviewers per product; ``third`` beside ``reviewer`` and ``second``."""
    world = build_world()
    Catalogue.objects.update(reviewers=2)
    third = User.objects.create(username="third", password=make_password(None))
    Membership.objects.create(catalogue=world.catalogue, user=third, role=Role.REVIEWER)
    world.people["third"] = third
    world.catalogue.refresh_from_db()
    for product in world.products:
        product.catalogue = world.catalogue
    return world


def item_of(product: Product) -> QueueItem:
    return QueueItem.objects.select_related("product", "catalogue").get(product=product)


def sound(world: World) -> bool:
    return not differences(world.catalogue) and not panels.differences(world.catalogue)


def test_one_vote_stands_for_nothing_and_two_that_agree_do(panel: World) -> None:
    product = panel.products[0]
    saved = panel.decide(product, black="accept", wool="accept", cotton="reject", complete=WHOLE)
    assert panel.standing(product) == {} and saved.version == 0
    assert item_of(product).status == "second_opinion" and changes(panel.catalogue) == []
    assert not Job.objects.filter(kind="refit").exists()  # nothing to learn from yet
    panel.decide(product, role="second", black="accept", wool="accept", complete=WHOLE)
    assert panel.standing(product) == {"black": "approved", "wool": "approved", "cotton": "rejected"}
    assert item_of(product).status == "done" and item_of(product).version == 1
    told = changes(panel.catalogue)
    assert [(line["tag"], line["state"]) for line in told] == [
        ("black", "approved"), ("cotton", "rejected"), ("wool", "approved")]  # fmt: skip
    assert len({line["seq"] for line in told}) == 3
    assert sound(panel)


def test_nobody_sees_the_others_choices_until_the_panel_agrees(panel: World) -> None:
    product, me, other = panel.products[0], panel.people["reviewer"], panel.people["second"]
    panel.decide(product, red="accept", wool="accept", complete=WHOLE)
    seen = cards([item_of(product)], panel.catalogue, other)[0]
    assert [chip.tag.slug for row in seen.facets for chip in row.chips] == []
    assert not any(row.complete for row in seen.facets) and seen.version == 0
    own = cards([item_of(product)], panel.catalogue, me)[0]
    assert [chip.tag.slug for row in own.facets for chip in row.chips if chip.checked] == ["red", "wool"]
    assert story_of(panel.catalogue, product.pk, other).decisions == ()
    assert len(story_of(panel.catalogue, product.pk, me).decisions) == 4
    # nor by a conflict of versions
    with pytest.raises(Conflict) as stale:
        save_card(card=Card(product, (), (panel.facets["colour"],)), version=7, by=panel.by("second"))
    assert stale.value.details["decisions"] == []


def test_a_conflict_goes_to_a_lead_who_sees_both_sides_and_settles(panel: World) -> None:
    product = panel.products[0]
    panel.decide(product, black="accept", wool="accept", complete=WHOLE)
    panel.decide(product, role="second", red="accept", wool="accept", complete=WHOLE)
    item = item_of(product)
    assert item.status == "conflict" and panel.standing(product) == {"wool": "approved"}
    both = dispute(item)
    assert [f.facet.slug for f in both.facets] == ["colour"]
    assert {s.reviewer.username: [t.slug for t in s.tags] for s in both.facets[0].sides} == {
        "reviewer": ["black"], "second": ["red"]}  # fmt: skip
    answer = {panel.facets["colour"]: [panel.tags["black"]]}
    how = {"product": product, "answers": answer, "version": item.version, "by": panel.by("lead")}
    batch = uuid.uuid4()
    first = verbs.settle(**how, batch=batch)
    assert panel.standing(product) == {"wool": "approved", "black": "approved", "red": "rejected"}
    assert item_of(product).status == "done" and sound(panel)
    assert verbs.settle(**how, batch=batch).seq == first.seq  # sent twice
    with pytest.raises(Conflict):
        verbs.settle(**how, batch=uuid.uuid4())  # another lead was quicker
    undo(catalogue=panel.catalogue, by=panel.by("lead"))
    assert item_of(product).status == "conflict" and panel.standing(product) == {"wool": "approved"} and sound(panel)


def test_a_lead_may_have_it_asked_again(panel: World) -> None:
    product = panel.products[0]
    panel.decide(product, black="accept", complete=WHOLE)
    panel.decide(product, role="second", red="accept", complete=WHOLE)
    verbs.ask_again(product=product, version=item_of(product).version, by=panel.by("lead"))
    assert item_of(product).status == "queued" and not Answer.objects.filter(facet__slug="colour").exists()
    panel.decide(product, black="accept", complete="colour")
    panel.decide(product, role="third", black="accept", complete="colour")
    assert item_of(product).status == "done" and panel.standing(product) == {"black": "approved"} and sound(panel)
    with pytest.raises(Refused) as nothing:
        verbs.ask_again(product=product, version=item_of(product).version, by=panel.by("lead"))
    assert nothing.value.code == "no_conflict"


def test_nobody_decides_twice(panel: World) -> None:
    product, me = panel.products[0], panel.people["reviewer"]
    panel.decide(product, black="accept", complete=WHOLE)
    with pytest.raises(Refused) as refused:
        panel.decide(product, red="accept", complete=WHOLE)
    assert refused.value.code == "answered"
    assert panel.decide(product, black="accept", complete=WHOLE).decisions == 0  # the same again says nothing new
    given = queue.lease_next(catalogue=panel.catalogue, user=me, count=9)
    assert product.pk not in [item.product_id for item in given]
    assert queue.lease_next(catalogue=panel.catalogue, user=me, queue="second-opinion", count=9) == []
    theirs = queue.lease_next(catalogue=panel.catalogue, user=panel.people["second"], queue="second-opinion")
    assert [item.product_id for item in theirs] == [product.pk]
    answer = Answer.objects.first()
    assert answer is not None
    answer.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        answer.save(force_insert=True)  # the database holds it too
    undo(catalogue=panel.catalogue, by=panel.by())
    queue.release(user=panel.people["second"], product_ids=[product.pk])
    assert product.pk in [i.product_id for i in queue.lease_next(catalogue=panel.catalogue, user=me, count=9)]
    panel.decide(product, red="accept", complete=WHOLE)  # after an undo one may


def test_a_grid_holds_back_what_contradicts_ones_own_answer_and_saves_the_rest(panel: World) -> None:
    first, second, third, _rest = panel.products
    panel.decide(first, wool="accept", complete="material")
    panel.decide(second, wool="reject", complete="material")
    marks = [
        Mark(p, item_of(p).version, "accept", (panel.tags["wool"],)) for p in (first, second, third)
    ]  # fmt: skip
    saved = save_grid(
        catalogue=panel.catalogue, facet=panel.facets["material"], marks=marks, whole=True, by=panel.by(input="grid"),
        nonce=uuid.uuid4(),
    )  # fmt: skip
    assert [(h.product, h.why) for h in saved.held] == [(second.pk, "answered")]
    assert "You have given your answer on “Material”" in saved.held[0].message
    assert saved.together.products == {first.pk, third.pk}
    answers = {a.product_id: a.tags for a in Answer.objects.filter(reviewer=panel.people["reviewer"])}
    assert answers == {first.pk: [panel.tags["wool"].pk], second.pk: [], third.pk: [panel.tags["wool"].pk]}
    assert sound(panel)


def test_a_family_whose_own_card_contradicts_is_refused_and_says_why(panel: World) -> None:
    first, second = panel.products[:2]
    panel.decide(first, wool="reject", complete="material")
    card = Card(first, (Choice(panel.tags["wool"], "accept"),), (panel.facets["material"],))
    with pytest.raises(Refused) as refused:
        copy_to_family(
            card=card, version=item_of(first).version, variants=[(second, 0)], by=panel.by(), batch=uuid.uuid4()
        )
    assert refused.value.code == "answered"
    assert not Answer.objects.filter(product=second).exists()


def test_undo_of_either_vote_takes_the_agreement_back_and_redo_brings_it_again(panel: World) -> None:
    product = panel.products[0]
    panel.decide(product, black="accept", complete=WHOLE)
    panel.decide(product, role="second", black="accept", complete=WHOLE)
    for role in ("reviewer", "second"):
        undo(catalogue=panel.catalogue, by=panel.by(role))
        assert panel.standing(product) == {} and item_of(product).status == "second_opinion" and sound(panel)
        redo(catalogue=panel.catalogue, by=panel.by(role))
        assert panel.standing(product) == {"black": "approved"} and item_of(product).status == "done" and sound(panel)
    assert [c.state for c in Change.objects.order_by("seq")] == [
        "approved",
        "removed",
        "approved",
        "removed",
        "approved",
    ]


def test_the_panel_goes_on_as_it_began_when_the_setting_changes(panel: World) -> None:
    product = panel.products[0]
    panel.decide(product, black="accept", complete=WHOLE)
    Catalogue.objects.update(reviewers=1)
    panel.catalogue.refresh_from_db()
    for one in panel.products:
        one.catalogue = panel.catalogue
    panel.decide(product, role="second", black="accept", complete=WHOLE)
    assert item_of(product).status == "done"
    assert set(Decision.objects.exclude(voice="agreed").values_list("voice", "wanted")) == {("vote", 2)}
    panel.decide(panel.products[1], red="accept", complete=WHOLE)
    assert item_of(panel.products[1]).status == "done"


def test_a_queue_may_want_its_own_number(panel: World) -> None:
    Catalogue.objects.update(reviewers=1, reviewers_by_queue={"blind": 2})
    panel.catalogue.refresh_from_db()
    QueueItem.objects.filter(product=panel.products[0]).update(blind=True)
    for product in panel.products[:2]:
        product.catalogue = panel.catalogue
        panel.decide(product, black="accept", complete=WHOLE)
    assert [item_of(product).status for product in panel.products[:2]] == ["second_opinion", "done"]


def test_what_stood_before_and_the_panel_leaves_out_is_removed(panel: World) -> None:
    product = panel.products[0]
    panel.catalogue.reviewers = 1
    panel.decide(product, wool="accept")
    panel.catalogue.reviewers = 2
    for role in ("reviewer", "second"):
        panel.decide(product, role=role, cotton="accept", complete=WHOLE)
    assert panel.standing(product) == {"cotton": "approved"} and sound(panel)


def test_gold_answers_measure_and_nothing_else(panel: World) -> None:
    product, me = panel.products[0], panel.people["reviewer"]
    Catalogue.objects.update(reviewers=1, gold_share=0.5)
    panel.catalogue.refresh_from_db()
    product.catalogue = panel.catalogue
    with pytest.raises(Refused):
        verbs.mark_gold(product=product, user=panel.people["lead"])
    panel.decide(product, role="lead", black="accept", wool="accept", complete=WHOLE)
    gold = verbs.mark_gold(product=product, user=panel.people["lead"])
    assert gold.answer == {str(panel.facets["colour"].pk): [panel.tags["black"].pk],
                           str(panel.facets["material"].pk): [panel.tags["wool"].pk]}  # fmt: skip
    before, told = panel.standing(product), changes(panel.catalogue)
    Job.objects.all().delete()
    random.seed(3)
    served = [queue.lease_next(catalogue=panel.catalogue, user=me)[0].product_id for _n in range(8)]
    assert 0 < served.count(product.pk) < 8
    card = cards([item_of(product)], panel.catalogue, me)[0]
    assert not any(chip.standing for row in card.facets for chip in row.chips)
    panel.decide(product, red="accept", wool="accept", complete=WHOLE)
    assert panel.standing(product) == before and changes(panel.catalogue) == told and sound(panel)
    assert item_of(product).status == "done" and not Job.objects.filter(kind="refit").exists()
    assert set(Answer.objects.values_list("voice", flat=True)) == {Voice.GOLD}
    assert product.pk not in [queue.lease_next(catalogue=panel.catalogue, user=me)[0].product_id for _n in range(8)]
    makers = [queue.lease_next(catalogue=panel.catalogue, user=panel.people["lead"]) for _n in range(8)]
    assert product.pk not in [item.product_id for items in makers for item in items]


def test_turns_tell_time_without_pauses(panel: World) -> None:
    now = timezone.now()
    for n, (product, ago) in enumerate(zip(panel.products, (20, 3600, 5), strict=False)):
        by = panel.by(shown_at=now - timedelta(seconds=ago))
        save_card(
            card=Card(product, (Choice(panel.tags["black"], "accept"),), (panel.facets["colour"],)), version=0, by=by
        )
        Turn.objects.filter(product=product).update(decided_at=now - timedelta(hours=10 - n))
    seconds = list(Turn.objects.order_by("decided_at").values_list("active_seconds", flat=True))
    assert seconds[0] == pytest.approx(20, abs=2) and seconds[1] == 120 and seconds[2] == pytest.approx(5, abs=2)
    undo(catalogue=panel.catalogue, by=panel.by())
    assert list(Turn.objects.order_by("decided_at").values_list("counts", flat=True)) == [True, True, False]
    redo(catalogue=panel.catalogue, by=panel.by())
    assert Turn.objects.filter(counts=True).count() == 3


@pytest.mark.long
def test_a_random_walk_of_people_keeps_everything_sound(panel: World) -> None:
    rng = random.Random(7)
    for _step in range(70):
        role = rng.choice(["reviewer", "second", "third"])
        product = rng.choice(panel.products[:3])
        act = rng.random()
        if act < 0.6:
            tags = {rng.choice(["black", "red"]): "accept", "wool": rng.choice(["accept", "reject"])}
            try:
                panel.decide(product, role=role, complete=rng.choice([WHOLE, "colour", ""]), **tags)
            except Refused:
                continue
        elif act < 0.75:
            undo(catalogue=panel.catalogue, by=panel.by(role))
        elif act < 0.85:
            redo(catalogue=panel.catalogue, by=panel.by(role))
        elif item_of(product).status == "conflict":
            torn = [f.facet for f in dispute(item_of(product)).facets]
            verbs.settle(
                product=product, answers={f: [] for f in torn}, version=item_of(product).version, by=panel.by("lead"),
                batch=uuid.uuid4(),
            )  # fmt: skip
        assert sound(panel)
    assert Decision.objects.filter(voice=Voice.AGREED, verdict=Verdict.UNDO).exists()  # the walk went everywhere
    assert ProductTag.objects.exists()


def test_looking_at_one_of_several_costs_a_fixed_number_of_queries(panel: World) -> None:
    for product in panel.products:
        panel.decide(product, black="accept", complete=WHOLE)
    items = list(QueueItem.objects.select_related("product", "catalogue"))
    counts = []
    for some in (items[:1], items):
        with CaptureQueriesContext(connection) as seen:
            cards(some, panel.catalogue, panel.people["second"])
        counts.append(len(seen))
    assert counts[0] == counts[1]
