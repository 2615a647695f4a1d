"""Does the policy still earn its keep? The queue goes random while the chance is high that random order would have done
better: :mod:`ml.active.proof` compares what was decided with the random blind slice, drawn on to as many decisions.

As random decisions come in they count on the policy's side too, so that the difference fades and the policy gets
another chance. With few random products little can be known: a small loss is not found, a strategy that is bad is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ml.active.proof import Decisions, Proof, prove

SURE = 0.7  # chance of being worse than random from which the queue goes random
LEAST = 20  # decisions outside of the slice below which there is nothing to judge
MOST = 500  # decisions that a verdict looks at; of more, a random sample


@dataclass(frozen=True)
class Verdict:
    """gain: points of F1 over random order with as many decisions, low and high its interval; worse: the chance
    that it is below 0; random: whether to fall back; slice: random products it rests on, 0 where too few to say."""

    gain: float = 0.0
    low: float = 0.0
    high: float = 0.0
    worse: float = 0.0
    random: bool = False
    slice: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def judge(decisions: Decisions, *, seed: int = 0) -> Verdict:
    """Costs some forty small heads, however much is decided."""
    if len(decisions) - int(decisions.random.sum()) < LEAST:
        return Verdict()
    found = prove(decisions.sample(MOST, seed), points=1, seed=seed, level=0.8)
    return verdict_of(found) if found is not None else Verdict()


def verdict_of(proof: Proof) -> Verdict:
    gain = proof.gain
    return Verdict(
        gain=round(gain.value, 2),
        low=round(gain.low, 2),
        high=round(gain.high, 2),
        worse=round(proof.worse, 2),
        random=proof.worse > SURE and proof.decisions - proof.slice >= LEAST,
        slice=proof.slice,
    )
