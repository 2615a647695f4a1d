"""int8 forms of the packaged encoder: how often a head answers the same on them, and how much quicker they read.

The head is the instant tier's on the lexical encoder and MiniLM, fitted on seven tenths of the families, asked on the others.
The same answers: of the (product, facet) pairs in which either form checks a tag, those with the same tags; 99 % are asked
for. Speed is processor time of one text at a time, on one thread.
"""

from __future__ import annotations

import functools
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models._kept import key_of
from benchmarks.models._runs import bare, catalogue
from benchmarks.models.table import Missing, Row
from ml.encoders import packaged
from ml.examples import split_by_family
from ml.text import render

SETS = ("magento_luma_en", "oamine_en")
LARGEST = 600  # products of a catalogue
FORMS = ("as it comes, every operator", "matrix products alone", "evened out (what serves)", "blocks of 32")
Make = Callable[[Path, Path], None]


def makers() -> dict[str, Make]:
    """``(source, target)`` graphs. Raises Missing."""
    try:
        import onnx
        from onnxruntime.quantization import QuantType, matmul_nbits_quantizer, quantize_dynamic
    except ImportError as error:
        raise Missing(str(error)) from error
    from ml.serving.int8 import quantise

    logging.getLogger().setLevel(logging.ERROR)

    def rounded(source: Path, target: Path, operators: list[str] | None = None) -> None:
        quantize_dynamic(
            source, target, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=operators
        )  # fmt: skip

    def blocks(source: Path, target: Path) -> None:
        config = matmul_nbits_quantizer.DefaultWeightOnlyQuantConfig(
            block_size=32, is_symmetric=True, accuracy_level=4, bits=8
        )
        made = matmul_nbits_quantizer.MatMulNBitsQuantizer(onnx.load(source), algo_config=config)
        made.process()
        made.model.save_model_to_file(str(target), False)

    def ours(source: Path, target: Path) -> None:
        quantise(source.parent, target.parent / "made")
        shutil.copy2(target.parent / "made" / source.name, target)

    return dict(
        zip(FORMS, (rounded, lambda source, target: rounded(source, target, ["MatMul"]), ours, blocks), strict=True)
    )


@functools.cache
def form(name: str) -> Any:
    """The encoder in this form; ``""`` is the exact one. Raises Missing."""
    from ml.encoders.base import read_card
    from ml.encoders.onnx import OnnxEncoder
    from ml.encoders.served import GRAPH, seal
    from ml.encoders.tokens import TOKENIZER

    root = Path(tempfile.gettempdir()) / "bench-models-encoders"
    root.mkdir(exist_ok=True)
    try:
        source = packaged.export(root)
    except packaged.PackagedError as error:
        raise Missing(str(error)) from error
    card = read_card(source, "onnx")
    if not name:
        return OnnxEncoder(source, card, threads=1)
    folder = Path(tempfile.mkdtemp(dir=root))
    makers()[name](source / GRAPH, folder / GRAPH)
    shutil.copy2(source / TOKENIZER, folder / TOKENIZER)
    sealed = seal(folder, "onnx", {k: v for k, v in card.items() if k not in ("hash", "kind")})
    return OnnxEncoder(folder, sealed, threads=1)


@functools.cache
def head(data: str, seed: int) -> Any:
    """``(model on the exact encoder, products of the other families)``."""
    from ml.encoders.lexical import LexicalEncoder
    from ml.instant.model import InstantModel

    products, schema = catalogue(data)
    products = products[:LARGEST]
    rest, test = split_by_family(products, 0.3, f"split {seed}")
    return InstantModel.fit(schema, rest, [LexicalEncoder.fit(products), form("")]), [bare(e) for e in test]


def beside(name: str, data: str, seed: int) -> dict[str, float]:
    from ml.serving.int8 import agreement, on_twins

    model, test = head(data, seed)
    twin = on_twins(model, [model.encoders[0], form(name)])
    found = {"same": 100 * agreement(model, twin, test)}
    if seed == 1:
        texts = [render(e).text for e in test[:24]]
        found["speed"] = seconds(form(""), texts) / seconds(form(name), texts)
    return found


def seconds(encoder: Any, texts: list[str]) -> float:
    """Of processor time, the least of three rounds."""
    took = []
    for _ in range(3):
        begun = time.process_time()
        for text in texts:
            encoder.run([encoder.token_ids(text)])
        took.append(time.process_time() - begun)
    return float(np.min(took))


def rows(once: Any, seeds: int = 3) -> Iterator[Row]:
    for data in SETS:
        first: list[float] = []
        for name in FORMS:
            found = [
                once(
                    key_of(name, data, f"seed {seed}"),
                    12.0,
                    lambda name=name, data=data, seed=seed: beside(name, data, seed),
                )
                for seed in range(1, seeds + 1)
            ]
            same, note = [f["same"] for f in found], f"{found[0]['speed']:.2f} times as fast as fp32"
            base = FORMS[0] if first else ""
            yield Row(name, data, "same answers as fp32, %", base, same, first, sum(f.seconds for f in found), note)
            first = first or same
