"""What a bulk action does to each product: decisions as cards, changes of rows and queue items as new values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions.decide import Card, Choice
from annotations.actions.errors import Refused
from annotations.models import (
    SET_ASIDE_BY_CHECK,
    Band,
    BulkRun,
    Catalogue,
    Facet,
    FacetCompletion,
    Product,
    ProductTag,
    QueueItem,
    SetAside,
    Suggestion,
    Tag,
    Verdict,
)
from annotations.queries.products import NoSuchName, tag_named
from annotations.queries.rules import breaks_rules

BOOSTS = {"first": 100.0, "normal": 0.0, "last": -100.0}
BANDS = {"strong": (Band.STRONG,), "likely": (Band.STRONG, Band.LIKELY), "unsure": tuple(Band)}
Kind = BulkRun.Kind


@dataclass(slots=True)
class Plan:
    """For some products: ``cards`` to decide, ``values`` by product to set on its row or queue item, and ``held``:
    product to the sentence that says why it stays out. A product that is in none of them needs nothing."""

    cards: list[Card] = field(default_factory=list)
    values: dict[int, dict[str, Any]] = field(default_factory=dict)
    held: dict[int, str] = field(default_factory=dict)

    @property
    def changes(self) -> int:
        return len(self.cards) + len(self.values)


def checked_params(catalogue: Catalogue, kind: str, given: Mapping[str, str]) -> dict[str, Any]:
    """What the action needs to know, in the form in which it is kept. Raises Refused with what is missing."""
    if kind not in Kind.values:
        raise Refused(_("“%(kind)s” is no bulk action") % {"kind": kind}, "kind", known=Kind.values)
    check = _PARAMS.get(Kind(kind))
    return check(catalogue, given) if check else {}


def _accept_params(catalogue: Catalogue, given: Mapping[str, str]) -> dict[str, Any]:
    band, facet = given.get("band") or "strong", given.get("facet", "")
    if band not in BANDS:
        raise Refused(_("choose a band"), "band", known=list(BANDS))
    if facet and not Facet.objects.live().filter(catalogue=catalogue, slug=facet).exists():
        raise Refused(_("there is no facet “%(name)s”") % {"name": facet}, "facet")
    only = _tag_params(catalogue, {"tag": given["only"]})["tag"] if given.get("only") else ""
    return {"band": band, "facet": facet, "complete": bool(given.get("complete")), "only": only}


def _tag_params(catalogue: Catalogue, given: Mapping[str, str]) -> dict[str, Any]:
    name = given.get("tag", "").strip()
    if not name:
        raise Refused(_("name a tag"), "tag")
    try:
        tag = tag_named(catalogue, name)
    except NoSuchName as error:
        raise Refused(str(error), "tag") from None
    return {"tag": f"{tag.facet.slug}:{tag.slug}"}


def _category_params(_catalogue: Catalogue, given: Mapping[str, str]) -> dict[str, Any]:
    return {"category": "/".join(p.strip() for p in given.get("category", "").split("/") if p.strip())[:500]}


def _priority_params(_catalogue: Catalogue, given: Mapping[str, str]) -> dict[str, Any]:
    if given.get("priority") not in BOOSTS:
        raise Refused(_("choose where in the queue"), "priority", known=list(BOOSTS))
    return {"priority": given["priority"]}


def _flag_params(_catalogue: Catalogue, given: Mapping[str, str]) -> dict[str, Any]:
    reason = given.get("reason", "").strip()[:200]
    if not reason:
        raise Refused(_("Say in a few words why you flag it."), "reason_missing")
    return {"reason": reason}


_PARAMS: dict[Kind, Callable[[Catalogue, Mapping[str, str]], dict[str, Any]]] = {
    Kind.ACCEPT: _accept_params,
    Kind.ADD_TAG: _tag_params,
    Kind.REMOVE_TAG: _tag_params,
    Kind.CATEGORY: _category_params,
    Kind.FAMILY: lambda _catalogue, given: {"family": given.get("family", "").strip()[:200]},
    Kind.PRIORITY: _priority_params,
    Kind.FLAG: _flag_params,
}


def plan(catalogue: Catalogue, kind: str, params: Mapping[str, Any], products: Sequence[Product]) -> Plan:
    """What the action would do to these products. The number of queries does not grow with them."""
    return _PLANS[Kind(kind)](catalogue, params, products)


# -- decisions ---------------------------------------------------------------------------------------------------
def _items(products: Sequence[Product]) -> dict[int, QueueItem]:
    return {item.product_id: item for item in QueueItem.objects.filter(product__in=[p.pk for p in products])}


def _standing(products: Sequence[Product]) -> dict[int, dict[int, str]]:
    found: dict[int, dict[int, str]] = {p.pk: {} for p in products}
    rows = ProductTag.objects.filter(product__in=list(found)).values_list("product", "tag", "state")
    for product, tag, state in rows:
        found[product][tag] = state
    return found


def _accept(catalogue: Catalogue, params: Mapping[str, Any], products: Sequence[Product]) -> Plan:
    """Suggestions from the band upwards that nobody has decided on. Products served blind stay out, since accepting
    unseen would spoil the measurement; those on somebody's screen are theirs. What only a language model says is never
    accepted unseen."""
    made = Plan()
    items, standing = _items(products), _standing(products)
    complete = set(FacetCompletion.objects.filter(product__in=products).values_list("product", "facet"))
    offered: dict[int, dict[int, list[Tag]]] = {}
    rows = Suggestion.objects.filter(
        product__in=products, band__in=BANDS[params["band"]], tag__retired_at=None, tag__facet__retired_at=None
    ).exclude(source=Suggestion.Source.LLM)
    if params["facet"]:
        rows = rows.filter(tag__facet__slug=params["facet"])
    if params.get("only"):
        rows = rows.filter(tag=tag_named(catalogue, params["only"]))
    for row in rows.select_related("tag__facet").order_by("-score", "tag"):
        row.tag.facet.catalogue = catalogue
        offered.setdefault(row.product_id, {}).setdefault(row.tag.facet_id, []).append(row.tag)
    approved = _approved_facets(standing)
    for product in products:
        choices: list[Choice] = []
        facets: list[Facet] = []
        for facet_id, tags in offered.get(product.pk, {}).items():
            facet = tags[0].facet
            if (product.pk, facet_id) in complete or not facet.applies(product.category):
                continue
            fresh = [tag for tag in tags if tag.pk not in standing[product.pk]]
            if facet.one_value:
                fresh = [] if facet_id in approved[product.pk] else fresh[:1]
            choices += [Choice(tag, Verdict.ACCEPT) for tag in fresh]
            if fresh and params["complete"]:
                facets.append(facet)
        if choices and not _out_of_reach(made, items.get(product.pk), product):
            made.cards.append(Card(product, tuple(choices), tuple(facets)))
    return _within_rules(catalogue, made)


def _approved_facets(standing: Mapping[int, Mapping[int, str]]) -> dict[int, set[int]]:
    """Product to the facets of which something is approved."""
    tags = {tag for stands in standing.values() for tag in stands}
    facets = dict(Tag.objects.filter(pk__in=tags).values_list("pk", "facet"))
    return {
        product: {facets[tag] for tag, state in stands.items() if state == ProductTag.State.APPROVED}
        for product, stands in standing.items()
    }


def _out_of_reach(made: Plan, item: QueueItem | None, product: Product) -> bool:
    if item is None:
        return True
    if item.leased:
        made.held[product.pk] = _("somebody is looking at it")
    elif item.blind and item.version == 0:
        made.held[product.pk] = _("it is served without suggestions, to measure honestly")
    return product.pk in made.held


def _add_tag(catalogue: Catalogue, params: Mapping[str, Any], products: Sequence[Product]) -> Plan:
    tag, made = _tag(catalogue, params), Plan()
    items, standing = _items(products), _standing(products)
    approved = _approved_facets(standing)
    for product in products:
        if standing[product.pk].get(tag.pk) == ProductTag.State.APPROVED:
            continue
        if not tag.facet.applies(product.category):
            made.held[product.pk] = _("%(facet)s is not asked of its category") % {"facet": tag.facet.label}
        elif tag.facet.one_value and tag.facet_id in approved[product.pk]:
            made.held[product.pk] = _("%(facet)s has another value already") % {"facet": tag.facet.label}
        elif items.get(product.pk) and items[product.pk].leased:
            made.held[product.pk] = _("somebody is looking at it")
        elif product.pk in items:
            made.cards.append(Card(product, (Choice(tag, Verdict.ADD),)))
    return _within_rules(catalogue, made)


def _remove_tag(catalogue: Catalogue, params: Mapping[str, Any], products: Sequence[Product]) -> Plan:
    tag, made = _tag(catalogue, params), Plan()
    items, standing = _items(products), _standing(products)
    for product in products:
        if standing[product.pk].get(tag.pk) != ProductTag.State.APPROVED:
            continue
        if product.pk in items and items[product.pk].leased:
            made.held[product.pk] = _("somebody is looking at it")
        elif product.pk in items:
            made.cards.append(Card(product, (Choice(tag, Verdict.REMOVE),)))
    return made


def _tag(catalogue: Catalogue, params: Mapping[str, Any]) -> Tag:
    try:
        tag = tag_named(catalogue, params["tag"])
    except NoSuchName as error:
        raise Refused(str(error), "tag") from None
    tag.facet.catalogue = catalogue
    return tag


def _within_rules(catalogue: Catalogue, made: Plan) -> Plan:
    """Cards that would break a rule of the taxonomy are held back instead."""
    proposed = {card.product.pk: [choice.tag.pk for choice in card.choices] for card in made.cards}
    broken = breaks_rules(catalogue, proposed) if proposed else {}
    made.held |= {pk: breaks[0].message for pk, breaks in broken.items()}
    made.cards = [card for card in made.cards if card.product.pk not in broken]
    return made


# -- rows and queue items ----------------------------------------------------------------------------------------
def _set(name: str) -> Callable[[Catalogue, Mapping[str, Any], Sequence[Product]], Plan]:
    def make(catalogue: Catalogue, params: Mapping[str, Any], products: Sequence[Product]) -> Plan:
        return Plan(values={p.pk: {name: params[name]} for p in products if getattr(p, name) != params[name]})

    return make


def _archive(catalogue: Catalogue, params: Mapping[str, Any], products: Sequence[Product]) -> Plan:
    """By hand, so that the next import of the row does not bring it back."""
    now = timezone.now()
    values = {
        p.pk: {"archived_at": now, "set_aside": SetAside.BY_HAND.value} for p in products if p.archived_at is None
    }
    return Plan(values=values)


def _restore(catalogue: Catalogue, params: Mapping[str, Any], products: Sequence[Product]) -> Plan:
    """A row that a check took for junk is kept from now on, whatever the check says."""
    return Plan(
        values={
            p.pk: {"archived_at": None, "set_aside": SetAside.KEPT.value if p.set_aside in SET_ASIDE_BY_CHECK else ""}
            for p in products if p.archived_at is not None
        }
    )  # fmt: skip


def _of_items(products: Sequence[Product], name: str, value: Any, same: Collection[Any] = ()) -> Plan:
    items = _items(products)
    return Plan(values={pk: {name: value} for pk, item in items.items() if getattr(item, name) not in (value, *same)})


_PLANS: dict[Kind, Callable[[Catalogue, Mapping[str, Any], Sequence[Product]], Plan]] = {
    Kind.ACCEPT: _accept,
    Kind.ADD_TAG: _add_tag,
    Kind.REMOVE_TAG: _remove_tag,
    Kind.CATEGORY: _set("category"),
    Kind.FAMILY: _set("family"),
    Kind.ARCHIVE: _archive,
    Kind.RESTORE: _restore,
    Kind.PRIORITY: lambda _c, params, products: _of_items(products, "boost", BOOSTS[params["priority"]]),
    Kind.FLAG: lambda _c, params, products: _of_items(products, "flagged", params["reason"]),
    Kind.UNFLAG: lambda _c, _params, products: _of_items(products, "flagged", ""),
}
ON_ITEMS = (Kind.PRIORITY, Kind.FLAG, Kind.UNFLAG)
"""These change the queue item; the others that do not decide change the product's row."""
