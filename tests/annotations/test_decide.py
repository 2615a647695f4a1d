"""save_card, save_cards, undo and redo: what is stored, what follows, what is refused."""

from __future__ import annotations

import uuid

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from annotations.actions.decide import Card, Choice, save_card, save_cards
from annotations.actions.errors import Conflict, Refused
from annotations.actions.undo import redo, undo
from annotations.models import Change, Decision, Job, ProductTag, QueueItem, Suggestion, Verdict
from annotations.queries.standing import differences

from .conftest import World, build_world


def feed(world: World) -> list[tuple[str, str]]:
    return list(world.catalogue.changes.values_list("tag__slug", "state"))


def test_a_card_is_stored_with_all_that_follows(world: World) -> None:
    product = world.products[0]
    saved = world.decide(product, black="accept", wool="add", cotton="reject", complete="colour material")
    assert saved.decisions == 5 and saved.version == 1
    assert world.standing(product) == {"black": "approved", "wool": "approved", "cotton": "rejected"}
    assert feed(world) == [("black", "approved"), ("wool", "approved"), ("cotton", "rejected")]
    assert product.completions.count() == 2
    item = QueueItem.objects.get(product=product)
    assert item.status == QueueItem.Status.DONE and not item.leased
    assert Job.objects.filter(kind="refit", state="queued").count() == 1
    assert list(Decision.objects.values_list("seq", flat=True)) == [1, 2, 3, 4, 5]


def test_a_partly_seen_card_stays_in_the_queue(world: World) -> None:
    world.decide(world.products[0], black="accept", complete="colour")
    assert QueueItem.objects.get(product=world.products[0]).status == QueueItem.Status.QUEUED


def test_sent_again_it_is_stored_once(world: World) -> None:
    product = world.products[0]
    card = Card(product, (Choice(world.tags["black"], "accept"),), (world.facets["colour"],))
    first = save_card(card=card, version=0, by=world.by())
    again = save_card(card=card, version=0, by=world.by())
    assert again.replayed and (again.seq, again.version) == (first.seq, first.version)
    assert Decision.objects.count() == 2


@pytest.mark.parametrize("batch", [None, uuid.uuid4()])
def test_a_card_without_choices_sent_again_is_stored_once(world: World, batch: uuid.UUID | None) -> None:
    card = Card(world.products[0], (), (world.facets["colour"],))
    first = save_card(card=card, version=0, by=world.by(), batch=batch)
    assert save_card(card=card, version=0, by=world.by(), batch=batch).seq == first.seq
    assert Decision.objects.count() == 1
    with pytest.raises(Conflict):
        save_card(card=card, version=0, by=world.by("second"))


def test_the_same_id_for_another_verdict_is_refused(world: World) -> None:
    choice = Choice(world.tags["black"], "accept")
    save_card(card=Card(world.products[0], (choice,)), version=0, by=world.by())
    other = Choice(world.tags["black"], "reject", choice.id)
    for role, again in (("reviewer", other), ("second", choice)):
        with pytest.raises(Refused) as refused:
            save_card(card=Card(world.products[0], (again,)), version=1, by=world.by(role))
        assert refused.value.code == "id_reused" and refused.value.status == 422
    assert Decision.objects.count() == 1


def test_the_slower_of_two_is_told_what_the_other_decided(world: World) -> None:
    product = world.products[0]
    world.decide(product, black="accept")
    with pytest.raises(Conflict) as conflict:
        save_card(card=Card(product, (Choice(world.tags["red"], "accept"),)), version=0, by=world.by("second"))
    assert conflict.value.details["version"] == 1
    assert [(d["tag"], d["verdict"], d["by"]) for d in conflict.value.details["decisions"]] == [
        ("black", "accept", "reviewer")
    ]
    assert world.standing(product) == {"black": "approved"}


def test_a_single_choice_facet_holds_one_tag(world: World) -> None:
    product = world.products[0]
    world.decide(product, black="accept")
    world.decide(product, red="add")
    assert world.standing(product) == {"red": "approved"}
    assert feed(world) == [("black", "approved"), ("red", "approved"), ("black", "removed")]
    with pytest.raises(Refused) as refused:
        world.decide(product, red="accept", white="accept")
    assert refused.value.code == "single_choice"


def test_a_claim_shown_is_kept_with_the_decision(world: World) -> None:
    product = world.products[0]
    spans = [{"field": "title", "start": 0, "end": 5}]
    Suggestion.objects.create(product=product, tag=world.tags["black"], score=0.9, band="strong", spans=spans)
    world.decide(product, black="accept")
    decision = Decision.objects.get()
    assert (decision.score_shown, decision.evidence_shown, decision.source) == (0.9, spans, "model")
    assert Suggestion.objects.count() == 1  # accepting deletes nothing


def test_undo_and_redo_give_the_exact_states_between(world: World) -> None:
    a, b = world.products[:2]
    states = [(world.standing(a), world.standing(b))]
    for product, verdicts in ((a, {"black": "accept", "wool": "accept"}), (b, {"red": "add"}), (a, {"white": "add"})):
        world.decide(product, complete="colour", **verdicts)
        states.append((world.standing(a), world.standing(b)))
    for expected in states[-2::-1]:
        assert undo(catalogue=world.catalogue, by=world.by())
        assert (world.standing(a), world.standing(b)) == expected
    assert undo(catalogue=world.catalogue, by=world.by()) is None
    assert not a.completions.exists()
    for expected in states[1:]:
        assert redo(catalogue=world.catalogue, by=world.by())
        assert (world.standing(a), world.standing(b)) == expected
    assert redo(catalogue=world.catalogue, by=world.by()) is None
    assert differences(world.catalogue) == []


def test_undo_takes_back_only_ones_own(world: World) -> None:
    product = world.products[0]
    world.decide(product, wool="accept")
    world.decide(product, wool="reject", role="second")
    undo(catalogue=world.catalogue, by=world.by())
    assert world.standing(product) == {"wool": "rejected"}
    undo(catalogue=world.catalogue, by=world.by("second"))
    assert world.standing(product) == {}


def test_a_new_decision_ends_redo(world: World) -> None:
    world.decide(world.products[0], wool="accept")
    undo(catalogue=world.catalogue, by=world.by())
    world.decide(world.products[1], cotton="accept")
    assert redo(catalogue=world.catalogue, by=world.by()) is None


@pytest.mark.long
def test_fifty_batches_can_be_taken_back(world: World) -> None:
    product = world.products[0]
    for n in range(55):
        world.decide(product, wool="accept" if n % 2 else "reject")
    taken = 0
    while undo(catalogue=world.catalogue, by=world.by()):
        taken += 1
    assert taken >= 50


def test_many_cards_at_once_are_one_batch(world: World) -> None:
    cards = [
        Card(p, (Choice(world.tags["wool"], Verdict.ACCEPT),), (world.facets["material"],)) for p in world.products
    ]
    saved = save_cards(catalogue=world.catalogue, cards=cards, by=world.by(input="bulk"))
    assert saved.decisions == 8 and saved.seq == 8
    taken = undo(catalogue=world.catalogue, by=world.by())
    assert taken and len(taken.products) == 4 and not ProductTag.objects.exists()


def test_history_cannot_be_rewritten(world: World) -> None:
    world.decide(world.products[0], wool="accept")
    for attempt in (
        lambda: Decision.objects.update(verdict="reject"),
        lambda: Decision.objects.all()._raw_delete("default"),
        lambda: Change.objects.update(state="removed"),
        lambda: Change.objects.all()._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            attempt()
    assert Decision.objects.get().verdict == "accept"


def test_rebuild_finds_what_was_tampered_with(world: World) -> None:
    world.decide(world.products[0], wool="accept", black="accept", complete="material")
    assert differences(world.catalogue) == []
    ProductTag.objects.filter(tag=world.tags["wool"]).update(state="rejected")
    world.products[0].completions.all().delete()
    assert len(differences(world.catalogue)) == 2


def test_the_number_of_queries_does_not_grow_with_the_catalogue(db: None) -> None:
    counts = []
    world = build_world(3)
    for n in (0, 1):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            world.decide(world.products[n], black="accept", wool="accept", complete="colour material")
        counts.append(len(queries))
    assert counts[1] <= counts[0] <= 26
