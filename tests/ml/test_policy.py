"""The order of the queue: doubt first once tags have examples, coverage before, families once, blind at its share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ml.active.coverage import novelty, typicality
from ml.active.policy import rank, spread
from ml.active.uncertainty import entropy, least_confidence, margin
from ml.active.view import PoolView


def pool(n: int = 200, **changes: Any) -> PoolView:
    rng = np.random.default_rng(3)
    fields: dict[str, Any] = {
        "ids": [f"p{i}" for i in range(n)],
        "families": [f"p{i}" for i in range(n)],
        "embeddings": rng.normal(size=(n, 8)).astype(np.float32),
        "probabilities": rng.random((n, 4)).astype(np.float32),
        "open": np.ones((n, 4), dtype=bool),
        "decided": rng.normal(size=(5, 8)).astype(np.float32),
        "support": np.full(4, 10.0),
        "facets": {"colour": [0, 1], "material": [2, 3]},
        "tags": ["black", "red", "wool", "silk"],
    }
    return PoolView(**{**fields, **changes})


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
    assert said["reason"] == "uncertain"
    column = view.tags.index(said["tag"])
    assert column in view.facets[said["facet"]]
    assert margin(view.probabilities[first, [column]])[0] == pytest.approx(margin(view.probabilities[first]).max())


def test_an_answered_facet_raises_no_doubt() -> None:
    view = pool(open=np.tile(np.array([False, False, True, True]), (200, 1)))
    assert {w["facet"] for w in rank(view, blind_share=0.0).why} == {"material"}


def test_while_tags_lack_examples_the_crowd_nobody_has_seen_comes_first() -> None:
    rng = np.random.default_rng(0)
    axes = 5 * np.eye(16)
    crowd, seen = (axis + rng.normal(scale=0.1, size=(40, 16)) for axis in axes[:2])
    alone = rng.normal(size=(20, 16))
    view = pool(100, embeddings=np.vstack([crowd, seen, alone]), decided=seen[:3], support=np.zeros(4))
    ranking = rank(view, blind_share=0.0)
    top = np.argsort(-ranking.utilities)[:20]
    assert (top < 40).mean() >= 0.9
    assert ranking.why[int(top[0])] == {"reason": "coverage"}
    assert typicality(view.embeddings, view.rng)[:40].mean() > typicality(view.embeddings, view.rng)[80:].mean()
    assert novelty(view.embeddings, view.decided, view.rng)[40:80].max() < 0.1


def test_one_of_each_family_comes_before_its_siblings() -> None:
    ranking = rank(pool(families=[f"f{i // 4}" for i in range(200)]), blind_share=0.0)
    order = np.argsort(-ranking.utilities)
    assert len({i // 4 for i in order[:50]}) == 50
    assert (ranking.utilities[order[:50]] > 0).all() and (ranking.utilities[order[50:]] <= 0).all()


def test_the_blind_slice_is_its_share_everywhere_in_the_queue() -> None:
    ranking = rank(pool(4000), blind_share=0.1)
    order = np.argsort(-ranking.utilities)
    shares = [ranking.blind[part].mean() for part in np.array_split(order, 4)]
    assert all(0.07 < share < 0.13 for share in shares)
    assert [w["reason"] == "blind" for w in ranking.why] == list(ranking.blind)
    assert rank(pool(4000), blind_share=0.1).utilities.tolist() == ranking.utilities.tolist()


def test_nothing_to_rank_is_no_error() -> None:
    empty = pool(
        1, ids=[], families=[], embeddings=np.zeros((0, 8)), probabilities=np.zeros((0, 4)), open=np.zeros((0, 4), bool)
    )
    assert rank(empty).utilities.shape == (0,)


def test_spread_keeps_order_and_shares_ranks() -> None:
    assert spread(np.array([3.0, 1.0, 1.0, 9.0])).tolist() == [0.75, 0.375, 0.375, 1.0]
