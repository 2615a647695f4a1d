"""What follows from decisions besides suggestions: a proof of what the order brings, and the guard that it feeds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from annotations.actions import learning
from annotations.actions.decide import Card, Choice, save_card
from annotations.models import Job, Product, QueueItem, Tag
from annotations.queries import asking
from annotations.queries import learning as questions
from annotations.tasks.run import run_now

from .conftest import World, build_world

WORDS = {"black": "night coal", "red": "fire cherry", "white": "snow chalk"}


@pytest.fixture
def taught(db: None, settings: Any, tmp_path: Any) -> Iterator[World]:
    """Sixty products whose titles tell the colour, all decided on, every third blind."""
    settings.MODELS_ROOT = tmp_path / "models"
    world = build_world(products=0)
    drawn = random.Random(0)
    for number in range(60):
        colour = drawn.choice(list(WORDS))
        words = f"{drawn.choice(WORDS[colour].split())} {drawn.choice(['shirt', 'coat', 'scarf', 'boot'])} {number}"
        product = Product.objects.create(catalogue=world.catalogue, external_id=f"n{number}", title=words)
        QueueItem.objects.get_or_create(
            product=product, defaults={"catalogue": world.catalogue, "blind": number % 3 == 0}
        )
        card = Card(product, (Choice(world.tags[colour], "accept"),), (world.facets["colour"],))
        save_card(card=card, version=world.version(product), by=world.by())
        world.products.append(product)
    Job.objects.all().delete()
    yield world


def test_a_refit_without_tags_ends_kindly_and_who_asks_for_one_is_told(world: World, settings: Any) -> None:
    Tag.objects.filter(facet__catalogue=world.catalogue).update(retired_at="2026-01-01T00:00Z")
    job = run_now(learning.request_refit(catalogue=world.catalogue))
    assert (job.state, job.error) == ("done", "") and "no tags yet" in job.log
    with pytest.raises(CommandError, match="no tags yet"):
        call_command("train", world.catalogue.slug, tier="instant", wait=True)


def test_what_the_order_brought_is_measured_when_enough_is_new(taught: World) -> None:
    assert asking.decided_counts(taught.catalogue) == (60, 20)
    job = learning.proof_when_due(catalogue=taught.catalogue)
    assert job is not None and learning.proof_when_due(catalogue=taught.catalogue).pk == job.pk  # type: ignore[union-attr]
    job = run_now(job)
    assert job.state == "done", job.error
    found = job.result
    assert (found["slice"], found["decisions"]) == (20, 60)
    assert found["actual"][-1]["decisions"] == 60 and found["actual"][-1]["f1"]["value"] > 0.7
    assert set(found["guard"]) >= {"random", "gain"} and not found["guard"]["random"]
    assert found["guard"]["looks"] == 1 and found["ahead"] == 20
    again = run_now(learning.request_proof(catalogue=taught.catalogue))
    assert again.result["guard"]["looks"] == 2  # each look spends less of the level
    assert learning.proof_when_due(catalogue=taught.catalogue) is None


def test_without_a_blind_slice_there_is_nothing_to_measure(world: World, settings: Any, tmp_path: Any) -> None:
    settings.MODELS_ROOT = tmp_path
    world.decide(world.products[0], black="accept", complete="colour")
    assert learning.proof_when_due(catalogue=world.catalogue) is None
    job = run_now(learning.request_proof(catalogue=world.catalogue))
    assert job.state == "done" and job.result == {"slice": 0, "decisions": 1}


def test_the_queue_goes_random_while_the_guard_says_so(taught: World) -> None:
    for number in range(20):
        product = Product.objects.create(
            catalogue=taught.catalogue, external_id=f"w{number}", title=f"coal hat {number}"
        )
        QueueItem.objects.get_or_create(product=product, defaults={"catalogue": taught.catalogue})

    def reasons() -> set[str]:
        job = run_now(learning.request_refit(catalogue=taught.catalogue))
        assert job.state == "done", job.error
        waiting = QueueItem.objects.filter(catalogue=taught.catalogue).waiting()
        return {why.get("reason") for why in waiting.values_list("why", flat=True)}

    assert reasons() <= {"uncertain", "coverage", "blind"}
    verdict = {"guard": {"random": True, "gain": -5.0, "worse": 0.9}}
    Job.objects.create(
        kind="proof", queue="ml", catalogue=taught.catalogue, state="done", result=verdict, params={"seen": 60}
    )
    assert asking.falls_back(taught.catalogue) and reasons() <= {"random", "blind"}


def test_a_calibration_that_takes_long_comes_after_the_new_order(
    taught: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotations.bridge.instant.CALIBRATED_LATER", 1)

    def refitted() -> dict[str, Any]:
        job = run_now(learning.request_refit(catalogue=taught.catalogue))
        assert job.state == "done", job.error
        serving = taught.catalogue.__class__.objects.get(pk=taught.catalogue.pk).serving
        return dict(serving.card["report"])

    def waiting() -> bool:
        return Job.objects.filter(kind="calibrate").live().exists()

    assert refitted()["calibrated_on"] == 60 and not waiting()  # the first has nothing to go on with
    for number in range(6):
        product = Product.objects.create(
            catalogue=taught.catalogue, external_id=f"m{number}", title=f"coal hat {number}"
        )
        QueueItem.objects.get_or_create(product=product, defaults={"catalogue": taught.catalogue})
        card = Card(product, (Choice(taught.tags["black"], "accept"),), (taught.facets["colour"],))
        save_card(card=card, version=taught.version(product), by=taught.by())
    report = refitted()
    assert (report["products"], report["calibrated_on"]) == (66, 60) and waiting()
    job = run_now(Job.objects.filter(kind="calibrate").live().get())
    assert job.state == "done", job.error
    report = refitted()
    assert (report["products"], report["calibrated_on"]) == (66, 66) and not waiting()


def test_the_page_says_what_was_saved_and_what_remains(taught: World, client: Client) -> None:
    client.force_login(taught.people["lead"])
    page = f"/c/{taught.catalogue.slug}/learning/"
    assert "takes at least 12 of them" in client.get(page).content.decode()
    client.post(f"{page}measure/")
    run_now(Job.objects.get(kind="proof"))
    shown = client.get(page).content.decode()
    assert "<svg" in shown and "Products saved" in shown and "Measured" in shown
    assert "60 products decided" in shown and "95 % interval" in shown
    found = questions.learning(taught.catalogue)
    assert found is not None and found.minutes is None  # nothing was timed
    assert found.actual[-1].decisions == 60 and found.chart is not None
    assert found.next is not None and found.ahead == 20 and "Deciding on 20 more products would bring about" in shown
    job = Job.objects.get(kind="proof")
    assert not job.result["enough"]  # twenty random products are too few to say so
    Job.objects.filter(pk=job.pk).update(result={**job.result, "enough": True})
    assert "What is left is worth little" in client.get(page).content.decode()
    before = {name: value for name, value in job.result.items() if name not in ("next", "ahead", "enough")}
    Job.objects.filter(pk=job.pk).update(result=before)  # as an earlier version left it
    assert 'id="next"' not in client.get(page).content.decode()
    client.force_login(taught.people["viewer"])
    seen = client.get(page).content.decode()
    assert "Products saved" in seen and "second look" not in seen


def test_time_on_a_product_leaves_out_who_was_away(taught: World) -> None:
    now = timezone.now()
    assert questions.seconds_a_product(taught.catalogue) is None
    for number, product in enumerate(taught.products[:9]):
        by = taught.by(shown_at=now - timedelta(seconds=7200 if number == 0 else 10 + number))
        card = Card(product, (Choice(taught.tags["wool"], "accept"),), ())
        save_card(card=card, version=taught.version(product), by=by)
    assert questions.seconds_a_product(taught.catalogue) == pytest.approx(14.5, abs=2)


def test_a_wrong_decision_is_listed_and_goes_to_the_flagged_queue(taught: World, client: Client) -> None:
    product = taught.products[0]
    right = product.standing_tags.get(state="approved").tag.slug
    wrong = next(slug for slug in WORDS if slug != right)
    taught.decide(product, **{right: "remove", wrong: "add"}, complete="colour")
    client.force_login(taught.people["lead"])
    page = f"/c/{taught.catalogue.slug}/learning/"
    client.post(f"{page}second-look/")
    job = run_now(Job.objects.get(kind="second_look"))
    assert job.state == "done", job.error
    found = questions.second_look(taught.catalogue)
    assert found is not None
    assert (found.rows[0].product, found.rows[0].tag.slug) == (product, wrong)
    assert found.rows[0].reviewer == "reviewer" and found.rows[0].probability < 0.3
    shown = client.get(page).content.decode()
    assert product.title in shown and "Look again" in shown
    client.post(f"{page}second-look/{product.pk}/", {"tag": wrong.title()})
    item = taught.item(product)
    assert wrong.title() in item.flagged and item.status != "done"
    assert questions.second_look(taught.catalogue).rows[0].flagged  # type: ignore[union-attr]
    taught.decide(product, **{wrong: "remove", right: "add"}, complete="colour")
    again = questions.second_look(taught.catalogue)
    assert again is not None and (product, wrong) not in [(r.product, r.tag.slug) for r in again.rows]


def test_the_utilities_are_said_to_a_lead_and_to_nobody_else(taught: World, client: Client) -> None:
    for number in range(3):
        product = Product.objects.create(
            catalogue=taught.catalogue, external_id=f"u{number}", title=f"coal hat {number}"
        )
        QueueItem.objects.get_or_create(product=product, defaults={"catalogue": taught.catalogue})
    run_now(learning.request_refit(catalogue=taught.catalogue))
    said = {}
    for role in ("reviewer", "lead"):
        client.force_login(taught.people[role])
        said[role] = client.get(f"/c/{taught.catalogue.slug}/review/").content.decode()
        QueueItem.objects.update(lease_owner=None, lease_until=None)
    assert "Asked because" in said["reviewer"] and "new ground" not in said["reviewer"]
    assert "new ground counts" in said["lead"]
