"""Storing suggestions: what changed is written, what an import offered stays, a product on screen stays as it is."""

from __future__ import annotations

from annotations.actions.suggestions import ProductSuggestions, SuggestedTag, store
from annotations.models import ModelVersion, QueueItem, Suggestion

from .conftest import World


def model(world: World, number: int = 1) -> ModelVersion:
    return ModelVersion.objects.create(catalogue=world.catalogue, tier="instant", number=number, path=f"m{number}")


def offer(world: World, priority: float | None = 0.5, blind: bool = False, **scores: float) -> ProductSuggestions:
    tags = [SuggestedTag(world.tags[tag].pk, score, "strong", "model") for tag, score in scores.items()]
    return ProductSuggestions(world.products[0].pk, tags, priority, {"reason": "uncertain"}, blind)


def standing(world: World) -> dict[str, float]:
    return dict(world.products[0].suggestions.values_list("tag__slug", "score"))


def test_what_a_model_no_longer_suggests_goes_and_what_it_repeats_is_not_written_again(world: World) -> None:
    first = model(world)
    assert store(suggestions=[offer(world, black=0.9, wool=0.8)], model=first) == 2
    store(suggestions=[offer(world, black=0.901, cotton=0.7)], model=model(world, 2))
    assert standing(world) == {"black": 0.9, "cotton": 0.7}
    assert Suggestion.objects.get(tag=world.tags["black"]).model_version == first


def test_what_an_import_offered_stays_beside_the_models_own(world: World) -> None:
    Suggestion.objects.create(
        product=world.products[0], tag=world.tags["leather"], score=0.8, band="likely", source="source"
    )
    store(suggestions=[offer(world, black=0.9)], model=model(world))
    assert standing(world) == {"leather": 0.8, "black": 0.9}


def test_priority_reason_and_status_follow(world: World) -> None:
    QueueItem.objects.filter(product=world.products[0]).update(status="new")
    store(suggestions=[offer(world, priority=0.7, black=0.9)], model=model(world))
    item = QueueItem.objects.get(product=world.products[0])
    assert (item.status, item.priority, item.why) == ("queued", 0.7, {"reason": "uncertain"})


def test_a_product_that_somebody_decided_on_does_not_turn_blind(world: World) -> None:
    world.decide(world.products[0], black="accept")
    store(suggestions=[offer(world, blind=True, black=0.9)], model=model(world))
    assert not QueueItem.objects.get(product=world.products[0]).blind
