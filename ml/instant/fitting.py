"""How the instant model is fitted: once on everything, and once for each fold of families left out.

The out-of-fold scores of the decided products are honest: neither the head, nor the prototypes, nor the precision of
dictionary entries has seen the family. From them come the weights of the kinds of evidence, the calibration, the
thresholds, and the report. They cost several times what the fit itself costs and change slowly, so a refit may keep
those of the model before (:func:`calibration_due`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.encoders.base import Encoder, normalise
from ml.encoders.lexical import LexicalEncoder
from ml.examples import Example, fold_of, targets
from ml.instant import head
from ml.instant.cache import EmbeddingCache
from ml.instant.combine import (
    Combiner,
    bent,
    cross_fitted,
    fit_bend,
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
from ml.instant.siblings import Heads, Siblings, axes, fitted_terms
from ml.instant.threads import one_blas_thread
from ml.schema import Schema

DEFAULT_THRESHOLD = 0.5
DEFAULT_STRONG = 0.9


@dataclass(frozen=True, slots=True)
class Truth:
    """Labels and mask ``(n, T)`` of the decided products, the fold in which each is scored (-1: in none), and its family."""

    y: np.ndarray
    known: np.ndarray
    fold: np.ndarray
    families: Sequence[str]


@dataclass(frozen=True, slots=True)
class Material:
    """All that a fit reads: the decided products as features and truth, and the tags' words (a block an encoder)."""

    schema: Schema
    encoders: list[Encoder]
    dictionary: Dictionary
    features: Features
    truth: Truth
    labels: list[np.ndarray]
    plan: Plan
    seed: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is learned from some of the products."""

    weights: np.ndarray  # (d + 1, T)
    has_head: np.ndarray
    support: np.ndarray
    prior: np.ndarray
    prototypes: np.ndarray


@dataclass(frozen=True, slots=True)
class Calibration:
    """How evidence is weighed and where it is checked; ``folds``: the weights that left each fold out."""

    combiner: Combiner
    thresholds: np.ndarray
    strong: np.ndarray
    report: dict[str, Any]
    folds: dict[int, np.ndarray]
    heads: Heads


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
    check(schema, encoders)
    decided = [e for e in decided if e.decided]
    dictionary = Dictionary.build(schema, decided)
    features = read_features(schema, dictionary, encoders, decided, cache)
    y, known = targets(schema, decided)
    families = [e.family for e in decided]
    truth = Truth(y, known & features.applies, folds_of(families, calibrate_on, plan, seed), families)
    labels = label_vectors(schema, encoders, previous, cache)
    return fit_material(Material(schema, encoders, dictionary, features, truth, labels, plan, seed), previous)


def check(schema: Schema, encoders: Sequence[Encoder]) -> None:
    """Raises ValueError where nothing could be fitted."""
    if not encoders:
        raise ValueError("an instant model needs at least one encoder")
    if not schema.columns:
        raise ValueError("the schema has no tags")


def fit_material(
    material: Material,
    previous: InstantModel | None,
    *,
    recalibrate: bool = True,
    calibration: Calibration | None = None,
) -> InstantModel:
    """Fit the head, and unless told otherwise the calibration, on everything that is known.

    calibration: to be taken instead, made by :func:`calibrate` for the same tags and encoders.
    """
    features, truth, plan = material.features, material.truth, material.plan
    products = len(truth.y)
    with one_blas_thread():
        began = time.perf_counter()
        centre = features.dense.mean(axis=0) if products else np.zeros(features.dense.shape[1], dtype=np.float32)
        rotation = head.rotate(features.dense, plan.ridge) if products else None
        start = _warm_start(material, previous)
        final = _fit_part(material, rotation, centre, None, start)
        if calibration is not None:
            pass
        elif previous is not None and not recalibrate:
            calibration = _kept_calibration(material, previous)
        else:
            calibration = _calibrate(material, rotation, centre, previous if start is not None else None)
        material.dictionary.learn(
            *entry_counts(features.hits, truth.y, truth.known, len(material.dictionary.entries)),
        )
    report = {
        **calibration.report,
        "products": products,
        "tags_right": int(truth.y.sum()),
        "seconds": time.perf_counter() - began,
    }
    return InstantModel(
        schema=material.schema,
        encoders=material.encoders,
        dictionary=material.dictionary,
        weights=final.weights,
        has_head=final.has_head,
        support=final.support,
        prior=final.prior,
        centre=centre,
        prototypes=final.prototypes,
        labels=material.labels,
        combiner=calibration.combiner,
        thresholds=calibration.thresholds,
        strong=calibration.strong,
        siblings=Siblings.of(calibration.heads, features.product, truth.families, truth.y, truth.known),
        report=report,
        folds=calibration.folds,
    )


def calibrate(
    material: Material, previous: InstantModel | None, pause: Callable[[], None] = lambda: None
) -> Calibration:
    """The calibration alone, from a snapshot of the decisions, while others fit and score.

    pause: called between its parts; what it raises ends the work.
    """
    features = material.features
    with one_blas_thread():
        products = len(material.truth.y)
        centre = features.dense.mean(axis=0) if products else np.zeros(features.dense.shape[1], dtype=np.float32)
        rotation = head.rotate(features.dense, material.plan.ridge) if products else None
        start = previous if _warm_start(material, previous) is not None else None
        return _calibrate(material, rotation, centre, start, pause)


def can_wait(previous: InstantModel | None, schema: Schema, encoders: Sequence[Encoder]) -> bool:
    """Whether a model can go on with the calibration of ``previous`` until a better one is made."""
    if previous is None or not previous.report.get("calibrated"):
        return False
    same_tags = previous.schema.columns == schema.columns
    return same_tags and [e.hash for e in previous.encoders] == [e.hash for e in encoders]


def calibration_due(previous: InstantModel | None, schema: Schema, encoders: Sequence[Encoder], products: int) -> bool:
    """False while the calibration of ``previous`` may stand.

    That is: same tags, same encoders, and since it was made the decided products have grown by less than the plan's
    share. Calibrating anew at each decision costs several fits and changes scores by less than their error.
    """
    if previous is None or not can_wait(previous, schema, encoders):
        return True
    then = int(previous.report.get("calibrated_on", 0))
    return abs(products - then) > Plan().stale * then


def _kept_calibration(material: Material, previous: InstantModel) -> Calibration:
    kept = ("calibrated", "calibrated_on", "scored_products", "out_of_fold_f1", "out_of_fold_precision")
    thresholds = fixed_thresholds(previous.thresholds, material.schema)
    return Calibration(
        previous.combiner,
        thresholds,
        np.maximum(previous.strong, thresholds),
        {name: previous.report[name] for name in kept if name in previous.report},
        previous.folds,
        previous.siblings.heads,
    )


def dealt(families: Sequence[str], plan: Plan, seed: int) -> tuple[int, np.ndarray]:
    """Into how many folds families are dealt, 0 for none, and the fold of each product."""
    folds = min(plan.folds, len(set(families)))
    if folds < 2:
        return 0, np.full(len(families), -1)
    return folds, np.array([fold_of(family, folds, str(seed)) for family in families])


def folds_of(families: Sequence[str], calibrate_on: set[str] | None, plan: Plan, seed: int) -> np.ndarray:
    """The fold of each product by family; -1 for those that must not, or need not, be scored out of fold."""
    folds, out = dealt(families, plan, seed)
    if not folds:
        return out
    if calibrate_on is not None:
        out[[family not in calibrate_on for family in families]] = -1
    scored = np.flatnonzero(out >= 0)
    if len(scored) > plan.fold_rows:  # whole families, in an order fixed by their fold salt
        order = np.array([fold_of(family, 2**31, f"rows{seed}") for family in families])
        limit = np.sort(order[scored])[plan.fold_rows]
        out[order >= limit] = -1
    return out


def label_vectors(
    schema: Schema, encoders: Sequence[Encoder], previous: InstantModel | None, cache: EmbeddingCache | None
) -> list[np.ndarray]:
    """Each tag's words through each encoder, against its facet; those of the previous model where nothing changed."""
    examples = label_examples(schema)
    known: dict[str, np.ndarray] = {}
    if previous is not None and (previous.schema is schema or previous.schema.hash == schema.hash):
        known = {e.hash: block for e, block in zip(previous.encoders, previous.labels, strict=True)}
    found = []
    for encoder in encoders:
        if encoder.hash in known:
            found.append(known[encoder.hash])
        else:
            vectors = cache.embed(encoder, examples) if cache is not None else encoder.embed(examples)
            found.append(facet_contrast(vectors, schema))
    return found


def _warm_start(material: Material, previous: InstantModel | None) -> np.ndarray | None:
    """The previous weights by tag, where the features still mean the same."""
    if previous is None or [e.hash for e in previous.encoders] != [e.hash for e in material.encoders]:
        return None
    return _by_tag(previous.weights, previous.schema, material.schema)


def _by_tag(weights: np.ndarray, before: Schema, now: Schema) -> np.ndarray:
    """Columns of one schema moved to where another has these tags; zeros for tags it did not have."""
    if before.columns == now.columns:
        return weights
    out = np.zeros((weights.shape[0], len(now.columns)), dtype=np.float32)
    for column, pair in enumerate(now.columns):
        if (old := before.column(*pair)) is not None:
            out[:, column] = weights[:, old]
    return out


def _fit_part(
    material: Material,
    rotation: head.Rotation | None,
    centre: np.ndarray,
    rows: np.ndarray | None,
    start: np.ndarray | None = None,
) -> Fitted:
    """Fit on the products of ``rows`` (all of them: None)."""
    truth, dense = material.truth, material.features.dense
    y, known = (truth.y, truth.known) if rows is None else (truth.y[rows], truth.known[rows])
    dense = dense if rows is None else dense[rows]
    tags = y.shape[1]
    support = (y * known).sum(axis=0)
    against = known.sum(axis=0) - support
    active = np.flatnonzero((support >= material.plan.least) & (against > 0))
    weights = np.zeros((dense.shape[1] + 1, tags), dtype=np.float32)
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
        prior_logits(y, known, material.schema),
        prototypes(dense, y, known, centre),
    )


def _calibrate(
    material: Material,
    rotation: head.Rotation | None,
    centre: np.ndarray,
    previous: InstantModel | None,
    pause: Callable[[], None] = lambda: None,
) -> Calibration:
    """From out-of-fold scores; defaults while too little is decided."""
    schema, truth = material.schema, material.truth
    tags = len(schema.columns)
    scored = np.flatnonzero(truth.fold >= 0)
    y, known = truth.y[scored], truth.known[scored]
    if (y * known).sum() < material.plan.enough or not (known & (y == 0)).any():
        flat = fixed_thresholds(np.full(tags, DEFAULT_THRESHOLD), schema)
        columns = axes(schema, truth.families, truth.y, truth.known)
        heads = Heads.unfitted(columns, material.features.dense.shape[1])
        return Calibration(Combiner(), flat, np.maximum(flat, DEFAULT_STRONG), {"calibrated": False}, {}, heads)
    folds, fold = dealt(truth.families, material.plan, material.seed)
    evidence, support, parts = _out_of_fold(material, rotation, centre, scored, fold, previous, pause)
    weights = fit_weights(evidence, support, y, known, seed=material.seed)
    text = {kind: values for kind, values in evidence.items() if kind != "source"}
    slope, shift = fit_platt(Combiner(weights).logits(text, support), y, known, schema)
    pause()
    z = cross_fitted(text, support, y, known, truth.fold[scored], schema, seed=material.seed, pause=pause)
    bend = fit_bend(z, y, known, seed=material.seed)
    z = bent(z, bend)
    combiner = Combiner(weights, slope, shift, fit_facts(evidence, z, y, known), bend)
    p = share_single(np.where(material.features.applies[scored], z, np.float32(-30.0)), schema)
    thresholds = fit_thresholds(p, y, known, schema)
    strong = fit_strong(p, y, known, thresholds)
    checked = (p >= thresholds) & known
    right = float((checked * y).sum())
    report = {
        "calibrated": True,
        "calibrated_on": len(truth.y),
        "out_of_fold_f1": 2 * right / max(float(checked.sum() + (y * known).sum()), 1.0),
        "out_of_fold_precision": right / max(float(checked.sum()), 1.0),
        "scored_products": len(scored),
    }
    heads = _heads(material, folds, parts, scored, z)
    return Calibration(combiner, thresholds, strong, report, {fold: p.weights for fold, p in parts.items()}, heads)


def _heads(material: Material, folds: int, parts: Mapping[int, Fitted], scored: np.ndarray, z: np.ndarray) -> Heads:
    """What scores variants of decided articles where they may differ; z: log odds of ``scored`` that their families had no
    part in."""
    truth, features = material.truth, material.features
    columns = axes(material.schema, truth.families, truth.y, truth.known)
    heads = Heads.unfitted(columns, features.dense.shape[1], folds, material.seed)
    for fold, part in parts.items():
        heads.weights[fold] = np.where(part.has_head[columns], part.weights[:, columns], 0.0)
        heads.weights[fold][-1] -= np.where(part.has_head[columns], part.prior[columns], 0.0)
        heads.prototypes[fold] = part.prototypes[columns]
    siblings = Siblings.of(heads, features.product, truth.families, truth.y, truth.known)
    said = siblings.said(features.product[scored], features.family[scored])
    return fitted_terms(siblings, said, z, truth.y[scored], truth.known[scored], material.schema)


def _out_of_fold(
    material: Material,
    rotation: head.Rotation | None,
    centre: np.ndarray,
    scored: np.ndarray,
    left_out: np.ndarray,
    previous: InstantModel | None,
    pause: Callable[[], None],
) -> tuple[dict[str, np.ndarray], np.ndarray, dict[int, Fitted]]:
    """Evidence for the products ``scored``, ``(len(scored), T)`` a kind, the support each score was made with, and what was
    fitted without each fold.

    Without its families, that is, by ``left_out`` (the fold of each product) and whether they are scored or not: who asks
    about them later is to find heads that have not seen them. A fold starts from the weights that left the same fold out
    before: these have not seen its families either.
    """
    features, truth, dictionary = material.features, material.truth, material.dictionary
    lexical = [isinstance(e, LexicalEncoder) for e in material.encoders]
    place = np.full(len(truth.fold), -1)
    place[scored] = np.arange(len(scored))
    shape = (len(scored), truth.y.shape[1])
    evidence = label_evidence([b[scored] for b in features.blocks], material.labels, lexical)
    evidence["claimed"] = features.claimed[scored]
    for kind in ("prior", "head", "prototype", "dictionary", "title", "category", "source"):
        evidence[kind] = np.zeros(shape, dtype=np.float32)
    support = np.zeros(shape, dtype=np.float32)
    parts: dict[int, Fitted] = {}
    count = len(dictionary.entries)
    priors = np.array([e.prior for e in dictionary.entries])
    everything = entry_counts(features.hits, truth.y, truth.known, count)
    for fold in np.unique(truth.fold[scored]):
        pause()
        inside = truth.fold == fold
        before = previous.folds.get(int(fold)) if previous is not None else None
        start = (
            _by_tag(before, previous.schema, material.schema) if previous is not None and before is not None else None
        )
        part = parts[int(fold)] = _fit_part(material, rotation, centre, np.flatnonzero(left_out != fold), start)
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
    return evidence, support, parts
