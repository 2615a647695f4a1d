"""The order of the queue: doubt once tags have examples, coverage before, families once, the blind slice at its share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.active.cold_start import novelty, typicality
from ml.active.policy import FIRST, FIRST_SHARE, Slice, interleave, rank, unknown_share
from ml.active.uncertainty import entropy, least_confidence, margin
from ml.active.view import spread
from tests.ml.pools import pool


@pytest.mark.parametrize("measure", [least_confidence, margin, entropy])
def test_doubt_is_one_at_a_half_and_nought_at_the_ends(measure) -> None:
    found = measure(np.array([0.0, 0.25, 0.5, 0.75, 1.0]))
    assert found[2] == pytest.approx(1) and found[[0, 4]] == pytest.approx(0, abs=1e-5)
    assert found[1] == pytest.approx(found[3]) and 0 < found[1] < 1


def test_with_examples_enough_the_most_doubtful_come_first() -> None:
    view = pool()
    ranking = rank(view, blind_share=0.0)
    doubt = (margin(view.probabilities[:, :2]).max(axis=1) + margin(view.probabilities[:, 2:]).max(axis=1)) / 2
    assert list(np.argsort(-ranking.utilities)[:20]) == list(np.argsort(-doubt)[:20])
    first = int(ranking.utilities.argmax())
    said = ranking.why[first]
    assert said["reason"] == "uncertain" and said["unknown"] == 0 and said["doubt"] == pytest.approx(1)
    column = view.tags.index(said["tag"])
    assert column in view.facets[said["facet"]]
    assert said["score"] == pytest.approx(view.probabilities[first, column], abs=1e-3)
    assert margin(view.probabilities[first, [column]])[0] == pytest.approx(margin(view.probabilities[first]).max())


def test_an_answered_facet_raises_no_doubt() -> None:
    view = pool(open=np.tile(np.array([False, False, True, True]), (200, 1)))
    assert {w["facet"] for w in rank(view, blind_share=0.0).why} == {"material"}


def test_what_is_left_of_a_card_counts_for_no_more_than_it_asks() -> None:
    """Seven facets of eight answered, the last in doubt: a look and a save for one answer."""
    p = np.full((200, 8), 0.1, dtype=np.float32)
    p[:, 7] = 0.5
    open_ = np.ones((200, 8), dtype=bool)
    open_[:100, :7] = False
    facets = {f"f{n}": [n] for n in range(8)}
    view = pool(probabilities=p, open=open_, support=np.full(8, 10.0), facets=facets, tags=list(facets))
    whole = rank(replace(view, applies=np.ones((200, 8), dtype=bool)), blind_share=0.0).utilities
    assert whole[100:].min() > whole[:100].max()
    assert rank(view, blind_share=0.0).utilities.argmax() < 100, "unknown how much was answered: by doubt alone"
    applies = open_.copy()  # a product of which no more was ever asked is not behind
    assert rank(replace(view, applies=applies), blind_share=0.0).utilities.argmax() < 100


def test_while_tags_lack_examples_the_crowd_nobody_has_seen_comes_first() -> None:
    rng = np.random.default_rng(0)
    axes = 5 * np.eye(16)
    crowd, seen = (axis + rng.normal(scale=0.1, size=(40, 16)) for axis in axes[:2])
    alone = rng.normal(size=(20, 16))
    view = pool(100, embeddings=np.vstack([crowd, seen, alone]), decided=seen[:3], support=np.zeros(4))
    ranking = rank(view, blind_share=0.0)
    top = np.argsort(-ranking.utilities)[:20]
    assert top[0] < 40 and (ranking.utilities[top[0]] > ranking.utilities[40:]).all()
    assert ((top < 40) | (top >= 80)).all()  # nothing like what is decided
    assert ranking.why[int(top[0])]["reason"] == "coverage"
    assert typicality(view)[:40].mean() > typicality(view)[80:].mean()
    assert novelty(view)[40:80].max() < 0.1


def test_the_head_of_the_queue_holds_no_two_copies() -> None:
    copies = pool().embeddings.copy()
    copies[100:] = copies[:100] * 1.5  # the same direction: everything is there twice
    view = pool(embeddings=copies, probabilities=np.full((200, 4), 0.5, dtype=np.float32))
    top = np.argsort(-rank(view, blind_share=0.0).utilities)[:40]
    assert len({int(i) % 100 for i in top}) == 40


def test_goods_estimate_says_when_coverage_ends() -> None:
    assert unknown_share(np.zeros(5)) == 1.0
    assert unknown_share(np.array([1, 1, 1, 1])) == 1.0
    assert unknown_share(np.array([1, 2, 3, 4, 10])) == pytest.approx(6 / 20)
    assert unknown_share(np.array([50, 60, 0])) == 0.0


def test_one_of_each_family_comes_before_its_siblings() -> None:
    ranking = rank(pool(families=[f"f{i // 4}" for i in range(200)]), blind_share=0.0)
    order = np.argsort(-ranking.utilities)
    assert len({i // 4 for i in order[:50]}) == 50
    assert (ranking.utilities[order[:50]] > 0).all() and (ranking.utilities[order[50:]] <= 0).all()


def test_the_blind_slice_comes_at_its_share_however_often_the_queue_is_re_ordered() -> None:
    rng, plan, done_blind = np.random.default_rng(0), Slice(0.1), 0
    blind, place = rng.random(1000) < plan.due(1000) / 1000, rng.random(1000)
    left = np.arange(1000)
    for done in range(FIRST + 150):  # one decision, then the queue is ordered anew
        wanted, all_first = rng.random(len(left)), np.ones(len(left), dtype=bool)
        best = int(interleave(wanted, blind[left], place[left], all_first, plan, done, done_blind).argmax())
        done_blind += int(blind[left[best]])
        left = np.delete(left, best)
        if done == FIRST - 1:
            assert done_blind == pytest.approx(FIRST * FIRST_SHARE, abs=2)
    assert done_blind == pytest.approx(plan.due(FIRST + 150), abs=2)
    view = pool()
    again = rank(view, blind_share=0.1)
    assert again.utilities.tolist() == rank(view, blind_share=0.1).utilities.tolist()


def test_a_slice_that_is_behind_does_not_crowd_out_the_rest() -> None:
    ranking = rank(pool(1000), blind_share=0.1, decided=900, blind_decided=0)
    top = np.argsort(-ranking.utilities)[:40]
    assert ranking.blind[top].sum() == 20


def test_the_guards_order_is_random_and_keeps_the_slice() -> None:
    view = pool(400)
    usual, random = rank(view, blind_share=0.1), rank(view, blind_share=0.1, random=True)
    assert (usual.blind == random.blind).all()
    rest = ~random.blind
    assert {w["reason"] for w, b in zip(random.why, random.blind, strict=True) if not b} == {"random"}
    assert abs(np.corrcoef(usual.utilities[rest], random.utilities[rest])[0, 1]) < 0.15


def test_nothing_to_rank_is_no_error() -> None:
    empty = pool(
        1, ids=[], families=[], embeddings=np.zeros((0, 8)), probabilities=np.zeros((0, 4)), open=np.zeros((0, 4), bool)
    )
    assert rank(empty).utilities.shape == (0,)


def test_spread_keeps_order_and_shares_ranks() -> None:
    assert spread(np.array([3.0, 1.0, 1.0, 9.0])).tolist() == [0.75, 0.375, 0.375, 1.0]
