"""What the order of the queue has brought, measured on the blind slice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from annotations.bridge.held import held
from annotations.bridge.rows import schema_of
from annotations.models import Catalogue
from annotations.queries import asking
from ml.active import guard, stopping
from ml.active.crossed import Decisions
from ml.active.proof import prove

MOST = 1500  # decided products that the curves are drawn from; of more, a random sample
TARGETS = (0.8, 0.85, 0.9, 0.95, 0.98)


def measure_learning(catalogue: Catalogue, step: Callable[[int, int], None]) -> dict[str, Any]:
    """The curve so far against random order's, what remains to some targets, whether what is left is worth little, and
    the guard's verdict, which goes on from the last one.

    ``{"slice": n}`` alone while the blind slice is too small. ``step`` is told of progress and may raise.
    """
    past = _decisions(catalogue)
    found = prove(past.sample(MOST), step=step)
    if found is None:
        return {"slice": int(past.random.sum()), "decisions": len(past)}
    # of a sample, counts are those of the sample: on the page they are of all
    scale = len(past) / max(found.decisions, 1)
    left = {f"{target:.2f}": found.remaining(target) * scale for target in TARGETS}
    return {
        **found.to_json(),
        "decisions": len(past),
        "scale": scale,
        "remaining": {name: value if np.isfinite(value) else None for name, value in left.items()},
        "ahead": round(found.ahead * scale),
        "enough": stopping.enough(found),
        "guard": guard.verdict_of(found, guard.Verdict.from_json(asking.last_verdict(catalogue))).to_json(),
    }


def _decisions(catalogue: Catalogue) -> Decisions:
    """What was decided, oldest first; the blind slice is the random one."""
    blind = asking.decided_blind(catalogue)
    here = held(catalogue)
    with here.lock:
        pool, _hand, _seq = here.refresh(catalogue, schema_of(catalogue), lambda step: None)
        keys = pool.decided
        features = pool.features(keys)
        y, known = pool.truth(keys)
        families = [pool.families[row] for row in pool.rows(keys).tolist()]
    random = np.array([key in blind for key in keys], dtype=bool)
    return Decisions(features.dense, y, known & features.applies, families, random)
