"""A row that changed, and the approved tags that rested on what went: those are asked for again, no others.

The tag stays approved until somebody looks, since a supplier's new wording should not empty a shop; but its facet is
no longer complete, so the product waits again, and says why (docs/decisions/0022-what-reopens.md).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import F
from django.utils import timezone

from annotations.actions.decide import store
from annotations.actions.decide_lines import reviewer_named
from annotations.models import (
    Catalogue,
    Decision,
    FacetCompletion,
    Input,
    Product,
    ProductTag,
    QueueItem,
    Suggestion,
    Tag,
    Verdict,
    Voice,
)
from annotations.queries.standing import facts_of
from annotations.queries.taxonomy import key_of

WORDS, ATTRIBUTE = "words", "attribute"


def because(tag: Tag, spans: Sequence[Mapping[str, Any]], before: Product, after: Product) -> str:
    """Why the tag has to be looked at again: ``words``, ``attribute``, or empty.

    ``attribute``: a value of the source for this facet named the tag, and none does now. ``words``: the words that
    spoke for it (the spans of the suggestion, else the tag's own names) stood in the text, none of them does now, and
    no attribute names it either.
    """
    names = {key_of(name) for name in (tag.facet.slug, *tag.facet.labels.values())}
    words = {key_of(word) for word in (*tag.words, tag.slug)}
    said, says = (_names(product.attributes, names, words) for product in (before, after))
    if said and not says:
        return ATTRIBUTE
    if says:
        return ""
    old, new = key_of(f"{before.title}\n{before.description}"), key_of(f"{after.title}\n{after.description}")
    evidence = {key_of(text) for text in _quoted(spans, before)} or {w for w in words if w and _stands(w, old)}
    evidence.discard("")
    return WORDS if evidence and not any(_stands(word, new) for word in evidence) else ""


def _names(attributes: Mapping[str, Sequence[str]], names: set[str], words: set[str]) -> bool:
    return any(key_of(name) in names and any(key_of(v) in words for v in values) for name, values in attributes.items())


def _quoted(spans: Sequence[Mapping[str, Any]], product: Product) -> list[str]:
    """The words under the spans; none where the spans do not fit the text (it changed since they were found)."""
    found = []
    for span in spans:
        text = getattr(product, str(span.get("field", "")), "")
        start, end = int(span.get("start", 0)), int(span.get("end", 0))
        if not 0 <= start < end <= len(text) or _within_word(text, start) or _within_word(text, end):
            return []
        found.append(text[start:end])
    return found


def _within_word(text: str, place: int) -> bool:
    """Whether a Latin word goes on over this place. Chinese has no such edges."""
    return 0 < place < len(text) and all(c.isascii() and c.isalnum() for c in text[place - 1 : place + 1])


def _stands(word: str, text: str) -> bool:
    place = text.find(word)
    while place >= 0:
        if not (_within_word(text, place) or _within_word(text, place + len(word))):
            return True
        place = text.find(word, place + 1)
    return False


def reopen(*, catalogue: Catalogue, changed: Sequence[tuple[Product, Product]]) -> dict[int, list[dict[str, str]]]:
    """Inside the transaction of the change: ask again for the approved tags of (before, after) that lost what they
    rested on. Returns them by product as {facet, tag, because}. Two queries where nothing is approved."""
    pairs = {before.pk: (before, after) for before, after in changed}
    stands = ProductTag.objects.filter(product__in=pairs, state=ProductTag.State.APPROVED, tag__retired_at=None)
    rows = list(stands.select_related("tag__facet", "decision"))
    if not rows:
        return {}
    spans = {
        (p, t): s for p, t, s in Suggestion.objects.filter(product__in=pairs).values_list("product_id", "tag_id", "spans")
    }  # fmt: skip
    found: dict[int, list[dict[str, str]]] = {}
    facets: dict[tuple[int, int], Tag] = {}
    for row in rows:
        before, after = pairs[row.product_id]
        shown = spans.get((row.product_id, row.tag_id)) or row.decision.evidence_shown
        if why := because(row.tag, shown, before, after):
            told = {"facet": row.tag.facet.slug, "tag": row.tag.slug, "because": why}
            found.setdefault(row.product_id, []).append(told)
            facets[row.product_id, row.tag.facet_id] = row.tag
    if found:
        _ask_again(catalogue, found, facets)
    return found


def _ask_again(
    catalogue: Catalogue, found: Mapping[int, list[dict[str, str]]], facets: Mapping[tuple[int, int], Tag]
) -> None:
    # the version is raised so that a card that shows the old text is not saved over it
    QueueItem.objects.filter(product__in=found).update(version=F("version") + 1)
    rows_of_items = QueueItem.objects.filter(product__in=found).select_related("product")
    items = {item.product_id: item for item in rows_of_items}
    for item in items.values():
        item.why = {**item.why, "reopened": found[item.product_id]}
    QueueItem.objects.bulk_update(items.values(), ["why"])
    complete = FacetCompletion.objects.filter(product__in=found).select_related("decision")
    undone = [c.decision for c in complete if (c.product_id, c.facet_id) in facets and c.product_id in items]
    if not undone:
        return
    by, batch, now = reviewer_named(catalogue=catalogue, name="import"), uuid.uuid4(), timezone.now()
    rows = [
        Decision(
            id=uuid.uuid5(batch, f"undo:{old.id}"), catalogue=catalogue, product_id=old.product_id, facet_id=old.facet_id,
            **_again(old, facets[old.product_id, old.facet_id]), reviewer=by.reviewer, role=by.role,
            input=Input.POLICY, decided_at=now, batch=batch, taxonomy_revision=catalogue.taxonomy_revision,
            product_version=items[old.product_id].version,
        )
        for old in undone
    ]  # fmt: skip
    store(catalogue, rows, facts_of(list(found)), items)


def _again(complete: Decision, lost: Tag) -> dict[str, Any]:
    """Completed by one, that is taken back. By several, what each of them said is said about another text now: an undo
    of their agreement alone would follow from their votes again."""
    if complete.voice == Voice.AGREED:
        return {"verdict": Verdict.REOPEN, "tag": lost}
    return {"verdict": Verdict.UNDO, "undoes": complete}
