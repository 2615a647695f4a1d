"""Reviewing by program, as contract.md has it."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from annotations.models import Decision, QueueItem, Suggestion, Tag
from annotations.queries.standing import differences
from tests.annotations.api.test_auth import is_problem


@pytest.fixture
def suggested(world):
    product = world.products[0]
    for slug, score, band in (("black", 0.97, "strong"), ("wool", 0.8, "likely"), ("cotton", 0.2, "unsure")):
        spans = [{"field": "title", "start": 0, "end": 5}] if slug == "black" else []
        Suggestion.objects.create(product=product, tag=world.tags[slug], score=score, band=band, spans=spans)
    return product


def choice(facet, tag, verdict="accept", **more):
    return {"id": str(uuid.uuid4()), "facet": facet, "tag": tag, "verdict": verdict, **more}


def decided(program, card, *choices, complete=True):
    body = {
        "product": card["product"]["external_id"], "version": card["version"], "decisions": list(choices),
        "complete": complete,
    }  # fmt: skip
    return body, program.post("decisions/", body)


def test_next_is_a_card(world, reviewer, suggested):
    answer = reviewer.get("review/next/")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    card = answer.json()
    assert card["product"]["external_id"] == "P-0"
    assert (card["version"], card["blind"]) == (0, False)
    assert card["lease_until"] > timezone.now().isoformat()
    colour, material = card["facets"]
    assert (colour["facet"], material["facet"]) == ("colour", "material")
    assert [t["slug"] for t in colour["tags"]] == ["black", "red", "white"]
    assert colour["suggestions"] == [
        {"tag": "black", "score": 0.97, "band": "strong", "source": "model",
         "spans": [{"field": "title", "start": 0, "end": 5}]}
    ]  # fmt: skip
    assert [(s["tag"], s["band"]) for s in material["suggestions"]] == [("cotton", "unsure"), ("wool", "likely")]


def test_next_leases(world, reviewer, second):
    mine = reviewer.get("review/next/").json()["product"]["external_id"]
    assert reviewer.get("review/next/").json()["product"]["external_id"] == mine, "what I hold comes again"
    assert second.get("review/next/").json()["product"]["external_id"] != mine
    item = QueueItem.objects.get(product__external_id=mine)
    assert item.lease_owner == world.people["reviewer"]


def test_an_empty_queue_is_204(world, reviewer):
    QueueItem.objects.update(status="done")
    answer = reviewer.get("review/next/")
    assert answer.status_code == 204
    assert answer.content == b""


def test_next_can_be_narrowed(world, reviewer):
    world.decide(world.products[0], black="accept", complete="colour")
    assert reviewer.get("review/next/?facet=colour").json()["product"]["external_id"] == "P-1"
    assert reviewer.get("review/next/?category=Fashion").status_code == 200
    assert reviewer.get("review/next/?category=Food").status_code == 204
    assert reviewer.get("review/next/?queue=conflicts").status_code == 204
    is_problem(reviewer.get("review/next/?queue=anything"), 400, "invalid")
    is_problem(reviewer.get("review/next/?facet=anything"), 400, "invalid")


def test_a_blind_card_tells_nothing(world, reviewer, suggested):
    QueueItem.objects.filter(product=suggested).update(blind=True)
    card = reviewer.get("review/next/").json()
    assert card["blind"] is True
    assert all(facet["suggestions"] == [] for facet in card["facets"])


def test_decisions_are_stored_whole(world, reviewer, suggested):
    card = reviewer.get("review/next/").json()
    choices = [choice("colour", "black"), choice("material", "wool"),
               choice("material", "cotton", "reject", reason="not_visible")]  # fmt: skip
    body, answer = decided(reviewer, card, *choices)
    assert answer.status_code == 200, answer.content
    said = answer.json()
    assert said["conflicts"] == []
    assert (said["version"], said["decisions"], said["replayed"]) == (1, 5, False)
    assert said["seq"] == Decision.objects.order_by("-seq").first().seq
    assert world.standing(suggested) == {"black": "approved", "wool": "approved", "cotton": "rejected"}
    kept = Decision.objects.get(id=choices[0]["id"])
    assert (kept.reviewer, kept.role, kept.input) == (world.people["reviewer"], "reviewer", "api")
    assert (kept.score_shown, kept.source) == (0.97, "model")
    assert QueueItem.objects.get(product=suggested).status == "done"
    assert differences(world.catalogue) == []
    again = reviewer.post("decisions/", body)
    assert again.status_code == 200
    assert again.json() == {**said, "replayed": True}
    assert Decision.objects.count() == 5


def test_the_same_id_with_another_body_is_422(world, reviewer, suggested):
    card = reviewer.get("review/next/").json()
    body, _answer = decided(reviewer, card, choice("colour", "black"))
    body["decisions"][0]["verdict"] = "reject"
    is_problem(reviewer.post("decisions/", body), 422, "id_reused")
    assert world.standing(suggested) == {"black": "approved"}


def test_somebody_elses_id_is_422(world, reviewer, second):
    first = choice("colour", "black")
    decided(reviewer, reviewer.get("review/next/").json(), first)
    _body, answer = decided(second, second.get("review/next/").json(), first)
    is_problem(answer, 422, "id_reused")


def test_a_stale_version_is_409_and_tells_what_they_decided(world, reviewer, second):
    card = reviewer.get("review/next/").json()
    decided(reviewer, card, choice("colour", "black"))
    _body, answer = decided(second, card, choice("colour", "red"))
    said = is_problem(answer, 409, "stale_version")
    assert said["version"] == 1
    assert {(d["facet"], d["tag"], d["verdict"], d["by"]) for d in said["decisions"]} >= {
        ("colour", "black", "accept", "reviewer")
    }
    assert world.standing(world.products[0]) == {"black": "approved"}


def test_an_expired_lease_never_discards_a_decision(world, reviewer, second):
    card = reviewer.get("review/next/").json()
    QueueItem.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
    assert second.get("review/next/").json()["product"] == card["product"], "somebody else holds it now"
    assert decided(reviewer, card, choice("colour", "black"))[1].status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"product": "no-such"}, 404, "no_product"),
        ({"product": None}, 400, "invalid"),
        ({"product": "a\0b"}, 400, "parse_error"),
        ({"product": {"id": 1}}, 400, "invalid"),
        ({"version": -1}, 400, "invalid"),
        ({"version": 10**30}, 400, "invalid"),
        ({"version": "one"}, 400, "invalid"),
        ({"version": 7}, 409, "stale_version"),
        ({"decisions": [{"id": "x"}]}, 400, "invalid"),
        ({"decisions": "all"}, 400, "invalid"),
        ({"decisions": [choice("colour", "mauve")]}, 422, "unknown_tag"),
        ({"decisions": [choice("mood", "black")]}, 422, "unknown_tag"),
        ({"decisions": [choice("colour", "black", "maybe")]}, 400, "invalid"),
        ({"decisions": [choice("colour", "black", "complete")]}, 400, "invalid"),
        ({"decisions": [choice("colour", "black", reason="because")]}, 400, "invalid"),
        ({"decisions": [choice("colour", "black", note="?")]}, 400, "invalid"),
        ({"decisions": [choice("colour", "black"), choice("colour", "red")]}, 422, "single_choice"),
        ({"decisions": [choice("colour", "black"), choice("colour", "black", "reject")]}, 422, "twice"),
        ({"complete": ["mood"]}, 422, "unknown_facet"),
        ({"complete": "colour"}, 400, "invalid"),
        ({"complete": [1]}, 400, "invalid"),
        ({"surprise": 1}, 400, "invalid"),
    ],
)
def test_nonsense_is_refused_whole(world, reviewer, change, status, code):
    body = {"product": "P-0", "version": 0, "decisions": [choice("material", "wool")], "complete": True, **change}
    is_problem(reviewer.post("decisions/", body), status, code)
    assert Decision.objects.count() == 0
    assert QueueItem.objects.get(product=world.products[0]).version == 0


def test_one_id_for_two_decisions_is_refused(world, reviewer):
    one, two = choice("material", "wool"), choice("material", "cotton")
    two["id"] = one["id"]
    body = {"product": "P-0", "version": 0, "decisions": [one, two]}
    is_problem(reviewer.post("decisions/", body), 400, "invalid")
    assert Decision.objects.count() == 0


def test_a_retired_tag_is_refused(world, reviewer):
    Tag.objects.filter(slug="wool").update(retired_at=timezone.now())
    body = {"product": "P-0", "version": 0, "decisions": [choice("material", "wool")]}
    is_problem(reviewer.post("decisions/", body), 422, "retired_tag")


def test_complete_alone_and_its_key(world, reviewer):
    body = {"product": "P-0", "version": 0, "complete": ["colour"]}
    key = str(uuid.uuid4())
    first = reviewer.call("post", "decisions/", body, **{"Idempotency-Key": key})
    again = reviewer.call("post", "decisions/", body, **{"Idempotency-Key": key})
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["replayed"] is True
    assert Decision.objects.count() == 1
    other = reviewer.call("post", "decisions/", {**body, "product": "P-1"}, **{"Idempotency-Key": key})
    assert other.json()["replayed"] is False, "the key is of one product"
    is_problem(reviewer.call("post", "decisions/", body, **{"Idempotency-Key": "x"}), 400, "invalid")


def test_undo_and_redo(world, reviewer, suggested):
    card = reviewer.get("review/next/").json()
    decided(reviewer, card, choice("colour", "black"))
    undone = reviewer.post("decisions/undo/").json()
    assert (undone["undone"], undone["products"]) == (3, ["P-0"])
    assert world.standing(suggested) == {}
    assert reviewer.post("decisions/undo/").json()["undone"] == 0
    assert reviewer.post("decisions/redo/").json()["undone"] == 3
    assert world.standing(suggested) == {"black": "approved"}
    assert differences(world.catalogue) == []


def test_undo_is_ones_own(world, reviewer, second):
    decided(reviewer, reviewer.get("review/next/").json(), choice("colour", "black"))
    assert second.post("decisions/undo/").json()["undone"] == 0
    assert world.standing(world.products[0]) == {"black": "approved"}


def test_next_costs_the_same_whatever_the_size(world, reviewer, django_assert_max_num_queries):
    with django_assert_max_num_queries(14):
        assert reviewer.get("review/next/").status_code == 200
