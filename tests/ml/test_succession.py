"""What would serve against what serves: on products that no fine-tuning has read, its flips those of an offline diff."""

import json

import numpy as np

from ml.encoders.lexical import LexicalEncoder
from ml.evaluation.succession import compare_successor
from ml.examples import Example, family_hash, fold_of
from ml.instant.model import InstantModel
from ml.training.inputs import BLIND_HELD_OUT, HELD_OUT, hold_out

from .catalogue import products, schema


class Blurred:
    """An encoder of few and noisy numbers, so that the two models differ."""

    def __init__(self, examples, dim=4):
        self.inner, self.dim = LexicalEncoder.fit(examples), dim
        self.hash = f"blurred-{dim}"

    def embed(self, examples):
        vectors = self.inner.embed(examples)[:, : self.dim]
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def world():
    everything = products(("S", "M", "L"))
    noise = [
        Example(
            e.id, {"title": e.texts["title"].split(",")[0][-6:]}, group=f"{e.group}-{n % 5}", labels=e.labels,
            complete=e.complete,
        )
        for n, e in enumerate(everything)
    ]  # fmt: skip
    families = sorted({e.family for e in noise})
    seen = frozenset(family_hash(f) for f in families[::2])
    return noise, [LexicalEncoder.fit(noise)], [Blurred(noise)], seen


def by_hand(decided, encoders, seen, fine_tuned):
    """Chosen tags of each product, by two heads that each have not seen the half they answer for."""
    held = [e for e in decided if family_hash(e.family) not in seen]
    chosen = {}
    for side in (0, 1):
        judged = [e for e in held if fold_of(e.family, 2, "halves") == side]
        others = [e for e in held if fold_of(e.family, 2, "halves") != side]
        rest = [e for e in decided if family_hash(e.family) in seen]
        on = {e.family for e in others} if fine_tuned else None
        model = InstantModel.fit(schema(), [*rest, *others], encoders, calibrate_on=on)
        for example, row in zip(judged, model.scores(judged) >= model.thresholds, strict=True):
            chosen[example.id] = {schema().columns[c] for c in np.flatnonzero(row)}
    return chosen


def test_flips_and_outputs_are_the_offline_difference():
    decided, current, candidate, seen = world()
    found = compare_successor(schema(), decided, current, candidate, seen_by_candidate=seen, blind=frozenset())
    before, after = by_hand(decided, current, seen, False), by_hand(decided, candidate, seen, True)
    truth = {e.id: {(f, t) for f, tags in e.labels.items() for t in tags} for e in decided}
    expected = {
        (name, facet, tag, (facet, tag) in truth[name], (facet, tag) in after[name])
        for name in before
        for facet, tag in before[name] ^ after[name]
    }
    flips = {(f.product, f.facet, f.tag, f.approved, f.candidate) for f in found.comparison.flips}
    assert flips == expected and len(expected) > 5
    assert found.comparison.products == len(before) and found.blind is None
    assert found.differing == len({name for name in before if before[name] != after[name]}) == len(found.outputs)
    for output in found.outputs:
        assert (set(output.current), set(output.candidate)) == (before[output.product], after[output.product])
    assert "blind" in json.loads(json.dumps(found.to_json()))


def test_the_blind_ones_are_judged_by_themselves():
    decided, current, candidate, seen = world()
    held = [e for e in decided if family_hash(e.family) not in seen]
    blind = frozenset(e.id for e in held[::2]) | {e.id for e in decided if family_hash(e.family) in seen}
    found = compare_successor(schema(), decided, current, candidate, seen_by_candidate=seen, blind=blind)
    assert found.blind.products == len(held[::2]) < found.comparison.products == len(held)
    flips = {(f.product, f.tag) for f in found.comparison.flips if f.product in blind}
    assert {(f.product, f.tag) for f in found.blind.flips} == flips


def test_half_of_the_blind_families_are_held_out_and_always_the_same():
    decided = [Example(str(n), {"title": "x"}, group=f"f{n // 2}") for n in range(2000)]
    blind = frozenset(str(n) for n in range(600))
    rest, held = hold_out(decided, 0.2, blind)
    assert {e.family for e in rest}.isdisjoint(e.family for e in held) and len(rest) + len(held) == 2000
    of_blind = [e for e in held if e.id in blind]
    assert abs(len(of_blind) / 600 - BLIND_HELD_OUT) < 0.1 and abs((len(held) - len(of_blind)) / 1400 - 0.2) < 0.05
    again = hold_out(decided[:1500], 0.2, blind)[1]
    assert again == [e for e in held if int(e.id) < 1500], "others do not change who is held out"
    without = hold_out(decided, 0.2, frozenset())[1]
    assert {e.id for e in without} <= {e.id for e in held}, "looking blind only adds"
    assert hold_out(decided, 0.0, blind)[1] == [] and HELD_OUT
