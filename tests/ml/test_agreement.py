"""Kappa and alpha equal three reference libraries on generated answers, some of them missing."""

from __future__ import annotations

import numpy as np
import pytest

from ml.evaluation.agreement import cohen_kappa, krippendorff_alpha, nominal

krippendorff = pytest.importorskip("krippendorff")
nltk_agreement = pytest.importorskip("nltk.metrics.agreement")
nltk_distance = pytest.importorskip("nltk.metrics.distance")
sklearn_metrics = pytest.importorskip("sklearn.metrics")


def answers(seed: int, *, people: int, units: int, sets: bool, missing: float) -> list[dict[str, frozenset[str]]]:
    """People who see one truth through noise; about ``missing`` of the answers are not there."""
    rng = np.random.default_rng(seed)
    tags = list("abcdef")
    found = []
    for _unit in range(units):
        truth = set(rng.choice(tags, size=rng.integers(1, 4) if sets else 1, replace=False))
        unit = {}
        for person in range(people):
            if rng.random() < missing:
                continue
            said = set(truth)
            if rng.random() < 0.35:
                said = said ^ {str(rng.choice(tags))} if sets else {str(rng.choice(tags))}
            unit[f"p{person}"] = frozenset(said or {"a"})
        found.append(unit)
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("people", [2, 3, 5])
def test_alpha_of_single_values_equals_krippendorff(seed: int, people: int) -> None:
    units = answers(seed, people=people, units=60, sets=False, missing=0.3)
    code = {tag: float(place) for place, tag in enumerate("abcdef")}
    table = [[code[next(iter(unit[f"p{p}"]))] if f"p{p}" in unit else np.nan for unit in units] for p in range(people)]
    theirs = krippendorff.alpha(reliability_data=np.array(table), level_of_measurement="nominal")
    assert krippendorff_alpha(units, nominal) == pytest.approx(theirs, abs=1e-12)
    assert krippendorff_alpha(units) == pytest.approx(theirs, abs=1e-12)  # of single values MASI is nominal


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("people", [2, 3, 5])
def test_alpha_of_sets_equals_nltk(seed: int, people: int) -> None:
    units = answers(seed, people=people, units=60, sets=True, missing=0.3)
    units = [unit for unit in units if len(unit) > 1]  # nltk wants them left out beforehand
    rows = [(person, str(n), said) for n, unit in enumerate(units) for person, said in unit.items()]
    theirs = nltk_agreement.AnnotationTask(rows, distance=nltk_distance.masi_distance).alpha()
    assert krippendorff_alpha(units) == pytest.approx(theirs, abs=1e-12)
    assert krippendorff_alpha(units, nominal) != pytest.approx(theirs, abs=1e-3)  # control: the distance matters


@pytest.mark.parametrize("seed", range(6))
def test_kappa_equals_scikit_learn_on_what_both_answered(seed: int) -> None:
    units = answers(seed, people=2, units=80, sets=True, missing=0.25)
    first, second = ([unit.get(name) for unit in units] for name in ("p0", "p1"))
    both = [(a, b) for a, b in zip(first, second, strict=True) if a and b]
    told = [[",".join(sorted(said)) for said in side] for side in zip(*both, strict=True)]
    assert cohen_kappa(first, second) == pytest.approx(sklearn_metrics.cohen_kappa_score(*told), abs=1e-12)


def test_where_agreement_cannot_be_told_nothing_is() -> None:
    a, b, none = frozenset("a"), frozenset("b"), frozenset[str]()
    assert krippendorff_alpha([]) is None and krippendorff_alpha([{"p": a}, {"q": b}]) is None
    assert krippendorff_alpha([{"p": a, "q": a}, {"p": a, "q": a}]) is None
    assert krippendorff_alpha([{"p": a, "q": a}, {"p": none, "q": none}]) == 1.0  # saying that none fits is an answer
    assert krippendorff_alpha([{"p": a, "q": b}, {"p": b, "q": a}]) < 0
    assert cohen_kappa([a, None], [None, a]) is None and cohen_kappa([a, a], [a, a]) is None
    assert cohen_kappa([a, b], [a, b]) == 1.0
