"""Signatures estimate what they say they do, and groups hold what is alike and nothing else."""

from __future__ import annotations

import random

import numpy as np

from annotations import near

WORDS = [
    f"{a}{b}"
    for a in ("wool", "oak", "steel", "trail", "sun", "city")
    for b in ("coat", "lamp", "shoe", "bag", "mat", "hat")
]


def text(rng: random.Random, n: int = 30) -> str:
    return " ".join(rng.choices(WORDS, k=n))


def test_the_estimate_is_near_the_exact_likeness() -> None:
    rng = random.Random(3)
    for cut in (0, 3, 8, 15, 25):
        one = text(rng)
        other = " ".join([*text(rng).split()[:cut], *one.split()[cut:]])
        signatures = np.stack([near.signature(one), near.signature(other)])
        estimate = near.alike(signatures, 0, np.array([1]))[0]
        assert abs(estimate - near.jaccard(one, other)) < 4 * 0.0625


def test_case_width_and_signs_make_no_difference() -> None:
    assert near.jaccard("Wool-Coat, BLACK", "wool coat black") == 1.0
    assert (near.signature("ＡＢＣＤ 1") == near.signature("abcd 1")).all()
    assert near.jaccard("", "") == 0.0


def test_groups_hold_variants_together_and_strangers_apart() -> None:
    rng = random.Random(5)
    words = ["".join(rng.choices("abcdefghijklmnoprstuvw", k=6)) for _ in range(2000)]
    texts, truth = [], []
    for article in range(60):
        base = " ".join(rng.sample(words, 30))
        for colour in ("black", "red", "white", "blue")[: rng.randint(1, 4)]:
            texts.append(f"{base} {colour}")
            truth.append(article)
    texts += ["", "", "x"]
    truth += [-1, -2, -3]
    signatures = np.stack([near.signature(t) for t in texts])
    found = list(near.groups(signatures, 0.6))
    assert [len({truth[place] for place in places}) for places, _least in found] == [1] * len(found)
    wanted = sum(truth.count(article) > 1 for article in range(60))
    assert len(found) == wanted
    assert sum(len(places) for places, _least in found) == sum(truth.count(a) for a in range(60) if truth.count(a) > 1)
    assert all(least >= 0.6 for _places, least in found)
    assert list(near.groups(signatures, 0.6)) == found, "the same every time"


def test_a_chain_of_likenesses_is_cut() -> None:
    """Each is like the next, the ends are strangers: nobody is put with one that it is not like."""
    words = [f"w{n:03}" for n in range(400)]
    texts = [" ".join(words[10 * n : 10 * n + 60]) for n in range(30)]
    signatures = np.stack([near.signature(t) for t in texts])
    for places, least in near.groups(signatures, 0.6):
        assert all(near.jaccard(texts[places[0]], texts[place]) > 0.4 for place in places)
        assert least >= 0.6


def test_nothing_is_no_group() -> None:
    assert list(near.groups(np.zeros((0, near.PERMUTATIONS), dtype=np.uint32), 0.5)) == []
