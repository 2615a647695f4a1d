"""How much of what this machine can compute does training use? Real products, real tokens, and the peak in the same run.

    python benchmarks/training_speed.py ../shared/data [--set magento_luma_en] [--threads 2] [--seconds 30] [--batch 16]

With --threads 1 all times are processor time, so that whatever else runs here counts less; else they are wall time.

The peak is the best of several float32 matrix products of 1024 x 1024, measured before, between and after. What training
computes is counted as 3 x layers x (8 d² + 4 d ff + 4 L d) a real token (forward once, backward twice; L is the length of
its own product), so padding, tokenisation, the optimiser and everything else counts as nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from instant_vs_sklearn import load

from ml.encoders.hf import TextEncoder, load_text_encoder
from ml.encoders.packaged import packaged_folder
from ml.examples import split_by_family
from ml.training.distributed import ALONE
from ml.training.loop import Recipe, _Run
from ml.training.plan import Plan
from ml.training.tasks import TagTask

SIDE = 1024


def now() -> float:
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def peak(seconds: float = 1.0) -> float:
    """GFLOP/s of the fastest product in so many seconds."""
    a, b, out = (torch.rand(SIDE, SIDE) for _ in range(3))
    best, end = float("inf"), now() + seconds
    while now() < end:
        begun = now()
        torch.mm(a, b, out=out)
        best = min(best, now() - begun)
    return 2 * SIDE**3 / best / 1e9


def flop(lengths: np.ndarray, encoder: TextEncoder) -> float:
    """Of training on products of these lengths once, in GFLOP."""
    config = encoder.backbone.config
    d, ff, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    tokens = lengths.astype(float)
    return float((3 * layers * (tokens * (8 * d * d + 4 * d * ff) + 4 * tokens**2 * d)).sum()) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", default="magento_luma_en")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--preset", default="thorough")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    examples, schema = load(options.data / options.set)
    train, validation = split_by_family(examples, 0.2, "speed")
    plan = Plan.from_json({"preset": options.preset, "batch_size": options.batch, "device": "cpu"})
    encoder = load_text_encoder(packaged_folder(), max_length=plan.max_length, dropout=plan.dropout)
    task = TagTask(plan, schema, encoder, train, validation)
    run = _Run(task, Recipe(epochs=1000), None, lambda event: None, lambda: False, ALONE)
    batches = task.batches(0)
    for rows in batches[:3]:  # what is made once: buffers, kernels, the optimiser's state
        run._step(rows)
    peaks, shares, products, tokens, spent = [peak()], [], 0, 0, 0.0
    parts = 4
    for part in range(parts):
        begun, work = now(), 0.0
        for number in range(10**6):
            rows = batches[(number + part * 7) % len(batches)]
            run._step(rows)
            lengths = task.tokens.lengths[rows]
            work, products, tokens = work + flop(lengths, encoder), products + len(rows), tokens + int(lengths.sum())
            if now() - begun > options.seconds / parts:
                break
        took = now() - begun
        peaks.append(peak())
        shares.append(work / took / max(peaks[-2:]))
        spent += took
        print(f"part {part + 1}: {work / took:.1f} GFLOP/s of {max(peaks[-2:]):.1f}", flush=True)
    figures = {
        "set": options.set, "threads": options.threads, "batch": options.batch, "preset": options.preset,
        "real_tokens_a_product": round(tokens / products, 1), "products_per_s": round(products / spent, 1),
        "tokens_per_s": round(tokens / spent), "peak_gflops": round(max(peaks), 1),
        "share_of_peak": round(statistics.median(shares), 3),
    }  # fmt: skip
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
