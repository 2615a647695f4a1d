"""A tag made today: suggested at once from its words, then from its first examples, and nobody is said to have refused
it before it was there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from annotations.actions import learning
from annotations.actions.taxonomy import add_tag, edit_tag
from annotations.models import Job, Product, QueueItem, Suggestion
from annotations.queries.examples import decided_facts
from annotations.tasks.run import run_now
from tests.annotations.conftest import World


def learn(world: World) -> None:
    learning.request_refit(catalogue=world.catalogue)
    while job := Job.objects.live().first():
        assert run_now(job).state == "done", job.error


def suggested(product: Product) -> dict[str, Suggestion]:
    return {s.tag.slug: s for s in product.suggestions.select_related("tag")}


@pytest.fixture
def stocked(world: World, settings: Any, tmp_path: Path) -> World:
    """Coats as in every test, and twelve lamps; four of each are looked at from end to end."""
    settings.MODELS_ROOT = tmp_path
    for n in range(12):
        title = f"Desk lamp {n}, swivel arm, warm light" if n % 2 else f"Linen curtain {n}, light grey, eyelets"
        product = Product.objects.create(
            catalogue=world.catalogue, external_id=f"L-{n}", title=title, language="en", family=f"L{n}"
        )
        QueueItem.objects.create(product=product, catalogue=world.catalogue, status=QueueItem.Status.QUEUED)
        world.products.append(product)
    for product in (*world.products[:2], *world.products[4:8]):
        world.decide(product, complete="colour material", **({"black": "accept"} if product.family < "G" else {}))
    learn(world)
    return world


def test_a_new_tag_is_suggested_from_its_words_and_was_not_refused_before(stocked: World) -> None:
    linen = add_tag(facet=stocked.facets["material"], labels={"en": "Linen"}, user=None)
    facts = {row.external_id: row for row in decided_facts(stocked.catalogue)}
    assert facts["L-0"].complete == {"colour"}
    assert facts["L-0"].rejected["material"] == {"cotton", "wool", "leather"}
    learn(stocked)
    claim = suggested(stocked.products[4 + 8])[linen.slug]
    assert (claim.source, claim.spans) == ("dictionary", [{"field": "title", "start": 0, "end": 5}])
    assert claim.band in ("strong", "likely")
    assert linen.slug not in suggested(stocked.products[4 + 9])
    edit_tag(tag=linen, user=None, synonyms={"en": ["swivel"]})
    learn(stocked)
    assert suggested(stocked.products[4 + 9])[linen.slug].source == "dictionary"


def test_a_new_tag_is_suggested_from_its_first_examples(stocked: World) -> None:
    new = add_tag(facet=stocked.facets["material"], labels={"en": "Zq"}, user=None)
    stocked.tags[new.slug] = new
    learn(stocked)
    lamp, curtain = stocked.products[4 + 11], stocked.products[4 + 10]
    before = suggested(lamp).get(new.slug)
    for n in (1, 3):
        stocked.decide(stocked.products[4 + n], **{new.slug: "add"})
    learn(stocked)
    after = suggested(lamp)[new.slug]
    assert after.source == "model" and after.score > (before.score if before else 0.05)
    other = suggested(curtain).get(new.slug)
    assert other is None or other.score < after.score
