"""Intervals against a bootstrap written out by hand, and flips against an offline difference."""

import json

import numpy as np
import pytest

from ml.evaluation.compare import Answers, compare
from ml.schema import FacetSpec, Schema, TagSpec

SCHEMA = Schema(
    (
        FacetSpec("colour", tuple(TagSpec(t) for t in ("black", "blue", "white")), single=True),
        FacetSpec("use", tuple(TagSpec(t) for t in ("run", "work"))),
        FacetSpec("unasked", (TagSpec("a"),)),
    )
)


def made(n=60, seed=0, better=0.2):
    """(y, known, current, candidate, ids, families); the candidate errs less often by ``better``."""
    rng = np.random.default_rng(seed)
    y = (rng.random((n, 6)) < 0.4).astype(np.float32)
    known = rng.random((n, 6)) < 0.8
    known[:, 5] = False
    y[~known] = 0
    models = []
    for error in (0.3, 0.3 - better):
        chosen = (y > 0.5) ^ (rng.random((n, 6)) < error)
        models.append(Answers(np.where(chosen, 0.9, 0.1), chosen))
    families = [f"f{i // 3}" for i in range(n)]
    return y, known, *models, [f"p{i}" for i in range(n)], families


def f1_by_hand(y, known, chosen, rows, columns):
    hit = picked = right = 0
    for row in rows:
        for column in columns:
            if known[row, column]:
                hit += bool(y[row, column] and chosen[row, column])
                picked += bool(chosen[row, column])
                right += bool(y[row, column])
    return 2 * hit / (picked + right) if picked + right else 0.0


@pytest.mark.parametrize(("place", "columns"), [("overall", range(6)), ("colour", range(3)), ("use", (3, 4))])
def test_intervals_are_those_of_a_bootstrap_by_hand(place, columns):
    y, known, current, candidate, ids, families = made()
    found = compare(SCHEMA, y, known, current, candidate, ids=ids, families=families, draws=150, seed=7)
    part = found.overall if place == "overall" else next(f for f in found.facets if f.facet == place)

    names = sorted(set(families))
    members = {name: [i for i, f in enumerate(families) if f == name] for name in names}
    picks = np.random.default_rng(7).integers(0, len(names), (150, len(names)))
    draws = []
    for pick in picks:
        rows = [i for family in pick for i in members[names[family]]]
        draws.append([f1_by_hand(y, known, m.chosen, rows, columns) for m in (current, candidate)])
    draws = np.array(draws)
    for side, column in ((part.current, 0), (part.candidate, 1)):
        assert side.f1.low == pytest.approx(np.quantile(draws[:, column], 0.025), abs=1e-6)
        assert side.f1.high == pytest.approx(np.quantile(draws[:, column], 0.975), abs=1e-6)
    gain = draws[:, 1] - draws[:, 0]
    assert part.f1_gain.low == pytest.approx(np.quantile(gain, 0.025), abs=1e-6)
    assert part.f1_gain.high == pytest.approx(np.quantile(gain, 0.975), abs=1e-6)
    assert part.candidate.f1.value == pytest.approx(
        f1_by_hand(y, known, candidate.chosen, range(60), columns), abs=1e-6
    )


def test_paired_and_by_family_matter():
    """Controls: an unpaired interval would be wider, one by product (families of copies) narrower."""
    y, known, current, candidate, ids, _ = made(n=20)
    tripled = [np.repeat(a, 3, axis=0) for a in (y, known)]
    models = [Answers(np.repeat(m.scores, 3, axis=0), np.repeat(m.chosen, 3, axis=0)) for m in (current, candidate)]
    ids = [f"p{i}" for i in range(60)]
    by_family = compare(SCHEMA, *tripled, *models, ids=ids, families=[f"f{i // 3}" for i in range(60)])
    by_product = compare(SCHEMA, *tripled, *models, ids=ids, families=ids)

    def width(interval):
        return interval.high - interval.low

    assert width(by_family.overall.f1_gain) > 1.4 * width(by_product.overall.f1_gain)
    one = compare(SCHEMA, y, known, current, current, ids=ids[:20], families=ids[:20])
    assert width(one.overall.f1_gain) == 0 < width(one.overall.current.f1)


def test_a_better_candidate_is_seen_and_the_same_seed_says_the_same():
    y, known, current, candidate, ids, families = made(n=300)
    first = compare(SCHEMA, y, known, current, candidate, ids=ids, families=families)
    assert first.overall.f1_gain.low > 0
    assert first == compare(SCHEMA, y, known, current, candidate, ids=ids, families=families)
    other = compare(SCHEMA, y, known, current, candidate, ids=ids, families=families, seed=1)
    assert other.overall.f1_gain.value == first.overall.f1_gain.value
    assert other.overall.f1_gain.low != first.overall.f1_gain.low


def test_flips_are_the_offline_difference():
    y, known, current, candidate, ids, families = made()
    found = compare(SCHEMA, y, known, current, candidate, ids=ids, families=families)
    expected = set()
    for row, name in enumerate(ids):
        for column, (facet, tag) in enumerate(SCHEMA.columns):
            before, after = bool(current.chosen[row, column]), bool(candidate.chosen[row, column])
            if known[row, column] and before != after:
                expected.add((name, facet, tag, bool(y[row, column]), before, after, after == bool(y[row, column])))
    flips = {(f.product, f.facet, f.tag, f.approved, f.current, f.candidate, f.right) for f in found.flips}
    assert flips == expected and len(found.flips) == len(expected) > 5
    assert sum(found.wins.values()) + sum(found.losses.values()) == len(expected)
    assert [f.right for f in found.flips] == sorted(f.right for f in found.flips), "wrong ones first"
    assert json.loads(json.dumps(found.to_json()))["flips"][0]["product"] == found.flips[0].product
    few = compare(SCHEMA, y, known, current, candidate, ids=ids, families=families, most_flips=3)
    assert len(few.flips) == 3 and few.wins == found.wins


def test_what_nobody_said_and_facets_nobody_asked_do_not_count():
    y, known, current, candidate, ids, families = made()
    found = compare(SCHEMA, y, known, current, candidate, ids=ids, families=families)
    assert [f.facet for f in found.facets] == ["colour", "use"]
    other = Answers(candidate.scores, candidate.chosen ^ ~known)  # answers differ only where nothing is known
    assert compare(SCHEMA, y, known, current, other, ids=ids, families=families).overall == found.overall


def test_shapes_that_do_not_fit():
    y, known, current, candidate, ids, families = made()
    with pytest.raises(ValueError, match="candidate"):
        compare(SCHEMA, y, known, current, Answers(y, y[:, :2] > 0), ids=ids, families=families)
    with pytest.raises(ValueError, match="one length"):
        compare(SCHEMA, y, known, current, candidate, ids=ids[:3], families=families)
    with pytest.raises(ValueError, match="not empty"):
        compare(
            SCHEMA,
            y[:0],
            known[:0],
            *(Answers(m.scores[:0], m.chosen[:0]) for m in (current, candidate)),
            ids=[],
            families=[],
        )
