"""The instant tier over a catalogue: refit the head, rank what waits, keep the disk tidy."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.actions.suggestions import ProductSuggestions, SuggestedTag, tag_ids
from annotations.bridge.encoders import Say, lexical_encoder, sentence_encoders, unseen_families
from annotations.bridge.rows import Examples, embedding_cache, encoders_root, models_root, schema_of
from annotations.bridge.suggesting import predictor, spans
from annotations.models import Catalogue, ModelVersion, QueueItem
from annotations.queries import examples as questions
from annotations.queries.examples import ProductFacts
from ml.active import policy
from ml.active.policy import Ranking
from ml.active.view import PoolView
from ml.bundle import BundleError
from ml.encoders.base import EncoderError
from ml.examples import Example
from ml.instant.model import InstantModel
from ml.serving.predictor import Predictor

PREDICTED_AT_ONCE = 500
REMEMBERED = 1000  # decided products that novelty is measured against


@dataclass(frozen=True, slots=True)
class Fitted:
    """A refitted head on disk, not yet adopted. ``path`` is below MODELS_ROOT."""

    path: str
    sha256: str
    metrics: dict[str, Any]
    card: dict[str, Any]
    decided_seq: int
    encoder: ModelVersion | None


def fit_instant(catalogue: Catalogue, say: Say = lambda step: None, *, lexical_only: bool = False) -> Fitted:
    """Fit on every decision there is and write the bundle. Encoders are fitted or exported on first use."""
    decided_seq = Catalogue.objects.values_list("seq", flat=True).get(pk=catalogue.pk)
    schema = schema_of(catalogue)
    if not schema.columns:
        raise Refused(_("There are no tags yet: import a tag list, or take the tags from the products."), "no_tags")
    examples = Examples(schema)
    encoders = [lexical_encoder(catalogue, examples, say), *([] if lexical_only else sentence_encoders(catalogue, say))]
    decided = examples.all(questions.decided_facts(catalogue))
    say(str(_("Fitting on %(count)d decided products")) % {"count": len(decided)})
    model = InstantModel.fit(
        schema, decided, encoders, cache=embedding_cache(), calibrate_on=unseen_families(catalogue.encoder, decided)
    )
    path = Path(catalogue.slug) / f"instant-{decided_seq}-{secrets.token_hex(4)}"
    bundle = model.save(models_root() / path, encoders_dir=encoders_root())
    return Fitted(path.as_posix(), bundle.hash, _metrics(model), bundle.card, decided_seq, catalogue.encoder)


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


class Ranked:
    """Products in the order in which people should look at them, each with its suggestions."""

    def __init__(
        self,
        rows: Sequence[ProductFacts],
        ranking: Ranking,
        model: Predictor,
        examples: Sequence[Example],
        tag_ids: Mapping[tuple[str, str], int],
    ) -> None:
        self._rows, self._ranking, self._model = rows, ranking, model
        self._examples, self._tag_ids = examples, tag_ids

    def __len__(self) -> int:
        return len(self._rows)

    def suggestions(self) -> Iterator[ProductSuggestions]:
        """Best first, so that the top of the queue is right soonest. Tags retired since are left out."""
        order = np.argsort(-self._ranking.utilities, kind="stable")
        for begin in range(0, len(order), PREDICTED_AT_ONCE):
            chunk = order[begin : begin + PREDICTED_AT_ONCE]
            predictions = self._model.predict([self._examples[i] for i in chunk])
            for i, prediction in zip(chunk, predictions, strict=True):
                yield ProductSuggestions(
                    product=self._rows[i].pk,
                    tags=[
                        SuggestedTag(self._tag_ids[t.facet, t.tag], round(t.score, 4), t.band, t.source, spans(t.spans))
                        for t in prediction.tags
                        if (t.facet, t.tag) in self._tag_ids
                    ],
                    priority=round(float(self._ranking.utilities[i]), 6),
                    why=self._ranking.why[i],
                    blind=bool(self._ranking.blind[i]),
                )


def rank(catalogue: Catalogue, model: ModelVersion, *, everything: bool = False) -> Ranked | None:
    """What waits (or everything), ranked by what a decision would teach. None where the model's files are gone."""
    try:
        served = predictor(model)
    except (BundleError, EncoderError, OSError):
        return None
    products = questions.live_products(catalogue)
    if not everything:
        products = products.filter(queue_item__status__in=QueueItem.WAITING)
    rows = list(questions.facts(catalogue, products))
    examples = Examples(served.model.schema).all(rows)
    ranking = policy.rank(_view(catalogue, served.model, examples), blind_share=catalogue.blind_share)
    return Ranked(rows, ranking, served, examples, tag_ids(catalogue))


def _view(catalogue: Catalogue, model: InstantModel, examples: Sequence[Example]) -> PoolView:
    features = model.features(examples, embedding_cache())
    answered = np.zeros((len(examples), len(model.schema.columns)), dtype=bool)
    for row, example in enumerate(examples):
        for facet in example.complete:
            answered[row, model.schema.facet_columns.get(facet, [])] = True
    known = questions.decided_facts(catalogue, newest=REMEMBERED)
    decided = model.features(Examples(model.schema).all(known), embedding_cache()).dense
    return PoolView(
        ids=[e.id for e in examples],
        families=[e.family for e in examples],
        embeddings=features.dense,
        probabilities=model.probabilities(features),
        open=features.applies & ~answered,
        decided=decided,
        support=model.support,
        facets=model.schema.facet_columns,
        tags=[tag for _facet, tag in model.schema.columns],
    )


def prune(catalogue: Catalogue, keep: int) -> None:
    """Remove all but the newest instant bundles from disk; the rows of the models stay, decisions name them."""
    instant = ModelVersion.objects.filter(catalogue=catalogue, tier=ModelVersion.Tier.INSTANT).exclude(path="")
    for path in (
        instant.exclude(pk=catalogue.serving_id or 0).order_by("-number").values_list("path", flat=True)[keep:50]
    ):
        shutil.rmtree(models_root() / path, ignore_errors=True)
