"""Answering on demand: one product at a time, and a whole catalogue, beside the processor's own limit.

    python benchmarks/serving.py ../shared/data --encoders var/encoders [--requests 300] [--products 3000]

A head is fitted on ``magento_luma_en`` over the lexical encoder alone, and over it and the packaged MiniLM. *One product*:
``Predictor.predict`` with evidence, warm, a product that it has not seen (asked for: p95 30 ms lexical, 60 ms with MiniLM
int8). *Catalogue*: texts a second through the encoder, tokenising included, on real tokens, beside the arithmetic limit of
the same run: GFLOP/s of a large float32 matrix product over the FLOP of the tokens (asked for: 50 % or more). Where other programs
use the machine, the processor time of a product (which they change little) is an upper bound of what it takes alone.
int8 does other arithmetic, so its share of the float32 limit may pass 100 %. *Agreement*: share of (product, facet) answers that
int8 gives as fp32; below 99 % it does not serve.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from instant_vs_sklearn import load

from ml.encoders import packaged
from ml.encoders.lexical import LexicalEncoder
from ml.encoders.onnx import OnnxEncoder
from ml.examples import Example, split_by_family
from ml.instant.model import InstantModel
from ml.serving import int8
from ml.serving.predictor import Predictor
from ml.text import render

LAYERS, WIDTH, INNER = 6, 384, 1536  # MiniLM-L6


def flop(lengths: np.ndarray) -> float:
    """Forward, of all texts: layers x (8 d^2 + 4 d ff + 4 L d) for each token of a text of L."""
    each = LAYERS * (8 * WIDTH**2 + 4 * WIDTH * INNER + 4 * lengths * WIDTH)
    return float((each * lengths).sum())


def peak(seconds: float = 3.0, size: int = 2048) -> float:
    """FLOP/s of a float32 matrix product, the best of what was seen."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    best, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def one_by_one(predictor: Predictor, products: Sequence[Example], requests: int) -> list[float]:
    """p50 and p95 of the clock, and p50 and p95 of processor time over all threads, in milliseconds."""
    took, worked = [], []
    for number in range(requests + 20):
        began, busy = time.perf_counter(), time.process_time()
        predictor.predict([products[number % len(products)]])
        took.append(1000 * (time.perf_counter() - began))
        worked.append(1000 * (time.process_time() - busy))
    return [float(np.percentile(times[20:], share)) for times in (took, worked) for share in (50, 95)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--encoders", type=Path, default=Path("var/encoders"))
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--products", type=int, default=3000)
    options = parser.parse_args()
    products, schema = load(options.data / "magento_luma_en")
    rest, test = split_by_family(products, 0.3)
    options.encoders.mkdir(parents=True, exist_ok=True)
    folder = packaged.export(options.encoders)
    exact = OnnxEncoder.load(folder)
    target = int8.twin_folder(options.encoders, exact)
    assert int8.make_twin(folder, target)
    twin = OnnxEncoder.load(target)
    lexical = LexicalEncoder.fit(products)

    small = InstantModel.fit(schema, rest, [lexical])
    large = InstantModel.fit(schema, rest, [lexical, exact])
    quick = int8.on_twins(large, [lexical, twin])
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, {len(test)} products not seen\n")
    print(
        "| one product, warm | p50, ms | p95, ms | processor p50, ms | p95, ms |\n|---|---:|---:|---:|---:|", flush=True
    )
    for name, model in (("lexical", small), ("with MiniLM fp32", large), ("with MiniLM int8", quick)):
        times = one_by_one(Predictor(model), test, options.requests)
        print(f"| {name} | " + " | ".join(f"{t:.1f}" for t in times) + " |", flush=True)
    print(f"\nagreement of int8 with fp32: {100 * int8.agreement(large, quick, test):.2f} %")
    with tempfile.TemporaryDirectory() as bundle:
        path = Path(bundle) / "head"
        large.save(path, encoders_dir=options.encoders)
        began = time.perf_counter()
        Predictor.load(path, options.encoders)
        print(f"loading the bundle and both encoders: {time.perf_counter() - began:.2f} s\n")

    offers, _schema = load(options.data / "oamine_en")
    texts = [render(e).text for e in [*products, *offers]]
    texts = [texts[i % len(texts)] for i in range(options.products)]
    lengths = np.array([len(exact.token_ids(text)) for text in texts])
    work = flop(lengths)
    print(f"{len(texts)} products, {lengths.mean():.1f} real tokens on average\n")
    print("| encoder | products/s | limit, products/s | share, % |\n|---|---:|---:|---:|")
    for name, encoder in (("fp32", exact), ("int8", twin)):
        limit = peak() / (work / len(texts))
        encoder.embed_texts(texts[:64])
        began = time.perf_counter()
        encoder.embed_texts(texts)
        rate = len(texts) / (time.perf_counter() - began)
        print(f"| {name} | {rate:.0f} | {limit:.0f} | {100 * rate / limit:.0f} |")
    began = time.perf_counter()
    vectors = large.scores(products)
    print(
        f"\nhead over both, {len(vectors)} products, nothing cached: {len(vectors) / (time.perf_counter() - began):.0f} products/s"
    )


if __name__ == "__main__":
    main()
