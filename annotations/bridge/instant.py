"""The instant tier over a catalogue: refit the head, keep the disk tidy. Its order of what waits is in ``order.py``."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.bridge import shelf
from annotations.bridge.encoders import Say, unseen_families
from annotations.bridge.held import held
from annotations.bridge.order import hold_back
from annotations.bridge.rows import Examples, embedding_cache, encoders_root, models_root, schema_of
from annotations.bridge.suggesting import remember, serving, span_reader
from annotations.models import Catalogue, ModelVersion
from annotations.queries import examples as questions
from ml.encoders.base import Encoder
from ml.instant.fitting import Calibration, calibrate, can_wait
from ml.instant.model import InstantModel
from ml.schema import Schema
from ml.serving import int8
from ml.serving.predictor import Predictor

COMPARED = 300  # products on which int8 is held against fp32
FULL_KEPT = (ModelVersion.State.PROMOTED, ModelVersion.State.RETIRED)


CALIBRATED_LATER = 300  # decided products from which a calibration takes long enough to be made in the background


@dataclass(frozen=True, slots=True)
class Fitted:
    """A refitted head on disk, not yet adopted. ``path`` is below MODELS_ROOT.

    unread: products that an encoder should read in the background before the next refit; uncalibrated: it goes on with
    a calibration that should be made anew in the background
    """

    path: str
    sha256: str
    metrics: dict[str, Any]
    card: dict[str, Any]
    decided_seq: int
    encoder: ModelVersion | None
    unread: bool
    uncalibrated: bool


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration, and what it was made for."""

    calibration: Calibration
    columns: tuple[tuple[str, str], ...]
    encoders: tuple[str, ...]


def calibrate_instant(catalogue: Catalogue, check: Callable[[], None], say: Say = lambda step: None) -> Calibrated:
    """A new calibration on what is decided now. Refits go first: it works on a copy, and waits between its parts."""
    here = held(catalogue)
    with here.lock:
        pool, hand, _seq = here.refresh(catalogue, schema_of(catalogue), say)
        families = [pool.families[pool.row_of[key]] for key in pool.decided]
        previous = _newest(catalogue, here.model)
        material = pool.material(previous, calibrate_on=unseen_families(hand.promoted, families))
    found = calibrate(material, previous, lambda: hold_back(catalogue, check))
    columns, encoders = material.schema.columns, tuple(e.hash for e in material.encoders)
    return Calibrated(found, tuple(columns), encoders)


def _newest(catalogue: Catalogue, ours: InstantModel | None) -> InstantModel | None:
    """The model that serves, which another process may have made, or the one made here last."""
    served = serving(catalogue)
    return served.model if served is not None else ours


def fit_instant(catalogue: Catalogue, say: Say = lambda step: None, calibrated: Calibrated | None = None) -> Fitted:
    """Fit on every decision there is and write the bundle.

    Where much is decided, a calibration that is due is left for later (``uncalibrated``): it costs several fits, and
    the order of the queue should not wait for it. ``calibrated``: one that was made meanwhile, used while it fits.
    """
    here = held(catalogue)
    with here.refit():
        schema = schema_of(catalogue)
        if not schema.columns:
            raise Refused(_("There are no tags yet: import a tag list, or take the tags from the products."), "no_tags")
        pool, hand, seq = here.refresh(catalogue, schema, say)
        decided = pool.decided
        say(str(_("Fitting on %(count)d decided products")) % {"count": len(decided)})
        families = [pool.families[pool.row_of[key]] for key in decided]
        previous = _newest(catalogue, here.model)
        fresh = _fitting(calibrated, pool.schema, pool.encoders)
        due = fresh is None and pool.calibration_due(previous)
        later = due and len(decided) >= CALIBRATED_LATER and can_wait(previous, pool.schema, pool.encoders)
        seen = unseen_families(hand.promoted, families)
        model = pool.fit(previous, calibrate_on=seen, recalibrate=due and not later, calibration=fresh)
        here.model = model
        card = _int8(catalogue, model, sorted(pool.row_of))
        more = hand.more or pool.unread > 0
    path = Path(catalogue.slug) / f"instant-{seq}-{secrets.token_hex(4)}"
    bundle = model.save(models_root() / path, card, encoders_dir=encoders_root())
    for encoder in model.encoders:
        shelf.put_if_possible(f"{encoders_root().name}/{encoder.hash}")
        if card and int8.twin_folder(encoders_root(), encoder).is_dir():
            shelf.put_if_possible(f"{encoders_root().name}/{encoder.hash}{int8.SUFFIX}")
    shelf.put_if_possible(path.as_posix())
    reader = span_reader(hand.promoted, model.encoders)
    remember(path.as_posix(), Predictor(model, embedding_cache(), reader))
    return Fitted(path.as_posix(), bundle.hash, _metrics(model), bundle.card, seq, hand.promoted, more, later)


def _fitting(calibrated: Calibrated | None, schema: Schema, encoders: Sequence[Encoder]) -> Calibration | None:
    if calibrated is None or calibrated.columns != tuple(schema.columns):
        return None
    return calibrated.calibration if calibrated.encoders == tuple(e.hash for e in encoders) else None


def _int8(catalogue: Catalogue, model: InstantModel, keys: list[int]) -> dict[str, Any]:
    """What the head answers on the int8 forms of its encoders beside the exact ones; empty where there is none."""
    twin = int8.with_twins(model, encoders_root())
    if twin is None:
        return {}
    # the same products each time, so that their vectors are there
    some = [keys[i] for i in np.random.default_rng(0).permutation(len(keys))[:COMPARED].tolist()]
    examples = Examples(model.schema).all(questions.bare_facts(catalogue, some))
    return {
        "int8": {
            "agreement": round(int8.agreement(model, twin, examples, embedding_cache()), 4),
            "products": len(examples),
        }
    }


def _metrics(model: InstantModel) -> dict[str, Any]:
    """What the model's out-of-fold scores say, under the names that reports use."""
    report = model.report
    f1, macro = (report.get(name) for name in ("out_of_fold_f1", "out_of_fold_macro_f1"))
    return {
        "primary": f1,
        "micro_f1": f1,
        "macro_f1": macro,
        "micro_precision": report.get("out_of_fold_precision"),
        "measured_on": "out of fold" if report.get("calibrated") else "nothing yet",
        "products": report.get("products", 0),
    }


def prune(catalogue: Catalogue, keep: int) -> None:
    """Remove all but the newest instant bundles from disk, and those that a rollback brings back; the rows of the models
    stay, decisions name them."""
    served = Catalogue.objects.values_list("serving", flat=True).get(pk=catalogue.pk)
    full = ModelVersion.objects.filter(catalogue=catalogue, state__in=FULL_KEPT, replaced__isnull=False)
    spared = {served or 0, *(head or 0 for head in full.values_list("replaced", flat=True))}
    instant = ModelVersion.objects.filter(catalogue=catalogue, tier=ModelVersion.Tier.INSTANT).exclude(path="")
    for path in instant.exclude(pk__in=spared).order_by("-number").values_list("path", flat=True)[keep:50]:
        shelf.remove(path)
