"""How the instant model is fitted: once on everything, and once for each fold of families left out.

The out-of-fold scores of the decided products are honest: neither the head, nor the prototypes, nor the precision of
dictionary entries has seen the family. From them come the weights of the kinds of evidence, the calibration, the
thresholds, and the report.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ml.encoders.base import Encoder, normalise
from ml.examples import Example, fold_of, targets
from ml.instant import head
from ml.instant.cache import EmbeddingCache
from ml.instant.combine import (
    Combiner,
    fit_facts,
    fit_platt,
    fit_strong,
    fit_thresholds,
    fit_weights,
    fixed_thresholds,
    share_single,
)
from ml.instant.dictionary import Dictionary, precision
from ml.instant.evidence import dictionary_evidence, entry_counts, label_evidence, prior_logits
from ml.instant.model import Features, InstantModel, Plan, read_features
from ml.instant.prototype import facet_contrast, label_examples, prototypes
from ml.schema import Schema

SMALL = 10**8  # products x features x tags: below, threads wait for each other longer than they work
DEFAULT_THRESHOLD = 0.5
DEFAULT_STRONG = 0.9


@dataclass(frozen=True, slots=True)
class Truth:
    """Labels and mask ``(n, T)`` of the decided products, and the fold of each (-1: only ever trained on)."""

    y: np.ndarray
    known: np.ndarray
    fold: np.ndarray


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is learned from some of the products."""

    weights: np.ndarray  # (d + 1, T)
    has_head: np.ndarray
    support: np.ndarray
    prior: np.ndarray
    prototypes: np.ndarray


def fit_model(
    schema: Schema,
    decided: Sequence[Example],
    encoders: list[Encoder],
    *,
    previous: InstantModel | None,
    seed: int,
    calibrate_on: set[str] | None,
    cache: EmbeddingCache | None,
    plan: Plan,
) -> InstantModel:
    """See :meth:`InstantModel.fit`."""
    work = len(decided) * sum(e.dim for e in encoders) * len(schema.columns)
    with threadpool_limits(limits=1 if work < SMALL else None):
        return _fit(schema, decided, encoders, previous, seed, calibrate_on, cache, plan)


def _fit(
    schema: Schema,
    decided: Sequence[Example],
    encoders: list[Encoder],
    previous: InstantModel | None,
    seed: int,
    calibrate_on: set[str] | None,
    cache: EmbeddingCache | None,
    plan: Plan,
) -> InstantModel:
    began = time.perf_counter()
    if not encoders:
        raise ValueError("an instant model needs at least one encoder")
    if not schema.columns:
        raise ValueError("the schema has no tags")
    decided = [e for e in decided if e.decided]
    dictionary = Dictionary.build(schema, decided)
    features = read_features(schema, dictionary, encoders, decided, cache)
    y, known = targets(schema, decided)
    truth = Truth(y, known & features.applies, _folds(decided, calibrate_on, plan, seed))
    labels = _label_vectors(schema, encoders, previous, cache)
    centre = features.dense.mean(axis=0) if decided else np.zeros(features.dense.shape[1], dtype=np.float32)
    rotation = head.rotate(features.dense, plan.ridge) if decided else None
    final = _fit_part(schema, features, truth, rotation, centre, None, plan, _warm_start(schema, encoders, previous))
    combiner, thresholds, strong, report = _calibrate(
        schema, dictionary, features, truth, rotation, centre, labels, encoders, plan, seed
    )
    dictionary.learn(features.matches, truth.y, truth.known)
    report |= {"products": len(decided), "tags_right": int(truth.y.sum()), "seconds": time.perf_counter() - began}
    return InstantModel(
        schema=schema,
        encoders=encoders,
        dictionary=dictionary,
        weights=final.weights,
        has_head=final.has_head,
        support=final.support,
        prior=final.prior,
        centre=centre,
        prototypes=final.prototypes,
        labels=labels,
        combiner=combiner,
        thresholds=thresholds,
        strong=strong,
        report=report,
    )


def _folds(decided: Sequence[Example], calibrate_on: set[str] | None, plan: Plan, seed: int) -> np.ndarray:
    """The fold of each product by family; -1 for those that must not, or need not, be scored out of fold."""
    families = {e.family for e in decided}
    folds = min(plan.folds, len(families))
    if folds < 2:
        return np.full(len(decided), -1)
    out = np.array([fold_of(e.family, folds, str(seed)) for e in decided])
    if calibrate_on is not None:
        out[[e.family not in calibrate_on for e in decided]] = -1
    scored = np.flatnonzero(out >= 0)
    if len(scored) > plan.fold_rows:  # whole families, in an order fixed by their fold salt
        order = np.array([fold_of(e.family, 2**31, f"rows{seed}") for e in decided])
        limit = np.sort(order[scored])[plan.fold_rows]
        out[order >= limit] = -1
    return out


def _label_vectors(
    schema: Schema, encoders: Sequence[Encoder], previous: InstantModel | None, cache: EmbeddingCache | None
) -> list[np.ndarray]:
    """Each tag's words through each encoder, against its facet; those of the previous model where nothing changed."""
    examples = label_examples(schema)
    known: dict[str, np.ndarray] = {}
    if previous is not None and previous.schema.hash == schema.hash:
        known = {e.hash: block for e, block in zip(previous.encoders, previous.labels, strict=True)}
    found = []
    for encoder in encoders:
        if encoder.hash in known:
            found.append(known[encoder.hash])
        else:
            vectors = cache.embed(encoder, examples) if cache is not None else encoder.embed(examples)
            found.append(facet_contrast(vectors, schema))
    return found


def _warm_start(schema: Schema, encoders: Sequence[Encoder], previous: InstantModel | None) -> np.ndarray | None:
    """The previous weights by tag, where the features still mean the same."""
    if previous is None or [e.hash for e in previous.encoders] != [e.hash for e in encoders]:
        return None
    start = np.zeros((previous.weights.shape[0], len(schema.columns)), dtype=np.float32)
    for column, pair in enumerate(schema.columns):
        if (before := previous.schema.column(*pair)) is not None:
            start[:, column] = previous.weights[:, before]
    return start


def _fit_part(
    schema: Schema,
    features: Features,
    truth: Truth,
    rotation: head.Rotation | None,
    centre: np.ndarray,
    rows: np.ndarray | None,
    plan: Plan,
    start: np.ndarray | None = None,
) -> Fitted:
    """Fit on the products of ``rows`` (all of them: None)."""
    tags = len(schema.columns)
    y, known = (truth.y, truth.known) if rows is None else (truth.y[rows], truth.known[rows])
    dense = features.dense if rows is None else features.dense[rows]
    support = (y * known).sum(axis=0)
    against = known.sum(axis=0) - support
    active = np.flatnonzero((support >= plan.least) & (against > 0))
    weights = np.zeros((features.dense.shape[1] + 1, tags), dtype=np.float32)
    if rotation is not None and len(active):
        first = head.warm(rotation, start[:, active]) if start is not None else None
        solved = head.solve(rotation, truth.y[:, active], truth.known[:, active], rows=rows, start=first)
        weights[:, active] = head.restore(rotation, solved)
    has_head = np.zeros(tags, dtype=bool)
    has_head[active] = True
    return Fitted(
        weights,
        has_head,
        support.astype(np.float32),
        prior_logits(y, known, schema),
        prototypes(dense, y, known, centre),
    )


def _calibrate(
    schema: Schema,
    dictionary: Dictionary,
    features: Features,
    truth: Truth,
    rotation: head.Rotation | None,
    centre: np.ndarray,
    labels: list[np.ndarray],
    encoders: Sequence[Encoder],
    plan: Plan,
    seed: int,
) -> tuple[Combiner, np.ndarray, np.ndarray, dict[str, Any]]:
    """Combiner, thresholds and strong thresholds from out-of-fold scores; defaults while too little is decided."""
    tags = len(schema.columns)
    scored = np.flatnonzero(truth.fold >= 0)
    y, known = truth.y[scored], truth.known[scored]
    if (y * known).sum() < plan.enough or not (known & (y == 0)).any():
        flat = fixed_thresholds(np.full(tags, DEFAULT_THRESHOLD), schema)
        return Combiner(), flat, np.maximum(flat, DEFAULT_STRONG), {"calibrated": False}
    evidence, support = _out_of_fold(
        schema, dictionary, features, truth, rotation, centre, labels, encoders, plan, scored
    )
    weights = fit_weights(evidence, support, y, known, seed=seed)
    text = {kind: values for kind, values in evidence.items() if kind != "source"}
    slope, shift = fit_platt(Combiner(weights).logits(text, support), y, known, schema)
    z = Combiner(weights, slope, shift).logits(text, support)
    combiner = Combiner(weights, slope, shift, fit_facts(evidence, z, y, known))
    p = share_single(np.where(features.applies[scored], z, np.float32(-30.0)), schema)
    thresholds = fit_thresholds(p, y, known, schema)
    strong = fit_strong(p, y, known, thresholds)
    checked = (p >= thresholds) & known
    right = float((checked * y).sum())
    report = {
        "calibrated": True,
        "out_of_fold_f1": 2 * right / max(float(checked.sum() + (y * known).sum()), 1.0),
        "out_of_fold_precision": right / max(float(checked.sum()), 1.0),
        "scored_products": len(scored),
    }
    return combiner, thresholds, strong, report


def _out_of_fold(
    schema: Schema,
    dictionary: Dictionary,
    features: Features,
    truth: Truth,
    rotation: head.Rotation | None,
    centre: np.ndarray,
    labels: list[np.ndarray],
    encoders: Sequence[Encoder],
    plan: Plan,
    scored: np.ndarray,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Evidence for the products ``scored``, ``(len(scored), T)`` a kind, and the support each score was made with."""
    from ml.encoders.lexical import LexicalEncoder

    lexical = [isinstance(e, LexicalEncoder) for e in encoders]
    place = np.full(len(truth.fold), -1)
    place[scored] = np.arange(len(scored))
    shape = (len(scored), len(schema.columns))
    evidence = label_evidence([b[scored] for b in features.blocks], labels, lexical)
    evidence["claimed"] = features.claimed[scored]
    for kind in ("prior", "head", "prototype", "dictionary", "title", "category", "source"):
        evidence[kind] = np.zeros(shape, dtype=np.float32)
    support = np.zeros(shape, dtype=np.float32)
    count = len(dictionary.entries)
    priors = np.array([e.prior for e in dictionary.entries])
    everything = entry_counts(features.hits, truth.y, truth.known, count)
    for fold in np.unique(truth.fold[scored]):
        inside = truth.fold == fold
        rows = np.flatnonzero(~inside)
        part = _fit_part(schema, features, truth, rotation, centre, rows, plan)
        at = place[np.flatnonzero(inside)]
        dense = features.dense[inside]
        evidence["prior"][at] = part.prior
        evidence["head"][at] = np.where(part.has_head, head.logits(dense, part.weights) - part.prior, 0.0)
        evidence["prototype"][at] = normalise(dense - centre) @ part.prototypes.T
        support[at] = part.support
        hits = features.hits.of_rows(inside)
        here = entry_counts(hits, truth.y[inside], truth.known[inside], count)
        chance = precision(priors, everything[0] - here[0], everything[1] - here[1])
        for kind, values in dictionary_evidence(hits, chance, part.prior, (len(at), shape[1])).items():
            evidence[kind][at] = values
    return evidence, support
