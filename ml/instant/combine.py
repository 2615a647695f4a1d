"""All evidence for a tag on one scale: how it is weighed, calibrated, and when a tag is checked for the reviewer.

Each kind of evidence (head, prototype, likeness to the label, dictionary) is a log-likelihood ratio or close to one,
and they are summed with weights learned over all tags together from out-of-fold scores. So a tag without examples is
scored with weights that other tags taught. Tags are told apart by how many examples they have (their *support*), since
a head with two examples deserves less trust than one with twenty.

Facts that came with a product are weighed last, on top of what its text says: where decided products came with facts
and new ones come without, the text must have been weighed as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import expit

from ml.evaluation.thresholds import best_f1
from ml.instant.head import sigmoid
from ml.schema import Schema

KINDS = ("one", "prior", "head", "prototype", "label_words", "label_sense", "dictionary", "title", "category")
STEPS = (1, 3, 10)  # support below 1, 3, 10, and from 10 on
_DEFAULTS = {  # before anything was learned, by support
    "one": (0.0, 0.0, 0.0, 0.0),
    "prior": (1.0, 1.0, 1.0, 1.0),
    "head": (0.0, 0.8, 1.0, 1.0),
    "prototype": (0.0, 2.0, 1.0, 0.0),
    "label_words": (1.0, 1.0, 0.5, 0.3),
    "label_sense": (2.0, 1.5, 1.0, 0.5),
    "dictionary": (1.0, 0.9, 0.6, 0.4),
    "title": (0.3, 0.2, 0.1, 0.1),
    "category": (0.0, 0.0, 0.0, 0.0),
}
KNEE, STRAIGHT = 1.0, (1.0, 0.0, 0.0)  # log odds from which they may count less; slope, shift, change of slope there
BEND_RIDGE, FAINT = 4.0, -3.0  # pull to no bend, in pairs; log odds below which pairs may be sampled
FACTS = (1.0, 0.0, -0.5)  # before anything was learned: gain, named, facet claimed but this tag not named
PAIRS = 60_000  # out-of-fold pairs that the weights are fitted on; negatives beyond are sampled and weighted


def support_step(support: np.ndarray) -> np.ndarray:
    """0 .. 3 for each tag: none, few, some, many examples."""
    out: np.ndarray = np.searchsorted(np.array(STEPS), support, side="right")
    return out


def default_weights() -> np.ndarray:
    """``(4, kinds)``."""
    return np.array([_DEFAULTS[kind] for kind in KINDS], dtype=np.float64).T


@dataclass
class Combiner:
    """weights ``(4, kinds)`` by support; slope and shift per tag (Platt), shrunk to the facet's and to 1 and 0.

    facts: what a claim of the source adds to the log odds: times its gain, for the tag it names, for one it does not
    bend: see :func:`fit_bend`
    """

    weights: np.ndarray = field(default_factory=default_weights)
    slope: np.ndarray = field(default_factory=lambda: np.ones(0))
    shift: np.ndarray = field(default_factory=lambda: np.zeros(0))
    facts: np.ndarray = field(default_factory=lambda: np.array(FACTS))
    bend: np.ndarray = field(default_factory=lambda: np.array(STRAIGHT))

    def logits(self, evidence: Mapping[str, np.ndarray], support: np.ndarray) -> np.ndarray:
        """``(n, T)`` from the kinds of evidence present, each ``(n, T)`` or ``(T,)``; absent kinds say nothing.

        support: ``(T,)``, or ``(n, T)`` where rows were scored with different examples left out
        """
        weight = self.weights[support_step(support)]
        total: Any = weight[..., 0]
        for number, kind in enumerate(KINDS):
            if kind in evidence:
                total = total + evidence[kind] * weight[..., number].astype(np.float32)
        if len(self.slope):
            total = total * self.slope + self.shift
        total = bent(np.asarray(total), self.bend)
        if "source" in evidence:
            total = total + facts_design(evidence) @ self.facts
        if "sibling" in evidence:  # weighed already: see ml.instant.siblings
            total = total + evidence["sibling"]
        return np.asarray(total, dtype=np.float32)


def cross_fitted(
    evidence: Mapping[str, np.ndarray],
    support: np.ndarray,
    y: np.ndarray,
    known: np.ndarray,
    fold: np.ndarray,
    schema: Schema,
    *,
    seed: int = 0,
    pause: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Logits ``(n, T)`` that the product's family had no part in, not even in the weights and the calibration.

    Each fold is weighed and calibrated by what the others say. Thresholds chosen on logits that were fitted on the same
    pairs trust the highest scores too far: on the fashion catalogue the band "strong" was right 92 times in 100 then,
    and is 95 to 97 times now.
    """
    z = np.zeros(y.shape, dtype=np.float32)
    for part in np.unique(fold):
        pause()
        inside, rest = fold == part, fold != part
        left = {kind: values[rest] for kind, values in evidence.items()}
        combiner = Combiner(fit_weights(left, support[rest], y[rest], known[rest], seed=seed))
        slope, shift = fit_platt(combiner.logits(left, support[rest]), y[rest], known[rest], schema)
        combiner = Combiner(combiner.weights, slope, shift)
        z[inside] = combiner.logits({kind: values[inside] for kind, values in evidence.items()}, support[inside])
    return z


def bent(z: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """Log odds ``z``, bent."""
    slope, shift, _change = bend
    return ease(z * z.dtype.type(slope) + z.dtype.type(shift), *knee(bend))


def knee(bend: np.ndarray) -> tuple[float, float]:
    """Where the knee lies in log odds that slope and shift were applied to, and how much less they count above it."""
    slope, shift, change = bend
    return float(slope * KNEE + shift), float(-change / slope)


def ease(z: np.ndarray, above: float, less: float) -> np.ndarray:
    """What of the log odds is above a point counts by the share ``less`` less; in place where ``z`` is one piece. Next to
    none of a large schema's are above it, so places cost a third of what a mask does."""
    if not less:
        return z
    flat = np.ascontiguousarray(z).reshape(-1)
    high = np.flatnonzero(flat > above)
    flat[high] -= (flat[high] - above) * less
    return flat.reshape(z.shape)


def fit_bend(z: np.ndarray, y: np.ndarray, known: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Slope, shift, and change of the slope above KNEE, of cross-fitted log odds ``z`` (from :func:`cross_fitted`).

    Evidence adds up without end, but what people decide does not get surer without end: they miss tags and name the
    same thing twice. And slopes are fitted mostly on the many pairs that nothing speaks for, and hold where much does.
    So without a bend the highest scores are too high and those in the middle too low (on OA-Mine 0.97 meant 0.91, 0.65
    meant 0.73). One knee for all tags, since what it corrects is common to them: logistic regression on a linear spline
    (as Platt 1999, with a joint), pulled to no bend, never falling.
    """
    # none of the few that something speaks for may be left to chance: a sample of one in seven moved the error by 0.04
    pairs, weight = _sample_pairs(y, known, seed, z > FAINT)
    scores = z[pairs].astype(np.float64)
    design = np.stack([scores, np.ones(len(scores)), np.maximum(scores - KNEE, 0.0)], axis=1)
    found = newton(design, y[pairs], weight, np.array(STRAIGHT), np.full(3, BEND_RIDGE))
    slope = float(np.clip(found[0], 0.3, 3.0))
    return np.array([slope, found[1], max(float(found[2]), 0.1 - slope)])


def facts_design(evidence: Mapping[str, np.ndarray]) -> np.ndarray:
    """``(n, T, 3)``: gain of a claim, whether the tag is named, whether its facet is claimed without naming it."""
    named = evidence["source"] != 0
    return np.stack([evidence["source"], named, evidence["claimed"] & ~named], axis=2).astype(np.float32)


def fit_facts(evidence: Mapping[str, np.ndarray], z: np.ndarray, y: np.ndarray, known: np.ndarray) -> np.ndarray:
    """``Combiner.facts`` from pairs whose facet the source claims something about, on top of the logits ``z``."""
    pairs = known & evidence["claimed"]
    if not pairs.any():
        return np.array(FACTS)
    design = facts_design(evidence)[pairs].astype(np.float64)
    count = pairs.sum()
    return newton(design, y[pairs], np.ones(count), np.array(FACTS), np.full(3, 4.0), z[pairs].astype(np.float64))


def fit_weights(
    evidence: Mapping[str, np.ndarray],
    support: np.ndarray,
    y: np.ndarray,
    known: np.ndarray,
    *,
    seed: int = 0,
) -> np.ndarray:
    """Weights ``(4, kinds)`` by penalised maximum likelihood on out-of-fold pairs; the penalty pulls to the defaults.

    support: ``(n, T)``, the examples each tag had where the row's scores come from. The weights of a support step are
    the sum of shared ones and of its own, so that steps with few pairs borrow from the others.
    """
    pairs, weight = _sample_pairs(y, known, seed)
    rows, columns = pairs
    shape = y.shape
    values = np.stack(
        [
            np.ones(len(rows))
            if kind == "one"
            else np.broadcast_to(evidence[kind], shape)[rows, columns]
            if kind in evidence
            else np.zeros(len(rows))
            for kind in KINDS
        ],
        axis=1,
    )
    step = support_step(support[rows, columns])
    steps, kinds = default_weights().shape
    design = np.zeros((len(rows), kinds * (steps + 1)))
    design[:, :kinds] = values
    for which in range(steps):
        block = design[:, kinds * (which + 1) : kinds * (which + 2)]
        block[step == which] = values[step == which]
    start = np.concatenate([np.zeros(kinds), default_weights().ravel()])
    ridge = np.concatenate([np.full(kinds, 1.0), np.full(kinds * steps, 4.0)])
    fitted = newton(design, y[rows, columns], weight, start, ridge)
    out: np.ndarray = fitted[:kinds] + fitted[kinds:].reshape(steps, kinds)
    positive = [KINDS.index(k) for k in ("head", "dictionary", "prototype")]
    out[:, positive] = np.maximum(out[:, positive], 0.0)  # evidence for a tag never speaks against it
    return out


def _sample_pairs(
    y: np.ndarray, known: np.ndarray, seed: int, whole: np.ndarray | None = None
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """All known positives (and all known pairs of ``whole``) and at most PAIRS of the other known ones, with the weights
    that make up for the sampling."""
    kept = known & ((y > 0) if whole is None else (y > 0) | whole)
    positive, negative = np.flatnonzero(kept), np.flatnonzero(known & ~kept)
    weight = np.ones(len(positive))
    share = 1.0
    if len(negative) > PAIRS:
        share = len(negative) / PAIRS
        negative = np.random.default_rng(seed).choice(negative, PAIRS, replace=False)
    chosen = np.concatenate([positive, negative])
    return np.unravel_index(chosen, y.shape), np.concatenate([weight, np.full(len(negative), share)])  # type: ignore[return-value]


def newton(
    design: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    start: np.ndarray,
    ridge: np.ndarray,
    offset: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Penalised logistic regression towards ``start``; Newton's method with halved steps where it overshoots."""

    def loss(beta: np.ndarray) -> float:
        z = design @ beta + offset
        fit = (weight * (np.logaddexp(0.0, z) - y * z)).sum()
        return float(fit + 0.5 * (ridge * (beta - start) ** 2).sum())

    beta, value = start.copy(), loss(start)
    for _ in range(20):
        p = expit(design @ beta + offset)
        gradient = design.T @ (weight * (p - y)) + ridge * (beta - start)
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > 1e-4 and loss(beta - size * step) > value:
            size /= 2
        if size <= 1e-4:
            break
        beta = beta - size * step
        before, value = value, loss(beta)
        if before - value < 1e-5 * max(before, 1.0):
            break
    return beta


def fit_platt(
    z: np.ndarray, y: np.ndarray, known: np.ndarray, schema: Schema, *, strength: float = 6.0
) -> tuple[np.ndarray, np.ndarray]:
    """Slope and shift ``(T,)`` per tag on combined logits ``(n, T)``, out of fold.

    Facets first (pulled to slope 1, shift 0), then each tag's shift (pulled to its facet's): ``strength`` is how many
    units of information the pull is worth.
    """
    tags = z.shape[1]
    slope, shift = np.ones(tags), np.zeros(tags)
    for columns in schema.facet_columns.values():
        mask = known[:, columns]
        if mask.any():
            scores, truth = z[:, columns][mask].astype(np.float64), y[:, columns][mask]
            design = np.stack([scores, np.ones(len(scores))], axis=1)
            fitted = newton(design, truth, np.ones(len(scores)), np.array([1.0, 0.0]), np.full(2, 2 * strength))
            slope[columns], shift[columns] = np.clip(fitted[0], 0.3, 3.0), fitted[1]
    own = np.zeros(tags)
    for _ in range(4):
        p = expit(z * slope + shift + own)
        gradient = ((y - p) * known).sum(axis=0) - strength * own
        own += gradient / ((p * (1 - p) * known).sum(axis=0) + strength)
    return slope, shift + np.clip(own, -2.0, 2.0)


def share_single(z: np.ndarray, schema: Schema) -> np.ndarray:
    """Probabilities ``(n, T)``; inside a single-choice facet they are shares that leave room for "none of them".

    For independent odds, ``odds / (1 + sum of odds)`` is the probability of a tag given that at most one is right.
    """
    p = sigmoid(z)
    begin = 0
    for facet in schema.facets:  # the columns of a facet stand side by side, in the order of the schema
        columns = slice(begin, begin + len(facet.tags))
        begin = columns.stop
        if facet.single and len(facet.tags) > 1:
            odds = np.exp(np.clip(z[:, columns], -30, 30))
            p[:, columns] = odds / (1 + odds.sum(axis=1, keepdims=True))
    return p


def best_threshold(p: np.ndarray, y: np.ndarray, default: float = 0.4, strength: float = 10.0) -> float:
    """The score from which to check a tag so that F1 over these pairs is highest, pulled to ``default``.

    ``strength`` is how many right tags the pull is worth. Scores and truth are flat arrays of known pairs.
    """
    positives = float(y.sum())
    if positives == 0:
        return default
    found, _ = best_f1(p, y > 0.5)
    return float((found * positives + default * strength) / (positives + strength))


def fit_thresholds(p: np.ndarray, y: np.ndarray, known: np.ndarray, schema: Schema) -> np.ndarray:
    """``(T,)``: one score for all tags, since they are calibrated tag by tag; a tag's own fixed threshold goes before.

    Micro-F1 is highest with one threshold on calibrated scores, at half of the F1 reached (Lipton, Elkan and
    Naryanaswamy 2014). Thresholds of each facet's own best F1 check too much where little can be known: on a fashion
    catalogue they cost 1.6 points. Taken is the mean of the score that was best out of fold and of that half.
    """
    best = best_threshold(p[known], y[known])
    checked = (p[known] >= best).sum()
    right = y[known][p[known] >= best].sum()
    half = float(right / max(checked + y[known].sum(), 1.0))
    return fixed_thresholds(np.full(p.shape[1], (best + half) / 2), schema)


def fixed_thresholds(thresholds: np.ndarray, schema: Schema) -> np.ndarray:
    """Where the schema states a threshold for a tag, that one."""
    out: np.ndarray = np.clip(thresholds, 0.05, 0.95)
    for column, spec in enumerate(schema.tag_specs):
        if spec.threshold is not None:
            out[column] = spec.threshold
    return out


def fit_strong(
    p: np.ndarray, y: np.ndarray, known: np.ndarray, thresholds: np.ndarray, *, precision: float = 0.95
) -> np.ndarray:
    """``(T,)``: the score from which checked tags were right ``precision`` of the time out of fold, at least 0.8.

    One score for all tags (scores are calibrated by tag), and never below a tag's own threshold.
    """
    scores, truth = p[known], y[known]
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(truth[order])
    # a Wilson lower bound would be stricter; the mean less one prior error keeps a handful of lucky tags from counting
    share = right / (np.arange(1, len(order) + 1) + 1.0)
    good = np.flatnonzero(share >= precision)
    score = float(scores[order[good[-1]]]) if len(good) else 0.95
    out: np.ndarray = np.maximum(thresholds, np.clip(score, 0.8, 0.97))
    return out
