"""Jobs of the instant tier: ``refit`` after decisions, imports and promotions; ``score`` on request."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from annotations import bridge
from annotations.actions import learning, suggestions
from annotations.actions.claims import Claim
from annotations.actions.errors import Refused
from annotations.models import Catalogue, ModelVersion
from annotations.tasks.registry import handles

BUNDLES_KEPT = 5  # instant bundles on disk per catalogue; the rows of older ones stay, decisions name them


@handles("refit")
def refit(claim: Claim) -> dict[str, Any]:
    return _refit(claim)


def _refit(claim: Claim) -> dict[str, Any]:
    """Refit the instant head on every decision, make it the one that suggests, and re-order what waits.

    The very first time, people get suggestions from words alone while the sentence encoder is being prepared.
    """
    catalogue = Catalogue.objects.get(pk=claim.catalogue.pk)
    if bridge.serving(catalogue) is None and not bridge.sentence_encoder_ready(catalogue):
        _fit_and_score(claim, catalogue, lexical_only=True)
    return _fit_and_score(claim, catalogue)


def _fit_and_score(claim: Claim, catalogue: Catalogue, *, lexical_only: bool = False) -> dict[str, Any]:
    fitted = bridge.fit_instant(catalogue, lambda step: claim.progress(step=step), lexical_only=lexical_only)
    with transaction.atomic():
        claim.fence()
        model = learning.adopt_instant(
            catalogue=catalogue,
            path=fitted.path,
            sha256=fitted.sha256,
            metrics=fitted.metrics,
            card=fitted.card,
            decided_seq=fitted.decided_seq,
            encoder=fitted.encoder,
        )
    scored = _score(claim, catalogue, model, everything=False)
    bridge.prune(catalogue, keep=BUNDLES_KEPT)
    return {"model": model.name, "metrics": fitted.metrics, **scored}


@handles("score")
def score(claim: Claim) -> dict[str, Any]:
    """Store the serving model's suggestions, for what waits or for everything; fits one first where there is none."""
    catalogue = Catalogue.objects.get(pk=claim.catalogue.pk)
    if bridge.serving(catalogue) is None:
        return _refit(claim)
    model = ModelVersion.objects.get(pk=catalogue.serving_id or 0)
    return _score(claim, catalogue, model, everything=bool(claim.params.get("everything")))


def _score(claim: Claim, catalogue: Catalogue, model: ModelVersion, *, everything: bool) -> dict[str, Any]:
    claim.progress(step=str(_("Ranking what waits")))
    ranked = bridge.rank(catalogue, model, everything=everything)
    if ranked is None:
        raise Refused(_("The model's files are gone: run “train --tier instant” again."), "model_files")
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        claim.progress(done, len(ranked), step=str(_("Storing suggestions")))

    stored = suggestions.store(suggestions=ranked.suggestions(), model=model, advance=advance)
    return {"products": len(ranked), "suggestions": stored}
