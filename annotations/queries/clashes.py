"""Where text and picture say something else: what has to be compared, what clashes, and what a card says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef

from annotations.models import QUEUE_ORDER, Catalogue, Clash, Facet, Product, QueueItem, Tag
from annotations.models.review import QueueItemQuerySet

LEAST = 0.5  # a gap from which text and picture clash: half of what one is sure of the other is not


@dataclass(frozen=True, slots=True)
class Told:
    """A facet on which text and picture clash: what each says, with its probability."""

    facet: Facet
    gap: float
    text: tuple[Tag, float]
    picture: tuple[Tag, float]


def uncompared(catalogue: Catalogue, most: int) -> list[int]:
    """Products that wait, have a picture, and have not been compared by the promoted model as they are now; by primary
    key, the head of the queue first."""
    compared = Clash.objects.filter(
        product=OuterRef("product"), model=catalogue.encoder_id, revision=OuterRef("product__revision")
    )
    waiting = QueueItem.objects.filter(catalogue=catalogue, product__archived_at=None).waiting()
    shown = waiting.exclude(product__pictures=[]).filter(~Exists(compared))
    return list(shown.order_by(*QUEUE_ORDER).values_list("product", flat=True)[:most])


def revisions_of(products: Sequence[int]) -> dict[int, int]:
    """Read before the products are, so that what changes meanwhile is compared again."""
    return dict(Product.objects.filter(pk__in=products).values_list("pk", "revision"))


def clashing(items: QueueItemQuerySet, catalogue: Catalogue, facet: str = "") -> QueueItemQuerySet:
    """Of these the ones that clash (on that facet). Blind ones are left out: whoever comes to one by this queue knows
    something of it."""
    found = items.filter(product__clash__model=catalogue.encoder_id, product__clash__gap__gte=LEAST, blind=False)
    return found.filter(product__clash__facets__has_key=facet) if facet else found


def clashes_of(catalogue: Catalogue, products: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Product to its clashing facets, as ``Clash.facets``. No query where no full model is promoted."""
    if catalogue.encoder_id is None:
        return {}
    rows = Clash.objects.filter(product__in=products, model=catalogue.encoder_id, gap__gte=LEAST)
    return dict(rows.values_list("product", "facets"))


def tags_named(clashes: Mapping[int, Mapping[str, Any]]) -> set[int]:
    """Primary keys of all tags that these speak of."""
    return {one[side][0] for facets in clashes.values() for one in facets.values() for side in ("text", "picture")}


def told(clash: Mapping[str, Any], facets: Sequence[Facet], tags: Mapping[int, Tag]) -> tuple[Told, ...]:
    """What there is to say about these facets, the widest apart first. What speaks of tags that are gone is passed over."""
    found = []
    for facet in facets:
        if facet.slug not in clash:
            continue
        said = clash[facet.slug]
        (text, p), (picture, q) = said["text"], said["picture"]
        if all(pk in tags and tags[pk].retired_at is None for pk in (text, picture)):
            found.append(Told(facet, said["gap"], (tags[text], p), (tags[picture], q)))
    return tuple(sorted(found, key=lambda one: -one.gap))
