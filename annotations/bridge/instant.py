"""The instant tier over a catalogue: refit the head, keep the disk tidy. Its order of what waits is in ``order.py``."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.bridge.encoders import Say, unseen_families
from annotations.bridge.held import held
from annotations.bridge.rows import embedding_cache, encoders_root, models_root, schema_of
from annotations.bridge.suggesting import remember
from annotations.models import Catalogue, ModelVersion
from ml.instant.model import InstantModel
from ml.serving.predictor import Predictor


@dataclass(frozen=True, slots=True)
class Fitted:
    """A refitted head on disk, not yet adopted. ``path`` is below MODELS_ROOT.

    unread: products that an encoder should read in the background before the next refit
    """

    path: str
    sha256: str
    metrics: dict[str, Any]
    card: dict[str, Any]
    decided_seq: int
    encoder: ModelVersion | None
    unread: bool


def fit_instant(catalogue: Catalogue, say: Say = lambda step: None) -> Fitted:
    """Fit on every decision there is and write the bundle."""
    here = held(catalogue)
    with here.refit():
        schema = schema_of(catalogue)
        if not schema.columns:
            raise Refused(_("There are no tags yet: import a tag list, or take the tags from the products."), "no_tags")
        pool, hand, seq = here.refresh(catalogue, schema, say)
        decided = pool.decided
        say(str(_("Fitting on %(count)d decided products")) % {"count": len(decided)})
        families = [pool.families[pool.row_of[key]] for key in decided]
        model = pool.fit(here.model, calibrate_on=unseen_families(hand.promoted, families))
        here.model = model
        more = hand.more or pool.unread > 0
    path = Path(catalogue.slug) / f"instant-{seq}-{secrets.token_hex(4)}"
    bundle = model.save(models_root() / path, encoders_dir=encoders_root())
    remember(path.as_posix(), Predictor(model, embedding_cache()))
    return Fitted(path.as_posix(), bundle.hash, _metrics(model), bundle.card, seq, hand.promoted, more)


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
    """Remove all but the newest instant bundles from disk; the rows of the models stay, decisions name them."""
    instant = ModelVersion.objects.filter(catalogue=catalogue, tier=ModelVersion.Tier.INSTANT).exclude(path="")
    for path in (
        instant.exclude(pk=catalogue.serving_id or 0).order_by("-number").values_list("path", flat=True)[keep:50]
    ):
        shutil.rmtree(models_root() / path, ignore_errors=True)
