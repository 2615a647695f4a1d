"""How long one product waits: what a reviewer or a program that asks ``suggest`` meets."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from ml.encoders.base import Encoder
from ml.examples import Example

WARM_UP = 3


def one_at_a_time(encoders: Sequence[Encoder], examples: Sequence[Example], times: int = 30) -> float:
    """The 95th percentile, in milliseconds, of embedding one product with all ``encoders``, once they are warm.

    examples: asked for one after the other, again from the first when they run out; 0.0 without any
    """
    if not examples:
        return 0.0
    took = []
    for turn in range(WARM_UP + times):
        one = [examples[turn % len(examples)]]
        begun = time.perf_counter()
        for encoder in encoders:
            encoder.embed(one)
        took.append(1000 * (time.perf_counter() - begun))
    return round(float(np.percentile(took[WARM_UP:], 95)), 2)
