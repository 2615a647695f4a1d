"""What a card's choices bring with them, and what the taxonomy's rules do not let through."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace

from annotations.actions.card import Card, Choice
from annotations.actions.errors import Refused
from annotations.models import ProductTag, SplitItem, Tag, Verdict
from annotations.queries.rules import Break, Rules
from annotations.queries.standing import Standing

HELD_BACK = ("alone", "not_with", "category")
"""Rules that a choice may not break; the others hold themselves (a value is displaced, a parent comes along)."""


def following_merges(cards: Sequence[Card]) -> list[Card]:
    """The cards with each merged tag replaced by the one it went into: a page may be older than a merge."""
    merged = {c.tag.merged_into_id for card in cards for c in card.choices if c.tag.merged_into_id}
    if not merged:
        return list(cards)
    targets: dict[int, Tag] = {}
    while wanted := merged - targets.keys():
        targets |= {tag.id: tag for tag in Tag.objects.filter(id__in=wanted).select_related("facet__catalogue")}
        merged |= {tag.merged_into_id for tag in targets.values() if tag.merged_into_id}

    def followed(choice: Choice) -> Choice:
        tag, seen = choice.tag, {choice.tag.id}
        while tag.merged_into_id and tag.merged_into_id not in seen:
            tag = targets[tag.merged_into_id]
            seen.add(tag.id)
        return choice if tag is choice.tag else replace(choice, tag=tag)

    result = []
    for card in cards:
        by_tag: dict[int, Choice] = {}
        for choice in map(followed, card.choices):
            known = by_tag.get(choice.tag.id)
            if known is None or known.verdict in (Verdict.REJECT, Verdict.REMOVE):
                by_tag[choice.tag.id] = choice  # of two that are one now, the word that it fits counts
        result.append(replace(card, choices=tuple(by_tag.values())))
    return result


def check_rules(cards: Sequence[Card]) -> None:
    """Raises Refused (422) for the first card that would approve what the rules do not allow beside what stands."""
    for broken in broken_rules(cards).values():
        raise refusal_of(broken)


def broken_rules(cards: Sequence[Card]) -> dict[int, Break]:
    """Product to the first rule that its card would break. Two or three queries, and few more where parents are implied."""
    products = [card.product.id for card in cards if card.approving]
    if not products:
        return {}
    stands: dict[int, set[int]] = {pk: set() for pk in products}
    approved = ProductTag.objects.filter(product__in=products, state=ProductTag.State.APPROVED)
    for product, stood in approved.values_list("product", "tag"):
        stands[product].add(stood)
    chosen = [tag for card in cards for tag in card.approving]
    rules = Rules.about({tag.id for tag in chosen}.union(*stands.values()), loaded=chosen)
    found: dict[int, Break] = {}
    for card in cards:
        if not (new := {tag.id for tag in card.approving}):
            continue
        left = {choice.tag.id for choice in card.choices} - new
        taken = {tag.facet_id for tag in card.approving if tag.facet.one_value}
        kept = {t for t in stands[card.product.id] - left if t in rules.tags and rules.tags[t].facet_id not in taken}
        breaks = [
            broken for broken in rules.broken(kept | new, card.product.category)
            if broken.code in HELD_BACK and {t.id for t in (broken.tag, broken.other) if t} & new
        ]  # fmt: skip
        breaks += [
            Break("parent", tag.facet, tag, above)
            for tag in card.approving for above in rules.implied(tag) if above.id in left
        ]  # fmt: skip
        if breaks:
            found[card.product.id] = breaks[0]
    return found


def refusal_of(broken: Break) -> Refused:
    details = {"rule": broken.code, "facet": broken.facet.slug}
    details |= {name: tag.slug for name, tag in (("tag", broken.tag), ("other", broken.other)) if tag}
    return Refused(broken.message, "rule", **details)


def consequences(cards: Sequence[Card], standing: Mapping[int, Standing], batch: uuid.UUID) -> dict[int, list[Choice]]:
    """Choices that follow from the cards, by product: what a new value of a one-value facet displaces, the parents
    that a tag implies, and a split tag that has been looked at again. A bounded number of queries."""
    found: dict[int, list[Choice]] = {card.product.id: [] for card in cards}
    approved = {
        product: {tag for tag, (state, _by) in stands.tags.items() if state == "approved"}
        for product, stands in standing.items()
    }
    _displaced(cards, approved, batch, found)
    _implied(cards, approved, batch, found)
    _split(cards, approved, batch, found)
    return found


def _displaced(
    cards: Sequence[Card], approved: Mapping[int, set[int]], batch: uuid.UUID, found: dict[int, list[Choice]]
) -> None:
    facets = {card.product.id: {t.facet_id for t in card.approving if t.facet.one_value} for card in cards}
    wanted = {tag for product, some in facets.items() if some for tag in approved[product]}
    if not wanted:
        return
    every = {facet for some in facets.values() for facet in some}
    known = {tag.id: tag for tag in Tag.objects.filter(id__in=wanted, facet__in=every).select_related("facet")}
    for card in cards:
        product, chosen = card.product.id, {choice.tag.id for choice in card.choices}
        for pk in sorted(approved[product] - chosen):
            if pk in known and known[pk].facet_id in facets[product]:
                made = uuid.uuid5(batch, f"displaced:{product}:{pk}")
                found[product].append(Choice(known[pk], Verdict.REMOVE, made))


def _implied(
    cards: Sequence[Card], approved: Mapping[int, set[int]], batch: uuid.UUID, found: dict[int, list[Choice]]
) -> None:
    children = {tag.id for card in cards for tag in card.approving if tag.parent_id and tag.facet.implied_parents}
    if not children:
        return
    rules = Rules.about(children)
    for card in cards:
        product, settled = card.product.id, approved[card.product.id] | {c.tag.id for c in card.choices}
        for child in card.approving:
            for above in rules.implied(rules.tags[child.id]) if child.id in rules.tags else ():
                if above.id not in settled:
                    settled.add(above.id)
                    found[product].append(
                        Choice(above, Verdict.ACCEPT, uuid.uuid5(batch, f"implied:{product}:{above.id}"))
                    )


def _split(
    cards: Sequence[Card], approved: Mapping[int, set[int]], batch: uuid.UUID, found: dict[int, list[Choice]]
) -> None:
    """A split tag goes when its facet was looked at as a whole, or when one of its parts was accepted."""
    looked_at = [card for card in cards if card.complete or card.approving]
    wanted = {tag for card in looked_at for tag in approved[card.product.id]}
    if not wanted:
        return
    waiting: dict[int, list[SplitItem]] = {}
    rows = SplitItem.objects.filter(product__in=[card.product.id for card in looked_at], tag__in=wanted)
    rows = rows.filter(tag__retired_at__isnull=False)  # an undone split brought it back
    for row in rows.select_related("tag__facet", "revision"):
        waiting.setdefault(row.product_id, []).append(row)
    for card in looked_at:
        chosen = {choice.tag.id for choice in card.choices}
        whole = {facet.id for facet in card.complete}
        new = {tag.id for tag in card.approving}
        for row in waiting.get(card.product.id, ()):
            parts = set(row.revision.data.get("parts", ()))
            if row.tag_id in chosen or row.tag_id not in approved[card.product.id]:
                continue
            if row.tag.facet_id in whole or parts & new:
                made = uuid.uuid5(batch, f"split:{card.product.id}:{row.tag_id}")
                found[card.product.id].append(Choice(row.tag, Verdict.REMOVE, made))
