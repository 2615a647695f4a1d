"""Judging two models by their outputs, side by side and unnamed."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from annotations.actions.errors import Conflict, Refused
from annotations.models import Judgement, Product, TrainingRun, User
from annotations.queries.judging import candidate_first, outputs_of

FIRST, SECOND, SAME = "first", "second", "same"


@dataclass(frozen=True, slots=True)
class Opinion:
    """Of one output: nothing in it is nonsense; nothing that should be there is missing."""

    reasonable: bool
    complete: bool


def judge(*, run: TrainingRun, product: Product, user: User, first: Opinion, second: Opinion, better: str) -> Judgement:
    """Keep what the person said of the output on the left and the one on the right; which is whose is known here.

    better: ``first``, ``second`` or ``same``. Raises Refused for a product that has no two outputs, Conflict when this
    person has judged it already.
    """
    if product.external_id not in {o["product"] for o in outputs_of(run)}:
        raise Refused(_("The two models do not differ on this product."), "not_compared")
    if better not in (FIRST, SECOND, SAME):
        raise Refused(_("Say which is better, or that neither is."), "better")
    swapped = candidate_first(run, product, user)
    current, candidate = (second, first) if swapped else (first, second)
    who = Judgement.Better
    winner = who.SAME if better == SAME else who.CANDIDATE if (better == FIRST) is swapped else who.CURRENT
    try:
        with transaction.atomic():
            return Judgement.objects.create(
                run=run, product=product, user=user, candidate_first=swapped, better=winner,
                current_reasonable=current.reasonable, current_complete=current.complete,
                candidate_reasonable=candidate.reasonable, candidate_complete=candidate.complete,
            )  # fmt: skip
    except IntegrityError:
        raise Conflict(_("You have judged this product already."), "judged") from None
