"""Products whose text and picture say something else: found by the scoring job, a queue, one sentence on the card."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotations.actions import learning
from annotations.actions.queue import lease_next
from annotations.bridge.rows import picture_file
from annotations.models import Catalogue, Clash, ModelVersion, Picture, Product, QueueItem, Tag
from annotations.queries.clashes import uncompared
from annotations.tasks.run import run_now
from annotations.templatetags.review import told_apart
from tests.annotations.api.conftest import program
from tests.annotations.conftest import World

pytest.importorskip("torch")
from tests.ml.test_sides import draw, train

pytestmark = [pytest.mark.torch, pytest.mark.django_db(transaction=True), pytest.mark.anywhere, pytest.mark.long]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("clashes") / "job")


@pytest.fixture
def shop(world: World, bundle: Path, settings: Any, tmp_path: Path) -> World:
    """Every coat says black; they show red, black, nothing and white. The model that reads both is promoted."""
    settings.MEDIA_ROOT, settings.MODELS_ROOT, settings.PACKAGED_ENCODER = (
        tmp_path / "media",
        tmp_path / "models",
        False,
    )
    shutil.copytree(bundle, tmp_path / "models" / "shop" / "full-1")
    model = ModelVersion.objects.create(
        catalogue=world.catalogue, number=1, tier="full", state="promoted", path="shop/full-1"
    )
    Catalogue.objects.filter(pk=world.catalogue.pk).update(encoder=model, blind_share=0)
    world.catalogue.refresh_from_db()
    # in the words that it was trained on: a text that it cannot read counts as missing
    Product.objects.update(title="black wool coat", description="", category="")
    for n, (product, colour) in enumerate(zip(world.products, ("red", "black", "", "white"), strict=True)):
        if colour:
            show(product, colour, n)
    return world


def show(product: Product, colour: str, n: int) -> None:
    sha = f"{n:064x}"
    draw(Path(picture_file(sha)).with_suffix(".png"), colour, 50 + n).rename(picture_file(sha))
    Picture.objects.get_or_create(sha256=sha, defaults={"file": f"{sha}.jpg", "width": 24, "height": 20})
    Product.objects.filter(pk=product.pk).update(pictures=[sha], revision=product.revision + 1)
    product.refresh_from_db()  # its revision


def scored(world: World) -> dict[str, Any]:
    run_now(learning.request_refit(catalogue=world.catalogue))
    job = run_now(learning.request_score(catalogue=world.catalogue))
    assert job.state == "done", job.error
    return dict(job.result)


def queue(world: World, **more: Any) -> list[str]:
    found = lease_next(catalogue=world.catalogue, user=world.people["reviewer"], queue="text-picture", count=9, **more)
    return [item.product.external_id for item in found]


def test_scoring_compares_and_the_queue_serves_those_that_clash(shop: World) -> None:
    scored(shop)
    clashes = {c.product.external_id: c for c in Clash.objects.all()}
    assert set(clashes) == {"P-0", "P-1", "P-3"}, "what has no picture is not compared"
    said = clashes["P-0"].facets["colour"]
    assert Tag.objects.get(pk=said["text"][0]).slug == "black" and Tag.objects.get(pk=said["picture"][0]).slug == "red"
    assert clashes["P-0"].gap >= said["gap"] > 0.5 and "colour" not in clashes["P-1"].facets
    ranked = sorted((c for c in clashes.values() if c.gap >= 0.5), key=lambda c: (-c.gap, c.product_id))
    assert queue(shop) == [c.product.external_id for c in ranked]
    assert set(queue(shop, facet="colour")) == {"P-0", "P-3"}
    assert uncompared(shop.catalogue, 9) == []


def test_what_changed_is_compared_again_and_nothing_else(shop: World) -> None:
    scored(shop)
    show(shop.products[0], "black", 9)
    assert uncompared(shop.catalogue, 9) == [shop.products[0].pk]
    scored(shop)
    assert "colour" not in Clash.objects.get(product=shop.products[0]).facets
    assert "P-0" not in queue(shop, facet="colour")


def test_another_model_makes_them_void(shop: World) -> None:
    scored(shop)
    assert queue(shop)
    Catalogue.objects.update(encoder=None)
    shop.catalogue.refresh_from_db()
    assert not queue(shop)
    assert scored(shop)["clashes"] == 0, "nothing compares them"


def test_blind_products_keep_out_and_say_nothing(shop: World) -> None:
    scored(shop)
    QueueItem.objects.filter(product=shop.products[0]).update(blind=True)
    assert "P-0" not in queue(shop)
    from annotations.queries.cards import card_of

    assert card_of(shop.products[0]).clashes == () and told_apart(card_of(shop.products[0])) == ""


def test_the_card_says_what_text_and_picture_say(shop: World) -> None:
    scored(shop)
    client = Client()
    client.force_login(shop.people["reviewer"])
    page = client.get(reverse("review", args=["shop"]), {"product": shop.products[0].pk, "queue": "text-picture"})
    text = page.content.decode()
    said = Clash.objects.get(product=shop.products[0]).facets["colour"]
    assert f"Colour: text: Black {said['text'][1]:.2f}, picture: Red {said['picture'][1]:.2f}." in text
    assert "Text and picture disagree" in text
    body = program(shop.people["reviewer"], "review").get("review/next/?queue=text-picture&facet=colour").json()
    colour = next(one for one in body["clashes"] if one["facet"] == "colour")
    assert colour["text"]["tag"] == "black" and colour["picture"]["tag"] in ("red", "white")
    shop.decide(shop.products[0], black="accept", complete="colour")
    page = client.get(reverse("review", args=["shop"]), {"product": shop.products[0].pk})
    assert "text: Black" not in page.content.decode(), "the facet is decided"
