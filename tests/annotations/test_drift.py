"""Drift: a supplier's batch with new words is told of within one batch, a stationary replay is not, and people hear."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.urls import reverse

from annotations import bridge
from annotations.actions import drift, learning
from annotations.actions.claims import TryAgain
from annotations.actions.errors import Refused
from annotations.models import Catalogue, Decision, DriftAlert, Job, Product, QueueItem, Suggestion
from annotations.queries import drift as questions
from annotations.tasks.run import run_now
from tagstudio import fetch

from .conftest import World, build_world
from .test_registry import at

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = {"black": "night coal", "red": "fire cherry", "white": "snow chalk"}
OLD, NEW = ("shirt", "coat", "scarf", "boot"), ("turntable", "stylus", "gramophone", "vinyl")


@pytest.fixture
def world(settings: Any, tmp_path: Any) -> World:
    settings.MODELS_ROOT, settings.PACKAGED_ENCODER = tmp_path / "models", False
    return build_world(products=0)


def batch(
    world: World, count: int, seed: int, things: tuple[str, ...] = OLD, supplier: str = "Acme",
    colours: tuple[str, ...] = tuple(WORDS),
) -> list[Product]:  # fmt: skip
    drawn, made = random.Random(seed), []
    for _ in range(count):
        colour = drawn.choice(colours)
        title = f"{drawn.choice(WORDS[colour].split())} {drawn.choice(things)} {drawn.randrange(900)}"
        number = Product.objects.count()
        product = Product.objects.create(
            catalogue=world.catalogue, external_id=f"n{number}", title=title, supplier=supplier
        )
        QueueItem.objects.create(product=product, catalogue=world.catalogue)
        made.append(product)
        world.products.append(product)
    return made


def look(world: World) -> Job:
    job = run_now(drift.request_look(catalogue=world.catalogue))
    assert job.state == "done", job.error
    return job


def test_a_batch_with_new_words_is_told_of_within_one_batch_and_a_replay_is_not(world: World) -> None:
    for product in batch(world, 60, 0)[::2]:
        world.decide(product, black="accept", complete="colour")
    run_now(learning.request_refit(catalogue=world.catalogue))
    assert look(world).result["compared"] == 0, "the first look remembers where it was"
    for seed in range(1, 4):
        batch(world, 30, seed)
        said = look(world).result
        assert said["compared"] >= 3 and said["alerts"] == 0
    batch(world, 30, 9, things=NEW)
    assert look(world).result["alerts"] >= 1
    alert = DriftAlert.objects.get(kind="words")
    assert alert.supplier == "Acme" and set(alert.words) == set(NEW) and alert.p < 0.001
    page = at(world, "lead").get(reverse("team", args=["shop"])).content.decode()
    assert "gramophone" in page and "Acme" in page
    assert at(world, "lead").post(reverse("alert_seen", args=["shop", alert.pk])).status_code == 302
    assert alert not in questions.open_alerts(world.catalogue)


def test_other_tags_in_known_words_are_told_of(world: World) -> None:
    for product in batch(world, 120, 0)[::2]:
        colour = next(tag for tag, words in WORDS.items() if product.title.split()[0] in words.split())
        world.decide(product, complete="colour", **{colour: "accept"})
    look(world)
    batch(world, 40, 1)
    said = look(world).result
    assert (said["compared"], said["alerts"]) == (4, 0), "words, embeddings and two facets"
    batch(world, 40, 2, colours=("red",))
    look(world)
    told = {(alert.kind, alert.facet and alert.facet.slug) for alert in DriftAlert.objects.all()}
    assert ("prior", "colour") in told and ("prior", "material") not in told
    assert set(DriftAlert.objects.get(kind="words").words) <= {"fire", "cherry"}


def test_a_small_batch_waits_until_there_is_enough(world: World) -> None:
    batch(world, 60, 0)
    marks = look(world).result["marks"]
    batch(world, 10, 1, things=NEW)
    assert not questions.due(world.catalogue)
    assert look(world).result == {"compared": 0, "alerts": 0, "marks": marks}
    batch(world, 10, 2, things=NEW)
    assert questions.due(world.catalogue) and drift.look_when_due() == 1
    assert run_now(Job.objects.live().get(kind="drift")).result["alerts"] == 1, "both small batches are in it"


def decided(world: World, products: list[Product], share: float) -> None:
    drawn = random.Random(1)
    tag = world.tags["black"]
    for product in products:
        Suggestion.objects.create(product=product, tag=tag, score=0.9, band="strong")
        world.decide(product, black="accept" if drawn.random() < share else "reject")


@pytest.mark.long
@pytest.mark.parametrize(("share", "told"), [(0.9, 0), (0.45, 1)])
def test_fewer_suggestions_taken_is_told_of_and_as_many_is_not(world: World, share: float, told: int) -> None:
    products = batch(world, 240, 0, supplier="")
    decided(world, products[:130], 0.9)
    look(world)
    decided(world, products[130:], share)
    assert Decision.objects.filter(score_shown__isnull=False).count() == 240
    assert look(world).result["alerts"] == told
    if told:
        alert = DriftAlert.objects.get()
        assert (alert.kind, alert.facet) == ("acceptance", world.facets["colour"])
        assert alert.before is not None and alert.before > 0.8 > 0.6 > alert.now
        assert "Colour: fewer suggestions taken: 9" in drift.in_words(alert)


def finding(**more: Any) -> bridge.drift.Finding:
    return bridge.drift.Finding(
        **{
            "kind": "words",
            "facet": None,
            "supplier": "Acme",
            "before": None,
            "now": 0.4,
            "p": 0.0001,
            "families": 30,
            "words": ["vinyl"],
            **more,
        }
    )


def test_an_open_alert_is_not_doubled(world: World) -> None:
    assert len(drift.tell(catalogue=world.catalogue, findings=[finding()])) == 1
    assert drift.tell(catalogue=world.catalogue, findings=[finding(now=0.5)]) == []
    assert DriftAlert.objects.get().now == 0.5
    drift.seen(catalogue=world.catalogue, alert=DriftAlert.objects.get().pk, user=world.people["lead"])
    assert len(drift.tell(catalogue=world.catalogue, findings=[finding()])) == 1


def test_people_hear_by_mail_and_programs_by_a_signed_webhook(
    world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMAIL_HOST, settings.FETCH_HOSTS = "mail.example", ["hooks.example"]
    admin = at(world, "admin")
    address = reverse("alerts", args=["shop"])
    assert admin.post(address, {"emails": "nonsense"}).status_code == 422
    assert admin.post(address, {"webhook": "https://elsewhere.example/x"}).status_code == 422
    assert (
        admin.post(
            address, {"emails": "a@example.org\nb@example.org", "webhook": "https://hooks.example/x"}
        ).status_code
        == 302
    )
    secret = Catalogue.objects.get().alerts["secret"]
    assert secret in admin.get(address).content.decode()
    sent: list[tuple[str, bytes, dict[str, str]]] = []

    def answered(status: int) -> Any:
        def post(url: str, *, body: bytes, headers: dict[str, str], **_: Any) -> fetch.Fetched:
            sent.append((url, body, headers))
            return fetch.Fetched(status, {}, b"")

        return post

    monkeypatch.setattr(fetch, "fetch", answered(204))
    drift.tell(catalogue=Catalogue.objects.get(), findings=[finding()])
    job = run_now(Job.objects.live().get(kind="notify"))
    assert job.result == {"emails": 2, "webhook": 204}
    assert mail.outbox[0].to == ["a@example.org", "b@example.org"] and "vinyl" in mail.outbox[0].body
    url, body, headers = sent[0]
    said = json.loads(body)
    assert (url, said["event"], said["alerts"][0]["words"]) == ("https://hooks.example/x", "drift", ["vinyl"])
    stamp, signature = headers[drift.SIGNATURE].removeprefix("t=").split(",sha256=")
    assert hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest() == signature
    monkeypatch.setattr(fetch, "fetch", answered(500))
    with pytest.raises(TryAgain, match="500"):
        drift.notify(catalogue=Catalogue.objects.get(), alerts=list(DriftAlert.objects.all()))
    settings.EMAIL_HOST = ""
    with pytest.raises(Refused, match="EMAIL_HOST"):
        drift.set_alerts(catalogue=world.catalogue, user=world.people["admin"], emails=["a@example.org"], webhook="")


def test_an_import_asks_for_a_look(world: World, tmp_path: Any) -> None:
    file = tmp_path / "new.jsonl"
    file.write_text("".join(json.dumps({"id": f"x{n}", "title": f"coat {n}"}) + "\n" for n in range(3)))
    call_command("import_products", "shop", str(file), "--json")
    assert Job.objects.live().filter(kind="drift").count() == 1
