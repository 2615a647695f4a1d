"""What the taxonomy does not allow, and which products stand against it.

A rule is broken by what is approved: several values where there is room for one, a tag beside one that stands alone,
two tags that are never together, a tag without the one above it that it implies, a tag outside its categories, and a
facet that was looked at and wants a value but has none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from annotations.models import Catalogue, Facet, FacetCompletion, Product, ProductTag, Tag

CODES = ("several", "alone", "not_with", "parent", "category", "required")
"""The rules, in the order in which they are told."""
CATEGORIES_AT_ONCE = 300
"""Categories with misplaced tags that one look names; the next ones show once these are mended."""


@dataclass(frozen=True, slots=True)
class Break:
    """One broken rule. ``code`` is one of CODES; ``tag`` and ``other`` are the tags at odds, where there are any."""

    code: str
    facet: Facet
    tag: Tag | None = None
    other: Tag | None = None

    @property
    def message(self) -> str:
        names = {
            "facet": self.facet.label, "tag": self.tag.label if self.tag else "",
            "other": self.other.label if self.other else "",
        }  # fmt: skip
        sentences = {
            "several": _("%(facet)s takes one value: “%(tag)s” or “%(other)s”"),
            "alone": _("“%(tag)s” stands alone in %(facet)s: not beside “%(other)s”"),
            "not_with": _("“%(tag)s” is not allowed together with “%(other)s”"),
            "parent": _("“%(tag)s” implies “%(other)s”"),
            "category": _("“%(tag)s” (%(facet)s) is not for this product's category"),
            "required": _("%(facet)s needs a value"),
        }
        return sentences[self.code] % names


class Rules:
    """The rules about some tags, read once: what a set of approved tags of one product breaks."""

    def __init__(self, tags: Iterable[Tag], pairs: Collection[tuple[int, int]], above: Mapping[int, Tag]) -> None:
        self.tags = {tag.id: tag for tag in tags}
        self.pairs = frozenset(pairs)
        self.above = dict(above)

    @classmethod
    def about(cls, tags: Collection[int], loaded: Iterable[Tag] = ()) -> Rules:
        """Two queries and one for each step upwards in a facet with implied parents; ``loaded`` are not read again."""
        known = [tag for tag in {tag.id: tag for tag in loaded}.values() if tag.id in tags]
        if missing_tags := set(tags) - {tag.id for tag in known}:
            known += Tag.objects.filter(id__in=missing_tags).select_related("facet")
        through = Tag.not_with.through.objects.filter(from_tag__in=tags, to_tag__in=tags)  # type: ignore[attr-defined]
        above: dict[int, Tag] = {}
        climbing = {tag.parent_id for tag in known if tag.parent_id and tag.facet.implied_parents}
        while missing := {pk for pk in climbing if pk not in above}:
            found = list(Tag.objects.live().filter(id__in=missing).select_related("facet"))
            above |= {tag.id: tag for tag in found}
            climbing = {tag.parent_id for tag in found if tag.parent_id}
        return cls(known, through.values_list("from_tag", "to_tag"), above)

    def implied(self, tag: Tag) -> list[Tag]:
        """The tags above it that come with it, nearest first."""
        if not tag.facet.implied_parents:
            return []
        found: list[Tag] = []
        above = tag.parent_id
        while above in self.above and self.above[above] not in found:
            found.append(self.above[above])
            above = self.above[above].parent_id
        return found

    def broken(self, approved: Collection[int], category: str | None = None) -> list[Break]:
        """Of one product. Without a category, what depends on it is not looked at."""
        tags = sorted(
            (self.tags[pk] for pk in approved if pk in self.tags), key=lambda t: (t.facet_id, t.position, t.id)
        )
        found: list[Break] = []
        by_facet: dict[int, list[Tag]] = {}
        for tag in tags:
            by_facet.setdefault(tag.facet_id, []).append(tag)
        for together in by_facet.values():
            facet = together[0].facet
            if len(together) > 1 and facet.one_value:
                found.append(Break("several", facet, together[0], together[1]))
            elif len(together) > 1:
                found += [
                    Break("alone", facet, tag, next(o for o in together if o is not tag))
                    for tag in together if tag.exclusive
                ]  # fmt: skip
        for place, tag in enumerate(tags):
            found += [Break("not_with", tag.facet, tag, o) for o in tags[place + 1 :] if (tag.id, o.id) in self.pairs]
            found += [Break("parent", tag.facet, tag, o) for o in self.implied(tag) if o.id not in approved]
            if category is not None and not (tag.allowed(category) and tag.facet.applies(category)):
                found.append(Break("category", tag.facet, tag))
        return found


def breaks_rules(catalogue: Catalogue, proposed: Mapping[int, Collection[int]]) -> dict[int, list[Break]]:
    """Product to what accepting the proposed tags would break, beside what stands; those that break nothing are left out.

    ``proposed`` is product id to tag ids. For helpers that accept in bulk: what is in the answer stays out. A tag that
    takes the place of another in a facet with one value breaks nothing, and neither does one whose parents come with
    it. The number of queries does not grow with the products.
    """
    stands: dict[int, set[int]] = {pk: set() for pk in proposed}
    rows = ProductTag.objects.filter(product__in=list(proposed))
    rejected: dict[int, set[int]] = {pk: set() for pk in proposed}
    for pk, stood, state in rows.values_list("product", "tag", "state"):
        (stands if state == ProductTag.State.APPROVED else rejected)[pk].add(stood)
    rules = Rules.about({*(t for ts in proposed.values() for t in ts), *(t for ts in stands.values() for t in ts)})
    categories = dict(Product.objects.filter(catalogue=catalogue, pk__in=list(proposed)).values_list("pk", "category"))
    found: dict[int, list[Break]] = {}
    for product, tags in proposed.items():
        new = {tag for tag in tags if tag in rules.tags}
        taken = {rules.tags[tag].facet_id for tag in new if rules.tags[tag].facet.one_value}
        kept = {t for t in stands[product] if t in rules.tags and (t in new or rules.tags[t].facet_id not in taken)}
        implied = {p.id for tag in new for p in rules.implied(rules.tags[tag])} - rejected[product]
        if broken := rules.broken(kept | new | implied, categories.get(product)):
            found[product] = broken
    return found


# -- every product that stands against a rule --------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Against:
    """A product with what it breaks."""

    product: Product
    breaks: tuple[Break, ...]


def against(catalogue: Catalogue, code: str = "") -> QuerySet[Product]:
    """Live products that break a rule (of one kind, where it is named), by primary key."""
    codes = [code] if code in CODES else CODES
    found = Product.objects.filter(catalogue=catalogue, archived_at=None)
    asked = Q()
    for name in codes:
        asked |= Q(pk__in=_FINDERS[name](catalogue))
    return found.filter(asked).order_by("pk")


def counts(catalogue: Catalogue) -> dict[str, int]:
    """How many products break each kind of rule."""
    live = Product.objects.filter(catalogue=catalogue, archived_at=None)
    return {code: live.filter(pk__in=find(catalogue)).count() for code, find in _FINDERS.items()}


def explained(catalogue: Catalogue, products: Sequence[Product]) -> list[Against]:
    """What each of these products breaks, in words. A fixed number of queries."""
    ids = [product.pk for product in products]
    approved: dict[int, set[int]] = {pk: set() for pk in ids}
    stands = ProductTag.objects.filter(product__in=ids, state=ProductTag.State.APPROVED)
    for pk, tag in stands.values_list("product", "tag"):
        approved[pk].add(tag)
    rules = Rules.about({tag for tags in approved.values() for tag in tags})
    required = list(Facet.objects.live().filter(catalogue=catalogue, required=True))
    complete = set(FacetCompletion.objects.filter(product__in=ids, facet__in=required).values_list("product", "facet"))
    found = []
    for product in products:
        facets = {rules.tags[tag].facet_id for tag in approved[product.pk] if tag in rules.tags}
        wanting = [
            Break("required", facet) for facet in required
            if (product.pk, facet.id) in complete and facet.id not in facets and facet.applies(product.category)
        ]  # fmt: skip
        found.append(Against(product, (*rules.broken(approved[product.pk], product.category), *wanting)))
    return found


def _approved(catalogue: Catalogue) -> QuerySet[ProductTag]:
    return ProductTag.objects.filter(
        tag__facet__catalogue=catalogue, tag__facet__retired_at=None, state=ProductTag.State.APPROVED
    )


def _several(catalogue: Catalogue) -> QuerySet[ProductTag, int]:
    rows = _approved(catalogue).filter(tag__facet__kind__in=Facet.ONE_VALUE)
    counted = rows.values("product", "tag__facet").annotate(n=Count("pk")).filter(n__gt=1)
    return counted.values_list("product", flat=True)


def _alone(catalogue: Catalogue) -> QuerySet[ProductTag, int]:
    beside = ProductTag.objects.filter(
        product=OuterRef("product"), tag__facet=OuterRef("tag__facet"), state=ProductTag.State.APPROVED
    ).exclude(pk=OuterRef("pk"))
    rows = _approved(catalogue).filter(tag__exclusive=True).exclude(tag__facet__kind__in=Facet.ONE_VALUE)
    return rows.filter(Exists(beside)).values_list("product", flat=True)


def _not_with(catalogue: Catalogue) -> QuerySet[ProductTag, int]:
    beside = ProductTag.objects.filter(
        product=OuterRef("product"), tag__not_with=OuterRef("tag"), state=ProductTag.State.APPROVED
    )
    rows = _approved(catalogue).filter(tag__in=Tag.not_with.through.objects.values("from_tag"))  # type: ignore[attr-defined]
    return rows.filter(Exists(beside)).values_list("product", flat=True)


def _parent(catalogue: Catalogue) -> QuerySet[ProductTag, int]:
    # a parent that stands has its own parent looked at in its turn, so one step is enough
    there = ProductTag.objects.filter(
        product=OuterRef("product"), tag=OuterRef("tag__parent"), state=ProductTag.State.APPROVED
    )
    rows = _approved(catalogue).filter(tag__facet__implied_parents=True, tag__parent__retired_at=None)
    rows = rows.filter(tag__parent__isnull=False)
    return rows.filter(~Exists(there)).values_list("product", flat=True)


def _category(catalogue: Catalogue) -> QuerySet[ProductTag, int]:
    """The categories that tags stand in are few beside the products, so each pair is judged once, by the model's rule."""
    facets = {f.id: f for f in Facet.objects.live().filter(catalogue=catalogue)}
    tags = {t.id: t for t in Tag.objects.filter(facet__in=facets).exclude(categories=[])}
    narrow = Q(tag__facet__in=[f.id for f in facets.values() if f.categories]) | Q(tag__in=tags)
    pairs = _approved(catalogue).filter(narrow).values_list("tag", "tag__facet", "product__category").distinct()
    outside: dict[str, list[int]] = {}
    for tag, facet, category in pairs:
        if not facets[facet].applies(category) or (tag in tags and not tags[tag].allowed(category)):
            outside.setdefault(category, []).append(tag)
    found = Q(pk__in=[])
    for category, some in list(outside.items())[:CATEGORIES_AT_ONCE]:
        found |= Q(product__category=category, tag__in=some)
    return _approved(catalogue).filter(found).values_list("product", flat=True)


def _required(catalogue: Catalogue) -> QuerySet[FacetCompletion, int]:
    there = ProductTag.objects.filter(
        product=OuterRef("product"), tag__facet=OuterRef("facet"), state=ProductTag.State.APPROVED
    )
    wanted = FacetCompletion.objects.filter(facet__catalogue=catalogue, facet__required=True, facet__retired_at=None)
    return wanted.filter(~Exists(there)).values_list("product", flat=True)


_FINDERS = {
    "several": _several, "alone": _alone, "not_with": _not_with, "parent": _parent, "category": _category,
    "required": _required,
}  # fmt: skip
