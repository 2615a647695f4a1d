"""Loaded models, kept while they are used, and their answers about products that need not be stored."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from annotations.actions.suggestions import tag_ids
from annotations.bridge import shelf
from annotations.bridge.rows import Examples, embedding_cache, encoders_root, facts_of_row
from annotations.models import Catalogue, ModelVersion
from ml.bundle import BundleError
from ml.encoders.base import Encoder, EncoderError, read_card
from ml.instant.model import InstantModel
from ml.schema import Schema
from ml.serving import int8
from ml.serving.full import read_spans
from ml.serving.predictor import Prediction, Predictor
from ml.serving.spans import SpanReader

log = logging.getLogger(__name__)

LOADED = 4  # bundles kept in memory by one process
_loaded: OrderedDict[str, Predictor] = OrderedDict()
_lock = threading.Lock()


def predictor(model: ModelVersion) -> Predictor:
    """The model, loaded once per process and kept while it is used. Raises BundleError where its files are gone."""
    with _lock:
        if (found := _loaded.get(model.path)) is not None:
            _loaded.move_to_end(model.path)
            return found
    bundle = shelf.at_hand(model.path, model.sha256)
    for name in model.card.get("encoders", []):
        shelf.at_hand(f"{encoders_root().name}/{name}")
    instant = InstantModel.load(bundle, encoders_root())
    fresh = Predictor(instant, embedding_cache(), span_reader(model.encoder, instant.encoders))
    remember(model.path, fresh)
    return fresh


_readers: OrderedDict[str, SpanReader | None] = OrderedDict()


def span_reader(full: ModelVersion | None, encoders: Sequence[Encoder]) -> SpanReader | None:
    """What reads spans by the promoted model ``full``, through its encoder, which is one of these: nothing is loaded
    twice. None where it learned none. Kept by a process, since it remembers what it has read."""
    if full is None:
        return None
    with _lock:
        if full.path in _readers:
            return _readers[full.path]
    found = None
    try:
        bundle = shelf.at_hand(full.path, full.sha256)
        card = read_card(bundle / "encoder", "onnx")
        for encoder in encoders:
            if encoder.hash == card["hash"]:
                found = read_spans(bundle, Schema.load(bundle / "schema.json"), encoder)
    except (BundleError, EncoderError, OSError, ValueError, KeyError) as error:
        log.warning("%s reads no spans: %s", full.name, error)
    with _lock:
        _readers[full.path] = found
        while len(_readers) > LOADED:
            _readers.popitem(last=False)
    return found


def remember(path: str, fresh: Predictor) -> None:
    """Keep a model that was made or read in this process under the path of its bundle."""
    with _lock:
        _loaded[path] = fresh
        while len(_loaded) > LOADED:
            _loaded.popitem(last=False)


_quick: OrderedDict[str, Predictor] = OrderedDict()
_loading: dict[str, threading.Thread] = {}
_answers: dict[int, str] = {}  # of each catalogue, the path of the model that answered last
PATIENCE = 0.25  # seconds that a request waits for a new model, before the former one answers it


def _fit_to_answer(model: ModelVersion) -> Predictor:
    """The model as it answers one product: on int8 where this head's answers stay the same (``ml.serving.int8``)."""
    exact = predictor(model)
    if (model.card.get("int8") or {}).get("agreement", 0.0) >= int8.AGREEMENT:
        for encoder in exact.model.encoders:
            shelf.at_hand(f"{encoders_root().name}/{encoder.hash}{int8.SUFFIX}")
        twin = int8.with_twins(exact.model, encoders_root())
        if twin is not None:
            return Predictor(twin, reader=exact.reader)
    return Predictor(
        exact.model, reader=exact.reader
    )  # without the cache: what is asked about is seldom asked about again


def _load(model: ModelVersion) -> None:
    try:
        fresh = _fit_to_answer(model)
    except (BundleError, EncoderError, OSError) as error:
        log.warning("%s cannot answer: %s", model.name, error)
        return
    finally:
        with _lock:
            _loading.pop(model.path, None)
    with _lock:
        _quick[model.path] = fresh
        _quick.move_to_end(model.path)
        while len(_quick) > LOADED:
            _quick.popitem(last=False)


def answering(catalogue: Catalogue) -> Predictor | None:
    """What answers ``suggest`` now. A model is loaded once a process, in a thread of its own: while it is on its way,
    the former one goes on answering, each request by one model from end to end; without a former one, requests wait.

    None before the first refit, or where the files are gone.
    """
    model = ModelVersion.objects.filter(pk=catalogue.serving_id or 0).first()
    if model is None:
        return None
    with _lock:
        ready = _quick.get(model.path)
        former = _quick.get(_answers.get(catalogue.pk, ""))
        thread = _loading.get(model.path)
        if ready is None and thread is None:
            thread = _loading[model.path] = threading.Thread(target=_load, args=(model,), daemon=True)
            thread.start()
    if ready is None:
        assert thread is not None
        thread.join(PATIENCE if former is not None else None)
        with _lock:
            ready = _quick.get(model.path)
    if ready is not None:
        with _lock:
            _answers[catalogue.pk] = model.path
        return ready
    return former


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
    model = answering(catalogue)
    if model is None:
        raise LookupError(catalogue.slug)
    examples = Examples(model.model.schema).all(facts_of_row(row) for row in rows)
    schema = model.model.schema
    labels = {p: spec.label(catalogue.language) for p, spec in zip(schema.columns, schema.tag_specs, strict=True)}
    allowed = tag_ids(catalogue).keys()  # without retired tags, and those that have a blocked word
    return [_answer(prediction, labels, allowed) for prediction in model.predict(examples)]


def _answer(
    prediction: Prediction, labels: Mapping[tuple[str, str], str], allowed: Collection[tuple[str, str]]
) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {}
    for tag in prediction.tags:
        if (tag.facet, tag.tag) not in allowed:
            continue
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
