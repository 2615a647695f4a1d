"""A lead's verbs where several reviewers differ, and products whose answer is known."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit
from annotations.actions.decide import Card, Choice, Circumstances, Saved, save_card
from annotations.actions.errors import Conflict, Refused
from annotations.actions.undo import take_back
from annotations.models import (
    Answer,
    Decision,
    Event,
    Facet,
    FacetCompletion,
    GoldItem,
    Input,
    Product,
    ProductTag,
    QueueItem,
    Tag,
    User,
    Verdict,
    Voice,
)
from annotations.queries.panels import Outcome, panels
from annotations.queries.standing import effective, facts_of


def settle(
    *, product: Product, answers: Mapping[Facet, Sequence[Tag]], version: int, by: Circumstances, batch: uuid.UUID
) -> Saved:
    """The lead's last word on these facets of a product: exactly these tags fit, and the facets are complete.

    Tags that some reviewer approved and the lead does not are rejected. Sent again with the same ``batch``, the stored
    answer comes back. Raises Conflict when somebody saved the product since ``version``, Refused on two values in a
    facet that takes one.
    """
    claimed: dict[int, set[int]] = {}
    given = Answer.objects.filter(product=product, facet__in=answers, voice=Voice.VOTE)
    for pk, approved in given.values_list("facet_id", "tags"):
        claimed.setdefault(pk, set()).update(approved)
    standing = ProductTag.objects.filter(product=product, tag__facet__in=answers, state=ProductTag.State.APPROVED)
    for pk, stands in standing.values_list("tag__facet_id", "tag_id"):
        claimed.setdefault(pk, set()).add(stands)
    choices = []
    for facet, tags in answers.items():
        chosen = {tag.pk for tag in tags}
        others = Tag.objects.filter(pk__in=claimed.get(facet.pk, set()) - chosen).select_related("facet")
        choices += [Choice(tag, Verdict.ACCEPT, uuid.uuid5(batch, f"settle:{tag.pk}:accept")) for tag in tags]
        choices += [Choice(tag, Verdict.REJECT, uuid.uuid5(batch, f"settle:{tag.pk}:reject")) for tag in others]
    card = Card(product, tuple(choices), tuple(answers))
    return save_card(card=card, version=version, by=replace(by, settles=True), batch=batch)


def ask_again(*, product: Product, version: int, by: Circumstances) -> int:
    """Take back every vote on the facets that reviewers differ on, so that they are asked anew. Returns how many.

    Raises Conflict when somebody saved the product since ``version``, Refused where nobody differs.
    """
    with transaction.atomic():
        rows = QueueItem.objects.filter(product=product, version=version)
        if not rows.update(version=F("version") + 1):
            raise Conflict(_("somebody else saved this product in the meantime"), "stale_version")
        facts = facts_of([product.pk])[product.pk]
        torn = {facet for facet, panel in panels(facts).items() if panel.outcome is Outcome.CONFLICT}
        if not torn:
            raise Refused(_("no facet of this product is disagreed on"), "no_conflict")
        votes = {f.id for f in effective(facts) if f.voice == Voice.VOTE and f.facet in torn}
        decisions = list(Decision.objects.filter(id__in=votes).order_by("seq"))
        # by policy: those who voted did take their turns
        return take_back(product.catalogue, decisions, replace(by, input=Input.POLICY), uuid.uuid4()).decisions


def mark_gold(*, product: Product, user: User) -> GoldItem:
    """Vouch for what stands of a product: it is mixed in among the others, and tells how reviewers answer.

    Raises Refused where no facet of it is complete.
    """
    complete = set(FacetCompletion.objects.filter(product=product).values_list("facet_id", flat=True))
    if not complete:
        raise Refused(_("decide on the product first: its answer is not known"), "not_decided")
    answer: dict[str, list[int]] = {str(facet): [] for facet in sorted(complete)}
    approved = ProductTag.objects.filter(
        product=product, state=ProductTag.State.APPROVED, tag__facet__in=complete
    ).order_by("tag_id")
    for facet, tag in approved.values_list("tag__facet_id", "tag_id"):
        answer[str(facet)].append(tag)
    with transaction.atomic():
        gold, _made = GoldItem.objects.update_or_create(
            product=product,
            defaults={"catalogue": product.catalogue, "answer": answer, "made_by": user, "retired_at": None},
        )
        data = {"gold": True}
        audit.record(
            word=Event.GOLD_CHANGED, catalogue=product.catalogue, user=user, target=product.external_id, data=data
        )
    return gold


def retire_gold(*, product: Product, user: User) -> None:
    """No longer asked; the answers that were given stay with those who gave them."""
    with transaction.atomic():
        if GoldItem.objects.filter(product=product, retired_at=None).update(retired_at=timezone.now()):
            data = {"gold": False}
            audit.record(
                word=Event.GOLD_CHANGED, catalogue=product.catalogue, user=user, target=product.external_id, data=data
            )
