"""Does the policy still earn its keep? The queue goes random once the random blind slice shows that random order would
have done better. Two things are looked at: :mod:`ml.active.proof` compares what was decided with the slice, drawn on to
as many decisions; and :func:`ml.active.crossed.known_already` tells whether products are asked that were known without
asking. The second sees more with a dozen products, but not an order that asks what is hard and useless; and since people
see suggestions where they are not blind and may follow them, it counts only while the curve does not speak for the
order (``DOUBT``).

Both are looked at again and again as decisions come in, so their level is spent over the looks: the k-th one calls the
order worse where either finds it so at the level ``ALARMS / (2 k (k + 1))``, which adds up to ALARMS however often it is
looked at (Bonferroni; as in the alpha spending of Lan and DeMets 1983, most of it early, when a bad order costs most).
ALARMS is what an order is exposed to that is exactly as good as random, where falling back costs nothing; a better one
is stopped less often. An order that is a little worse is not found with as few products as a slice has.

As random decisions come in they count on the policy's side too, so that the difference fades. Once none is left, the
policy gets another chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ml.active.crossed import Decisions
from ml.active.proof import Proof, prove

ALARMS = 0.1  # chance of a false alarm over all looks, for an order that is exactly as good as random
DOUBT = 0.75  # chance that the order is no worse than random, below which what was known already counts against it
LEAST = 20  # decisions outside of the slice below which there is nothing to judge
MOST = 500  # decisions that a verdict looks at; of more, a random sample
EVERY = 20  # decisions between two looks, or a twentieth of all; the product measures as often (actions/learning.py)
POINTS = 4  # of the actual curve


@dataclass(frozen=True)
class Verdict:
    """gain: points of F1 over random order with as many decisions, low and high its interval; worse: the chance
    that it is below 0; known: how often random order would ask what is known already as much; random: whether to fall
    back; slice: random products it rests on, 0 where too few to say; looks: how often there was something to judge, this
    time included."""

    gain: float = 0.0
    low: float = 0.0
    high: float = 0.0
    worse: float = 0.0
    known: float = 1.0
    random: bool = False
    slice: int = 0
    looks: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Verdict:
        """What an earlier version wrote lacks fields; those are as at the start."""
        return cls(**{f.name: row[f.name] for f in fields(cls) if f.name in row})


def judge(decisions: Decisions, before: Verdict, *, seed: int = 0) -> tuple[Verdict, Proof | None]:
    """The next verdict, and the measurement behind it; ``before`` where there is too little to measure.

    Costs some seventy small heads, however much is decided.
    """
    if len(decisions) - int(decisions.random.sum()) < LEAST:
        return before, None
    found = prove(decisions.sample(MOST, seed), points=POINTS, seed=seed)
    return (verdict_of(found, before), found) if found is not None else (before, None)


def due(decided: int, last: int) -> bool:
    """Whether to look again, when the last look was at ``last`` decisions."""
    return decided - last >= max(EVERY, decided // 20)


def verdict_of(proof: Proof, before: Verdict) -> Verdict:
    if proof.decisions - proof.slice < LEAST:
        return before
    looks, chance = before.looks + 1, 1 - proof.worse
    level = ALARMS / (2 * looks * (looks + 1))
    alarm = chance < level or (proof.known < level and chance < DOUBT)
    gain = proof.gain
    return Verdict(
        gain=round(gain.value, 2),
        low=round(gain.low, 2),
        high=round(gain.high, 2),
        worse=round(proof.worse, 3),
        known=round(proof.known, 4),
        random=alarm or (before.random and chance < 0.5),
        slice=proof.slice,
        looks=looks,
    )
