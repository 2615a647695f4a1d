"""Strategies and selectors against what they say they are, written out slowly on small pools."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from ml.active.cold_start import Coverage, GreedyCover, Typicality, TypicalOfClusters, balls, novelty
from ml.active.diversity import Contrastive, Discriminative, GradientKMeans, GradientLength, KCenter, Novelty
from ml.active.multilabel import CategoryVectors, Inconsistency, MaximalLoss
from ml.active.posterior import Posterior
from ml.active.selectors import RECIPES, ClassBalanced, NearDuplicateAware, Top, ValueWeighted
from ml.active.uncertainty import Bald, Committee, Random, Uncertainty, entropy, information, least_confidence, margin
from ml.active.view import Decided, PoolView, per_product, spread
from tests.ml.pools import pool

FULL = {"variance": lambda: np.full((200, 4), 2.0), "members": lambda: iter(MEMBERS)}
MEMBERS = [np.random.default_rng(s).random((200, 4)) for s in range(3)]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_gives_the_number_asked_for_and_the_same_again(name: str) -> None:
    view, recipe = pool(**FULL), RECIPES[name]
    utilities = recipe.strategy.utilities(view)
    assert utilities.shape == (200,) and np.isfinite(utilities).all()
    assert (utilities == recipe.strategy.utilities(view)).all()
    picked = recipe.pick(view, 17)
    assert len(picked) == len(set(picked)) == 17 and set(picked) <= set(view.ids)
    assert picked == recipe.pick(view, 17)
    assert set(
        recipe.pick(view.take(np.arange(5)) if name not in ("bald", "committee", "bald_families") else view, 300)
    ) <= set(view.ids)


def test_facets_are_asked_as_a_whole_and_only_where_open() -> None:
    view = pool(3, probabilities=np.array([[0.5, 0, 0, 0], [0.5, 0, 0.5, 0], [0.5, 0.5, 0.5, 0.5]], dtype=np.float32))
    assert Uncertainty(margin).utilities(view).tolist() == [0.5, 1.0, 1.0]
    assert Uncertainty(margin, "tags").utilities(view).tolist() == [1, 2, 4]
    answered = replace(view, open=np.array([[False, False, True, True]] * 3))
    assert Uncertainty(margin).utilities(answered).tolist() == [0, 1, 1]


def scattered(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> PoolView:
    """Facets whose tags lie apart, out of order or alone, one without tags, a third of the questions closed, and blocks
    so small that there are many, on several threads."""
    monkeypatch.setattr("ml.active.view.CELLS", 40)
    monkeypatch.setattr("ml.active.view.SHARED", 200)
    monkeypatch.setattr("ml.active.view.THREADS", 2)
    rng, n = np.random.default_rng(5), 90
    open_ = rng.random((n, 9)) < 0.66
    open_[:7] = [[True], [False], [True], [True], [False], [True], [True]]
    decided = rng.normal(size=(12, 8)).astype(np.float32)
    y = (rng.random((12, 9)) < 0.3).astype(np.float32)
    y[0] = 0
    return pool(n, **{
        "probabilities": rng.beta(0.3, 0.6, (n, 9)).astype(np.float32), "open": open_, "support": np.ones(9),
        "facets": {"a": [0, 1, 2], "b": [5, 3, 7], "none": [], "c": [4], "d": [8, 6]}, "tags": list("abcdefghi"),
        "decided": decided, "history": Decided(decided, y, rng.random((12, 9)) < 0.8, rng.random((12, 9))), **changes,
    })  # fmt: skip


@pytest.mark.parametrize("over", ["mean", "sum", "max", "tags"])
@pytest.mark.parametrize("measure", [margin, least_confidence, entropy])
def test_doubt_is_what_a_plain_loop_says(monkeypatch: pytest.MonkeyPatch, measure: Any, over: str) -> None:
    view = scattered(monkeypatch)
    slow = np.zeros(len(view))
    for i in range(len(view)):
        cells = measure(view.probabilities[i].astype(np.float64))
        most = [max(cells[c] for c in f if view.open[i, c]) for f in view.facets.values() if view.open[i, f].any()]
        every = [cells[c] for c in range(9) if view.open[i, c]]
        slow[i] = {"mean": np.mean(most or [0]), "sum": sum(most), "max": max(most, default=0), "tags": sum(every)}[
            over
        ]
    assert Uncertainty(measure, over).utilities(view) == pytest.approx(slow, abs=2e-6)
    assert per_product(measure(view.probabilities), view, over) == pytest.approx(slow, abs=2e-6)


def test_a_way_to_sum_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="mean, sum, max or tags"):
        Uncertainty(margin, "median").utilities(pool())


def test_measures_are_alike_on_both_sides_of_a_half_and_rise_towards_it() -> None:
    p = np.linspace(0, 0.5, 101)
    for measure in (margin, least_confidence, entropy):
        assert measure(p) == pytest.approx(measure(1 - p))
        assert (np.diff(measure(p)) > 0).all()


def test_top_takes_the_first_of_equals() -> None:
    view = pool(50)
    for seed in range(5):
        utilities = np.random.default_rng(seed).integers(0, 6, 50).astype(float)
        for b in (0, 1, 7, 49, 50, 80):
            slow = sorted(range(50), key=lambda i: -utilities[i])[:b]
            assert Top().pick(utilities, view, b) == [view.ids[i] for i in slow]


def test_random_is_random_and_follows_its_seed() -> None:
    view = pool()
    assert (Random().utilities(view) == Random().utilities(view)).all()
    assert (Random().utilities(view) != Random().utilities(replace(view, seed=1))).all()


def test_bald_is_the_information_that_many_draws_of_the_head_show() -> None:
    p, variance = np.array([[0.5, 0.9, 0.02]]), np.array([[4.0, 1.0, 9.0]])
    drawn = expit(logit(p) + np.random.default_rng(0).normal(size=(200_000, 3)) * np.sqrt(variance))
    slow = entropy(drawn.mean(axis=0)) - entropy(drawn).mean(axis=0)
    assert information(p, variance)[0] == pytest.approx(slow, abs=0.01)
    with pytest.raises(ValueError, match="posterior"):
        Bald().utilities(pool())


def test_the_posterior_is_laplaces() -> None:
    rng = np.random.default_rng(0)
    for decided in (4, 40):
        x, new = rng.normal(size=(decided, 6)).astype(np.float32), rng.normal(size=(5, 6)).astype(np.float32)
        curvature, ridge = np.array([0.25, 0.04]), 0.3
        found = Posterior.of(x, ridge, intercept_ridge=0.2).variance(new, curvature)
        for tag, c in enumerate(curvature):
            whole, one = np.hstack([x, np.ones((decided, 1))]), np.hstack([new, np.ones((5, 1))])
            precision = c * whole.T @ whole + np.diag([ridge] * 6 + [0.2])
            slow = np.einsum("ij,jk,ik->i", one, np.linalg.inv(precision), one)
            assert found[:, tag] == pytest.approx(slow, rel=2e-3)


def test_a_committee_that_agrees_has_nothing_to_ask() -> None:
    same = np.full((200, 4), 0.5)
    view = pool(members=lambda: iter([same, same]))
    assert Committee().utilities(view) == pytest.approx(0, abs=1e-9)
    split = pool(members=lambda: iter([same * 0 + 1, same * 0]))
    assert Committee("vote").utilities(split) == pytest.approx(1)
    assert Committee().utilities(split) == pytest.approx(1, abs=1e-4)


def gradients(view: PoolView) -> np.ndarray:
    """The ``(n, T * d)`` matrix that BADGE never writes."""
    p = view.probabilities
    residual = np.where(view.open, p - (p >= 0.5), 0.0)
    return np.einsum("nt,nd->ntd", residual, view.embeddings).reshape(len(view), -1)


def test_badge_is_k_means_plus_plus_over_gradients() -> None:
    view = pool(60, open=np.random.default_rng(1).random((60, 4)) < 0.8)
    whole = gradients(view).astype(np.float64)
    assert GradientLength().utilities(view) == pytest.approx((whole**2).sum(axis=1), rel=1e-4)
    rng, chosen = view.rng, [int((whole**2).sum(axis=1).argmax())]
    while len(chosen) < 10:
        near = ((whole[:, None, :] - whole[chosen][None]) ** 2).sum(axis=2).min(axis=1)
        near[chosen] = 0.0
        chosen.append(int(rng.choice(60, p=near / near.sum())))
    order = np.argsort(-GradientLength().utilities(view), kind="stable")
    picked = GradientKMeans().pick(GradientLength().utilities(view.take(order)), view.take(order), 10)
    assert picked[0] == view.ids[chosen[0]]
    # drawn by the same numbers from the same shares: the pool in the order that the selector sees it
    ordered = whole[order]
    rng, again = view.rng, [0]
    while len(again) < 10:
        near = ((ordered[:, None, :] - ordered[again][None]) ** 2).sum(axis=2).min(axis=1)
        near[again] = 0.0
        again.append(int(rng.choice(60, p=near / near.sum())))
    assert picked == [view.ids[order[i]] for i in again]


def test_coreset_is_the_farthest_first() -> None:
    view = pool(50)
    points, known = view.points, view.decided / np.linalg.norm(view.decided, axis=1, keepdims=True)
    chosen: list[int] = []
    while len(chosen) < 8:
        far = 1 - (points @ np.vstack([known, points[chosen]]).T).max(axis=1)
        far[chosen] = -1
        chosen.append(int(far.argmax()))
    assert KCenter().pick(Novelty().utilities(view), view, 8) == [view.ids[i] for i in chosen]


def test_typiclust_takes_the_middle_of_each_crowd_that_has_no_decision() -> None:
    rng = np.random.default_rng(0)
    crowds = [5 * axis + rng.normal(scale=0.3, size=(20, 8)) for axis in np.eye(8)[:4]]
    view = pool(80, embeddings=np.vstack(crowds).astype(np.float32), decided=crowds[0][:1].astype(np.float32))
    picked = [int(name[1:]) // 20 for name in TypicalOfClusters().pick(Typicality().utilities(view), view, 3)]
    assert sorted(picked) == [1, 2, 3]
    assert novelty(view)[:20].max() < 0.1


def test_probcover_takes_what_covers_most_of_what_is_left() -> None:
    view = pool(60)
    inside, left = balls(view)
    assert Coverage().utilities(view) == pytest.approx(inside[:, left].sum(axis=1))
    first, second = (int(name[1:]) for name in GreedyCover().pick(Coverage().utilities(view), view, 2))
    gain = inside[:, left].sum(axis=1)
    assert gain[first] == gain.max()
    after = left & ~inside[first]
    rest = inside[:, after].sum(axis=1)
    rest[first] = -1
    assert rest[second] == rest.max()


def test_cal_is_the_divergence_from_decided_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.active.diversity.CELLS", 40)
    monkeypatch.setattr("ml.active.diversity.BLOCK", 25)
    view = scattered(monkeypatch)
    history = view.need_history("test")
    known = history.embeddings / np.linalg.norm(history.embeddings, axis=1, keepdims=True)
    slow = np.zeros(len(view))
    for i in range(len(view)):
        for j in np.argsort(-(known @ view.points[i]))[:2]:
            q, p = (np.clip(v, 1e-4, 1 - 1e-4).astype(float) for v in (history.probabilities[j], view.probabilities[i]))
            apart = q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))
            slow[i] += apart[view.open[i]].sum() / 2
    assert Contrastive(2).utilities(view) == pytest.approx(slow, rel=1e-3, abs=1e-4)
    assert np.isfinite(Contrastive(20).utilities(view)).all()
    with pytest.raises(ValueError, match="CAL needs"):
        Contrastive().utilities(replace(view, history=None))


def test_the_discriminator_knows_decided_ground() -> None:
    rng = np.random.default_rng(0)
    near, far = (5 * axis + rng.normal(size=(30, 8)) for axis in np.eye(8)[:2])
    view = pool(60, embeddings=np.vstack([near, far]).astype(np.float32), decided=near[:10].astype(np.float32))
    found = Discriminative().utilities(view)
    assert found[30:].min() > found[:30].mean()


def test_mmc_is_the_loss_under_the_most_confident_labelling() -> None:
    view = pool(20)
    history = view.need_history("test")
    two = replace(history, y=np.tile([1.0, 1.0, 0.0, 0.0], (5, 1)))  # two tags each: so has everything
    found = MaximalLoss().utilities(replace(view, history=two))
    top = np.argsort(-view.probabilities, axis=1)[:, :2]
    for i in range(20):
        guess = np.full(4, -1.0)
        guess[top[i]] = 1.0
        assert found[i] == pytest.approx(((1 - guess * (2 * view.probabilities[i] - 1)) / 2).sum(), rel=1e-5)


def test_cvirs_ranks_by_margins_and_prefers_tags_unlike_the_decided() -> None:
    p = np.full((2, 4), 0.4, dtype=np.float32)
    p[0, :2], p[1, 2:] = 0.9, 0.9
    history = replace(pool().need_history("test"), y=np.tile([1.0, 1.0, 0.0, 0.0], (5, 1)).astype(np.float32))
    found = CategoryVectors().utilities(pool(2, probabilities=p, history=history))
    assert abs(found[0]) < 1e-6 < found[1]  # the first repeats what is decided
    sure = np.full((3, 4), 0.95, dtype=np.float32)
    sure[1] = 0.6
    ranked = CategoryVectors().utilities(pool(3, probabilities=sure, history=history))
    assert ranked[1] > ranked[0] == ranked[2]


def test_cvirs_is_what_a_plain_loop_says(monkeypatch: pytest.MonkeyPatch) -> None:
    view = scattered(monkeypatch)
    history, n, tags = view.need_history("test"), len(view), 9

    def h(*counts: int) -> float:
        return -sum(c / tags * np.log2(c / tags) for c in counts if c)

    doubt = np.where(view.open, 1 - np.abs(2 * view.probabilities - 1), -1)
    for i in range(n):
        rank = sum((doubt[:, t] < doubt[i, t]).sum() for t in range(tags)) / (n * tags)
        guess, apart = view.open[i] & (view.probabilities[i] >= 0.5), []
        for j in range(12):
            true = history.y[j] * history.known[j] > 0
            a, b, both = int(guess.sum()), int(true.sum()), int((guess & true).sum())
            joint = h(both, a - both, b - both, tags - a - b + both)
            if a + b - 2 * both == tags:
                apart.append(1.0)
            else:
                apart.append((2 * joint - h(a, tags - a) - h(b, tags - b)) / joint if joint > 1e-9 else 0.0)
        assert CategoryVectors().utilities(view)[i] == pytest.approx(rank * np.mean(apart), abs=1e-6)
    none = Decided(history.embeddings[:0], history.y[:0], history.known[:0], history.probabilities[:0])
    ranks = CategoryVectors().utilities(replace(view, history=none))
    assert ranks == pytest.approx([(doubt < doubt[i]).mean() for i in range(n)], abs=1e-6)


def test_lci_prefers_too_many_tags_and_close_scores() -> None:
    p = np.array([[0.9, 0.1, 0.1, 0.1], [0.9, 0.9, 0.9, 0.9], [0.6, 0.4, 0.4, 0.4]], dtype=np.float32)
    history = replace(pool().need_history("test"), y=np.tile([1.0, 0, 0, 0], (5, 1)).astype(np.float32))
    usual, many, close = Inconsistency().utilities(pool(3, probabilities=p, history=history))
    assert many > usual and close > usual


def test_wrappers_balance_weigh_and_pass_over_copies() -> None:
    view = pool()
    rare = replace(view, support=np.array([100.0, 100.0, 100.0, 0.0]))
    lifted = ClassBalanced(Uncertainty(margin)).utilities(rare) - ClassBalanced(Uncertainty(margin)).utilities(view)
    assert np.corrcoef(lifted, view.probabilities[:, 3])[0, 1] > 0.3
    assert view.value is not None
    flat = ValueWeighted(Uncertainty(margin), power=0).utilities(view)
    assert flat == pytest.approx(spread(Uncertainty(margin).utilities(view)))
    best = int(ValueWeighted(Uncertainty(margin), power=50).utilities(view).argmax())
    assert view.value[best] > 0.98
    with pytest.raises(ValueError, match="value of each product"):
        ValueWeighted(Random()).utilities(replace(view, value=None))
    families = replace(view, families=[f"f{i % 10}" for i in range(200)])
    picked = NearDuplicateAware().pick(Random().utilities(families), families, 10)
    assert len({int(name[1:]) % 10 for name in picked}) == 10
    copied = replace(view, decided=view.embeddings[:150])
    assert all(int(name[1:]) >= 150 for name in NearDuplicateAware(Top()).pick(np.ones(200), copied, 50))
    assert len(NearDuplicateAware().pick(np.ones(200), copied, 120)) == 120
