"""What a model may learn from: products with what is known of them, as plain rows that name slugs, not ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, QuerySet

from annotations.models import Catalogue, FacetCompletion, Product, ProductTag, QueueItem, Reason, Tag

CHUNK = 2000
TEACHES = {"", Reason.WRONG_VALUE}  # reasons that say the tag itself is wrong


@dataclass(slots=True)
class ProductFacts:
    """A product as a model reads it. Labels, rejected and complete hold slugs; ``time`` is the last decision's seq."""

    pk: int
    external_id: str
    title: str
    description: str
    category: str
    language: str
    family: str
    picture: str
    source: dict[str, list[str]]
    labels: dict[str, set[str]] = field(default_factory=dict)
    rejected: dict[str, set[str]] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    time: int = 0

    @property
    def decided(self) -> bool:
        return bool(self.labels or self.rejected or self.complete)


def live_products(catalogue: Catalogue) -> QuerySet[Product]:
    return Product.objects.filter(catalogue=catalogue, archived_at=None).order_by("pk")


def facts(catalogue: Catalogue, products: QuerySet[Product] | None = None) -> Iterator[ProductFacts]:
    """Every live product with what is known of it, by primary key. Three queries for each 2,000 products."""
    rows = live_products(catalogue) if products is None else products
    chunk: list[Product] = []
    for product in rows.iterator(chunk_size=CHUNK):
        chunk.append(product)
        if len(chunk) == CHUNK:
            yield from _with_decisions(chunk)
            chunk = []
    yield from _with_decisions(chunk)


def revisions(catalogue: Catalogue) -> dict[int, int]:
    """Primary key of every live product to its revision: what changed since is what differs. One query, no texts."""
    return dict(live_products(catalogue).values_list("pk", "revision"))


def bare_facts(catalogue: Catalogue, products: Sequence[int] | None = None) -> Iterator[ProductFacts]:
    """Live products as a model reads them, without what is known of them; all of them, or those asked for."""
    live = live_products(catalogue)
    if products is None:
        yield from (of_product(p) for p in live.iterator(chunk_size=CHUNK))
        return
    for begin in range(0, len(products), CHUNK):
        yield from (of_product(p) for p in live.filter(pk__in=products[begin : begin + CHUNK]))


def facts_of(catalogue: Catalogue, products: Sequence[int]) -> Iterator[ProductFacts]:
    """These products, where they are live, with what is known of them."""
    for begin in range(0, len(products), CHUNK):
        yield from facts(catalogue, live_products(catalogue).filter(pk__in=products[begin : begin + CHUNK]))


def decided_since(catalogue: Catalogue, seq: int) -> set[int]:
    """Products that anything was decided about after ``seq``."""
    later = catalogue.decisions.filter(seq__gt=seq)  # type: ignore[attr-defined]
    return set(later.values_list("product", flat=True))


def chosen_spans(catalogue: Catalogue) -> dict[int, list[tuple[str, str, dict[str, Any]]]]:
    """Product to the words that people pointed at: (facet slug, tag slug, {field, start, end}) of approved tags."""
    rows = ProductTag.objects.filter(
        product__catalogue=catalogue, state=ProductTag.State.APPROVED, decision__chosen__isnull=False
    ).values_list("product", "tag__facet__slug", "tag__slug", "decision__chosen__spans")
    found: dict[int, list[tuple[str, str, dict[str, Any]]]] = {}
    for product, facet, tag, spans in rows:
        found.setdefault(product, []).extend((facet, tag, span) for span in spans)
    return found


def waiting(catalogue: Catalogue) -> list[int]:
    """Live products that still want a decision."""
    items = QueueItem.objects.filter(catalogue=catalogue, status__in=QueueItem.WAITING, product__archived_at=None)
    return list(items.order_by("product").values_list("product", flat=True))


def decided_facts(catalogue: Catalogue, newest: int | None = None) -> list[ProductFacts]:
    """Those that somebody decided on; with ``newest``, about that many, the latest completed first."""
    decided: Any = catalogue.decisions.values("product")  # type: ignore[attr-defined]
    if newest is not None:
        latest = QueueItem.objects.filter(catalogue=catalogue, version__gt=0).order_by(
            F("done_at").desc(nulls_last=True)
        )
        decided = list(latest.values_list("product", flat=True)[:newest])
    return [f for f in facts(catalogue, live_products(catalogue).filter(pk__in=decided)) if f.decided]


def _with_decisions(products: Sequence[Product]) -> Iterable[ProductFacts]:
    if not products:
        return []
    found = {p.pk: of_product(p) for p in products}
    standing = ProductTag.objects.filter(product__in=found).values_list(
        "product_id", "tag__facet__slug", "tag__slug", "state", "decision__reason", "decision__seq"
    )
    doubted: set[tuple[int, str]] = set()
    for pk, facet, tag, state, reason, seq in standing:
        row = found[pk]
        row.time = max(row.time, seq)
        if state == ProductTag.State.APPROVED:
            row.labels.setdefault(facet, set()).add(tag)
        elif reason in TEACHES:
            row.rejected.setdefault(facet, set()).add(tag)
        else:
            doubted.add((pk, facet))
    completions = FacetCompletion.objects.filter(product__in=found).values_list(
        "product_id", "facet", "facet__slug", "decision__seq", "decision__taxonomy_revision"
    )
    born = _tags_since(products[0].catalogue_id)
    for pk, facet_id, facet, seq, revision in completions:
        row = found[pk]
        row.time = max(row.time, seq)
        # a tag rejected because the source or the taxonomy is at fault says nothing about the text,
        # so the facet cannot count as known from end to end
        if (pk, facet) in doubted:
            continue
        later = [tag for tag, since in born.get(facet_id, ()) if since > revision]
        if not later:
            row.complete.add(facet)
        else:  # tags that were made afterwards are unknown: nobody was asked about them
            asked = {tag for tag, since in born[facet_id] if since <= revision}
            row.rejected.setdefault(facet, set()).update(asked - row.labels.get(facet, set()))
    return found.values()


def _tags_since(catalogue: int) -> dict[int, list[tuple[str, int]]]:
    """Facets that got a tag after they were made: their live tags, each with the taxonomy revision that made it."""
    rows = Tag.objects.live().filter(facet__catalogue=catalogue).values_list("facet", "slug", "since")
    found: dict[int, list[tuple[str, int]]] = {}
    for facet, slug, since in rows:
        found.setdefault(facet, []).append((slug, since))
    return {facet: tags for facet, tags in found.items() if len({since for _slug, since in tags}) > 1}


def of_product(product: Product) -> ProductFacts:
    """The product alone, without decisions; works for one that is not stored."""
    return ProductFacts(
        pk=product.pk or 0,
        external_id=product.external_id,
        title=product.title,
        description=product.description,
        category=product.category,
        language=product.language,
        family=product.family,
        picture=product.pictures[0] if product.pictures else "",
        source={facet: [str(v) for v in values] for facet, values in product.attributes.items()},
    )


def taxonomy_rows(catalogue: Catalogue) -> list[dict[str, Any]]:
    """Live facets in order with their live tags in order, as JSON-able rows."""
    facets = {
        f.pk: {
            "slug": f.slug,
            "labels": f.labels,
            "single": f.one_value,
            "categories": f.categories,
            "variant_axis": f.variant_axis,
            "implied_parents": f.implied_parents,
            "tags": [],
        }
        for f in catalogue.facets.live()  # type: ignore[attr-defined]
    }
    live = list(Tag.objects.live().filter(facet__in=facets).order_by("position", "id"))
    pairs = _never_together({tag.pk: (facets[tag.facet_id]["slug"], tag.slug) for tag in live})
    slugs = {tag.pk: tag.slug for tag in live}
    for tag in live:
        facets[tag.facet_id]["tags"].append(
            {
                "slug": tag.slug,
                "labels": tag.labels,
                "synonyms": [w for words in tag.synonyms.values() for w in words],
                "threshold": tag.threshold,
                "parent": slugs.get(tag.parent_id, ""),
                "categories": tag.categories,
                "exclusive": tag.exclusive,
                "not_with": pairs.get(tag.pk, []),
            }
        )
    return list(facets.values())


def _never_together(names: dict[int, tuple[str, str]]) -> dict[int, list[tuple[str, str]]]:
    """Tag to the (facet, tag) that never stand beside it, in a fixed order."""
    through = Tag.not_with.through.objects.filter(from_tag__in=Tag.objects.live().filter(pk__in=names))  # type: ignore[attr-defined]
    found: dict[int, list[tuple[str, str]]] = {}
    for tag, other in through.values_list("from_tag", "to_tag"):
        if tag in names and other in names:
            found.setdefault(tag, []).append(names[other])
    return {tag: sorted(others) for tag, others in found.items()}
