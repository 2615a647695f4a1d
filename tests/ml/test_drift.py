"""Drift: the test keeps its promise of false alarms over seeds, and sees what is there."""

import numpy as np
import pytest

from ml.encoders.lexical import LexicalEncoder
from ml.evaluation.drift import alarms, shift, shifts
from ml.evaluation.drift_words import risen, words_of
from ml.evaluation.yardstick import EMBEDDING, Yardstick
from ml.examples import Example, fold_of
from ml.schema import FacetSpec, Schema, TagSpec


def names(n, start=0):
    return [f"f{i}" for i in range(start, start + n)]


def test_without_a_change_p_is_uniform():
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        rows = rng.exponential(size=(90, 5))
        found.append(shift(rows[:70], rows[70:], names(70), names(20, 70), seed=seed).p)
    for level in (0.05, 0.2, 0.5):
        share = np.mean(np.array(found) <= level)
        assert share <= level + 3 * np.sqrt(level * (1 - level) / 200), (level, share)
    assert np.mean(np.array(found) <= 0.5) > 0.35, "nor is it always large"


def test_families_count_once():
    """Copies of one article are no evidence; the control, which takes each copy for an article, alarms."""
    once, each = 0, 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        before, few = rng.normal(size=(60, 3)), rng.normal(size=(3, 3))
        recent, of = np.repeat(few, 20, axis=0), [f"r{i // 20}" for i in range(60)]
        once += shift(before, recent, names(60), of).p <= 0.05
        each += shift(before, recent, names(60), [f"r{i}" for i in range(60)]).p <= 0.05
    assert once <= 2 and each >= 8


def test_a_shift_is_seen_and_p_goes_far_down():
    rng = np.random.default_rng(2)
    before, recent = rng.normal(size=(300, 8)), rng.normal(size=(60, 8)) + 0.7
    found = shift(before, recent, names(300), names(60, 300))
    assert found.p <= 1 / 20_000 and found.distance == pytest.approx(np.linalg.norm(recent.mean(0) - before.mean(0)))
    assert (found.before, found.recent) == (300, 60)
    assert shift(before, recent, names(300), names(60, 300)) == found, "the same seed says the same"


def test_both_sides_are_needed():
    with pytest.raises(ValueError, match="0 families before"):
        shift(np.zeros((2, 1)), np.zeros((1, 1)), ["a", "a"], ["a"])


def test_holm_is_holm():
    assert alarms([0.01, 0.04, 0.03, 0.005], 0.05) == [True, False, False, True]
    assert alarms([]) == [] and alarms([0.05], 0.05) == [True] and alarms([0.04, 0.04], 0.05) == [False, False]


def test_several_views_are_as_each_alone():
    rng = np.random.default_rng(1)
    views = {"same": rng.normal(size=(60, 2)), "still": np.ones((60, 1)), "moved": 0.01 * rng.normal(size=(60, 2))}
    views["moved"][45:] += 0.03
    found = shifts({n: (v[:45], v[45:]) for n, v in views.items()}, names(45), names(15, 45))
    assert found["moved"].p < 0.001 and found["same"].p > 0.01 and found["still"].p == 1.0
    alone = shift(views["moved"][:45], views["moved"][45:], names(45), names(15, 45))
    assert (found["moved"].p, found["moved"].recent) == (pytest.approx(alone.p), alone.recent)


THINGS, COLOURS = ("shirt", "coat", "boot", "scarf", "belt", "cap"), ("red", "navy", "black", "white", "olive")
FILLER = [f"{a}{b}{c}" for a in "bdfgklmn" for b in "aeiou" for c in ("ran", "sto", "vel", "mip")]


def catalogue(rng, n, extra=(), start=0):
    """Long texts: two words more in forty move their mean next to not at all."""
    out = []
    for number in range(start, start + n):
        colour = str(rng.choice(COLOURS))
        words = [colour, str(rng.choice(THINGS)), *rng.choice(FILLER, 40)]
        words += [str(rng.choice(extra)) for _ in range(2)] if len(extra) else []
        out.append(
            Example(
                f"p{number}", {"title": " ".join(words)}, labels={"colour": frozenset({colour})},
                complete=frozenset({"colour"}), group=f"g{number}",
            )
        )  # fmt: skip
    return out


def texts(some):
    return [e.texts["title"] for e in some]


def families(*sides):
    return [[e.family for e in side] for side in sides]


@pytest.mark.long
def test_a_batch_with_new_words_is_seen_and_a_stationary_replay_is_not():
    """Two words of five new ones, in texts of forty-two: told in each of twenty seeds. The control, the mean of
    what an encoder reads that has learned from neither side, misses most."""
    told, missed, false = 0, 0, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        old = catalogue(rng, 150)
        for extra in ((), ("vinyl", "turntable", "stylus", "gramophone", "shellac")):
            fresh = catalogue(rng, 30, extra, 150)
            found = risen(texts(old), texts(fresh), *families(old, fresh))
            assert (found.before, found.recent) == (150, 30)
            if not extra:
                false += found.p <= 0.05
                continue
            told += found.p < 0.05 / 20 and found.words[0] in extra and found.rise > 0.1
            encoder = LexicalEncoder.fit(catalogue(rng, 150, start=500))
            missed += shift(encoder.embed(old), encoder.embed(fresh), *families(old, fresh)).p >= 0.05 / 20
    assert told == 20 and false <= 3 and missed > 10


def test_the_chance_of_any_word_is_what_drawing_finds():
    """p of the least likely word against how often random families have one as unlikely."""
    rng = np.random.default_rng(3)
    some = catalogue(rng, 60)
    below = []
    for _ in range(300):
        order = rng.permutation(60)
        old, fresh = [some[i] for i in order[:45]], [some[i] for i in order[45:]]
        below.append(risen(texts(old), texts(fresh), *families(old, fresh)).p)
    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(below) <= level) <= level + 3 * np.sqrt(level * (1 - level) / 300)
    assert np.mean(np.array(below) <= 0.5) > 0.1, "nor does it sleep"


def test_a_word_of_one_family_is_no_evidence_and_of_many_it_is():
    old = [f"plain thing {n}" for n in range(60)]
    fresh = ["plain thing vinyl"] * 20
    assert risen(old, fresh, names(60), ["one"] * 20).p == pytest.approx(1 / 61), (
        "as likely as any family is the new one"
    )
    found = risen(old, fresh, names(60), names(20, 60))
    assert found.p < 1e-12 and found.words == ("vinyl",) and found.rise == 1.0
    assert risen(old, old[:5], names(60), names(5)).p == 1.0, "a family that comes again is on one side alone"
    with pytest.raises(ValueError, match="0 families before"):
        risen(["a"], ["a"], ["f"], ["f"])
    assert words_of("Rot-weiss 42 ab 红色手表") == {"rot", "weiss", "红色", "色手", "手表"}


@pytest.mark.long
def test_through_a_yardstick_what_is_merely_new_is_not_unlike():
    """Ten stationary batches hardly ever alarm. The control, encoder and head fitted on all that was before, does."""
    schema = Schema((FacetSpec("colour", tuple(TagSpec(c, {"en": c}) for c in COLOURS), single=True),))
    false, naive, told = 0, 0, 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        old, fresh = catalogue(rng, 120), catalogue(rng, 40, start=120)
        yardstick = Yardstick.fit(schema, old)
        assert yardstick is not None
        found = yardstick.shifts(old, fresh)
        assert set(found) == {EMBEDDING, "colour"}
        false += min(one.p for one in found.values()) <= 0.025
        encoder = LexicalEncoder.fit(old)
        naive += shift(encoder.embed(old), encoder.embed(fresh), *families(old, fresh)).p <= 0.05
        red = [Example(e.id, {"title": e.texts["title"].replace(e.texts["title"].split()[0], "red", 1)}, group=e.group)
               for e in fresh]  # fmt: skip
        told += yardstick.shifts(old, red)["colour"].p <= 0.01
    assert false <= 2 and naive >= 8 and told >= 9


def test_a_yardstick_is_held_to_nothing_that_it_has_learned_from():
    schema = Schema((FacetSpec("colour", tuple(TagSpec(c, {"en": c}) for c in COLOURS), single=True),))
    rng = np.random.default_rng(0)
    old, fresh = catalogue(rng, 120), catalogue(rng, 40, start=120)
    yardstick = Yardstick.fit(schema, old)
    assert yardstick.learned == {e.family for e in old if fold_of(e.family, 2, "drift") == 0}
    found = yardstick.shifts(old, [*fresh, *old[:30]])[EMBEDDING]
    again = {e.family for e in old[:30]} - yardstick.learned
    assert (found.before, found.recent) == (120 - len(yardstick.learned) - len(again), 40 + len(again))
    assert yardstick.shifts(old, fresh[:5]) == {} and Yardstick.fit(schema, old[:12]) is None
