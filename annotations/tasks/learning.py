"""Jobs of the instant tier: ``refit`` after decisions, imports and promotions, ``calibrate`` where much is decided and
more was decided since the last time, ``score`` for what lies further down the queue or for everything, ``read`` for texts
that a slow encoder has not read yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from annotations import bridge
from annotations.actions import clashes, former, learning, queue_order, suggestions
from annotations.actions.claims import Claim
from annotations.actions.errors import Refused
from annotations.models import Catalogue, ModelVersion
from annotations.queries.clashes import uncompared
from annotations.tasks.registry import handles

STORED_AT_ONCE = 100  # products between two looks at whether a refit wants the machine
BUNDLES_KEPT = 5  # instant bundles on disk per catalogue; the rows of older ones stay, decisions name them


@handles("refit")
def refit(claim: Claim) -> dict[str, Any]:
    return _while_in_use(claim, _refit)


def _while_in_use(claim: Claim, work: Callable[[Claim], dict[str, Any]]) -> dict[str, Any]:
    """What a promotion or a rollback overtakes ends, and what it asked for comes after; what another refit overtakes is
    asked for again."""
    promoted = Catalogue.objects.values_list("encoder", flat=True).get(pk=claim.catalogue.pk)
    try:
        return work(claim)
    except suggestions.Superseded:
        claim.log(str(_("Another model suggests meanwhile.")))
        if Catalogue.objects.values_list("encoder", flat=True).get(pk=claim.catalogue.pk) == promoted:
            learning.request_score(catalogue=claim.catalogue)
        return {"products": 0, "suggestions": 0}


@handles("calibrate")
def calibrate(claim: Claim) -> dict[str, Any]:
    """Learn anew how evidence is weighed and where tags are checked, beside the refits, then refit with it."""
    return _while_in_use(claim, _calibrate)


def _calibrate(claim: Claim) -> dict[str, Any]:
    catalogue = Catalogue.objects.get(pk=claim.catalogue.pk)
    claim.progress(step=str(_("Learning how far scores can be trusted")))
    return _refit(claim, bridge.calibrate_instant(catalogue, claim.check, lambda step: claim.progress(step=step)))


def _refit(claim: Claim, calibrated: bridge.Calibrated | None = None) -> dict[str, Any]:
    """Refit the instant head on every decision, make it the one that suggests, and put the head of the queue in order.

    What waits further down is suggested anew by a job of its own; so is what an encoder has not read yet.
    """
    catalogue = Catalogue.objects.get(pk=claim.catalogue.pk)
    if not learning.anything_to_learn(catalogue=catalogue):
        # nobody asked: a file came in before there were tags. Their first tag asks again.
        claim.log(str(_("There are no tags yet, so there is nothing to learn.")))
        return {"products": 0, "suggestions": 0, "tags": 0}
    promoted = catalogue.encoder_id
    fitted = bridge.fit_instant(catalogue, lambda step: claim.progress(step=step), calibrated)
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
            promoted=promoted,
        )
    if model is None:
        claim.log(str(_("Another model was promoted meanwhile.")))  # which has asked for its own refit
        return {"products": 0, "suggestions": 0}
    order = _ranked(claim, catalogue, model)
    queue_order.place(catalogue=catalogue, head=order.places(), rest=order.rest())
    claim.progress(step=str(_("Storing suggestions")))
    stored = _store(claim, order, order.stale(order.front))
    if len(order.stale()) or _uncompared(catalogue):
        learning.request_score(catalogue=catalogue)
    if fitted.unread:
        learning.request_reading(catalogue=catalogue)
    if fitted.uncalibrated:
        learning.request_calibration(catalogue=catalogue)
    learning.proof_when_due(catalogue=catalogue)
    bridge.prune(catalogue, keep=BUNDLES_KEPT)
    return {"model": model.name, "metrics": fitted.metrics, "products": len(order), "suggestions": stored}


def _ranked(claim: Claim, catalogue: Catalogue, model: ModelVersion, *, everything: bool = False) -> bridge.Order:
    claim.progress(step=str(_("Ranking what waits")))
    order = bridge.rank(catalogue, model, everything=everything)
    if order is None:
        raise Refused(_("The model's files are gone: run “train --tier instant” again."), "model_files")
    return order


def _store(claim: Claim, order: bridge.Order, positions: Any) -> int:
    stored = suggestions.store(
        suggestions=order.suggestions(positions), model=order.model, advance=lambda count: claim.check()
    )
    order.stored(positions)
    return stored


@handles("score")
def score(claim: Claim) -> dict[str, Any]:
    """Store the serving model's suggestions, for what waits or for everything; fits one first where there is none."""
    return _while_in_use(claim, _score)


def _score(claim: Claim) -> dict[str, Any]:
    catalogue = Catalogue.objects.get(pk=claim.catalogue.pk)
    if bridge.serving(catalogue) is None:
        return _refit(claim)
    model = ModelVersion.objects.get(pk=catalogue.serving_id or 0)
    if not claim.params.get("everything"):
        return {**_score_rest(claim, catalogue, model), "clashes": _compare(claim, catalogue)}
    order = _ranked(claim, catalogue, model, everything=True)
    done = stored = 0
    for batch in _batches(order.best_first):
        stored += _store(claim, order, batch)
        done += len(batch)
        claim.progress(done, len(order), step=str(_("Storing suggestions")))
    return {"products": len(order), "suggestions": stored, "clashes": _compare(claim, catalogue)}


def _uncompared(catalogue: Catalogue) -> list[int]:
    """Some products whose text and picture have not been compared, where the promoted model reads both."""
    return uncompared(catalogue, STORED_AT_ONCE) if bridge.reads_both(catalogue) else []


def _compare(claim: Claim, catalogue: Catalogue) -> int:
    """Store where text and picture alone say something else, the head of the queue first. Returns how many clash."""
    model = catalogue.encoder
    if model is None:
        return 0
    found, before = 0, list[int]()
    # what a promotion overtakes is not stored and would be asked for again
    while (some := _uncompared(catalogue)) and some != before:
        bridge.hold_back(catalogue, claim.check)
        claim.progress(step=str(_("Comparing texts and pictures")))
        found, before = found + clashes.store(claim=claim, model=model, found=bridge.clashes(catalogue, some)), some
    return found


def _score_rest(claim: Claim, catalogue: Catalogue, model: ModelVersion) -> dict[str, Any]:
    """Bring what waits up to date, from the head of the queue down, and hold back while a refit runs.

    A refit in between gives another model and another order: the work goes on with these. It ends after as many
    products as were out of date at its start, so that it ends however often people decide; each refit asks again.
    """
    order = bridge.latest(catalogue)
    if order is None or order.model != model:
        order = _ranked(claim, catalogue, model)
    left = order.stale()
    done, total, stored = 0, len(left), 0
    while len(left) and done < total:
        bridge.hold_back(catalogue, claim.check)
        newer = bridge.latest(catalogue)
        if newer is not None and newer is not order:
            order, left = newer, newer.stale()
        batch, left = left[:STORED_AT_ONCE], left[STORED_AT_ONCE:]
        stored += _store(claim, order, batch)
        done += len(batch)
        claim.progress(done, total, step=str(_("Storing suggestions")))
    return {"products": len(order), "suggestions": stored}


def _batches(positions: Any) -> Iterator[Any]:
    for begin in range(0, len(positions), STORED_AT_ONCE):
        yield positions[begin : begin + STORED_AT_ONCE]


@handles("read")
def read(claim: Claim) -> dict[str, Any]:
    """Have the encoders read every product, then refit with all there is to know."""
    catalogue = Catalogue.objects.get(pk=claim.catalogue.pk)
    texts = bridge.prepare(catalogue, lambda step: claim.progress(step=step), claim.progress)
    learning.request_refit(catalogue=catalogue)
    return {"texts": texts}


@handles(former.KIND)
def restore(claim: Claim) -> dict[str, Any]:
    """After a rollback: the former model's suggestions as they were, product by product. Killed, it goes on."""
    catalogue, successor = Catalogue.objects.get(pk=claim.catalogue.pk), int(claim.params["successor"])
    total, restored, changed = former.left(successor), 0, 0
    bridge.forget(catalogue)
    while (some := former.restore_some(catalogue, successor)) is not None:
        restored, changed = restored + some[0], changed + some[1]
        claim.progress(restored + changed, total, step=str(_("Storing suggestions")))
        claim.check()
    return {"restored": restored, "changed": changed}
