"""Loaded models, kept while they are used, and their answers about products that need not be stored."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from annotations.bridge.rows import Examples, embedding_cache, encoders_root, facts_of_row, models_root
from annotations.models import Catalogue, ModelVersion
from ml.bundle import BundleError
from ml.serving.predictor import Prediction, Predictor

LOADED = 4  # bundles kept in memory by one process
_loaded: OrderedDict[str, Predictor] = OrderedDict()
_lock = threading.Lock()


def predictor(model: ModelVersion) -> Predictor:
    """The model, loaded once per process and kept while it is used. Raises BundleError where its files are gone."""
    with _lock:
        if (found := _loaded.get(model.path)) is not None:
            _loaded.move_to_end(model.path)
            return found
    fresh = Predictor.load(models_root() / model.path, encoders_root(), cache=embedding_cache())
    remember(model.path, fresh)
    return fresh


def remember(path: str, fresh: Predictor) -> None:
    """Keep a model that was made or read in this process under the path of its bundle."""
    with _lock:
        _loaded[path] = fresh
        while len(_loaded) > LOADED:
            _loaded.popitem(last=False)


def serving(catalogue: Catalogue) -> Predictor | None:
    """What suggests for the catalogue now; None before the first refit, or when its files are gone."""
    model = ModelVersion.objects.filter(pk=catalogue.serving_id or 0).first()
    try:
        return predictor(model) if model else None
    except (BundleError, OSError):
        return None


def suggest(catalogue: Catalogue, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Suggestions for products that need not be stored, in their order:
    ``{id, suggestions: {facet: [{tag, label, score, band, source, spans}]}}``. Nothing is stored.

    Raises LookupError while the catalogue has no model.
    """
    model = serving(catalogue)
    if model is None:
        raise LookupError(catalogue.slug)
    examples = Examples(model.model.schema).all(facts_of_row(row) for row in rows)
    schema = model.model.schema
    labels = {p: spec.label(catalogue.language) for p, spec in zip(schema.columns, schema.tag_specs, strict=True)}
    return [_answer(prediction, labels) for prediction in model.predict(examples)]


def _answer(prediction: Prediction, labels: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {}
    for tag in prediction.tags:
        found.setdefault(tag.facet, []).append(
            {
                "tag": tag.tag,
                "label": labels[tag.facet, tag.tag],
                "score": round(tag.score, 4),
                "band": tag.band,
                "source": tag.source,
                "spans": spans(tag.spans),
            }
        )
    return {"id": prediction.id, "suggestions": found}


def spans(found: Iterable[Any]) -> list[dict[str, Any]]:
    return [{"field": s.field, "start": s.start, "end": s.end} for s in found]
