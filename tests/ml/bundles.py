"""A whole full bundle without torch: a lexical encoder under a head of zeros."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ml.bundle import Bundle, write_bundle
from ml.encoders.lexical import LexicalEncoder
from ml.examples import Example
from ml.schema import Schema
from ml.serving.decoding import Calibration


def full_bundle(path: Path, schema: Schema, products: list[Example]) -> Bundle:
    encoder, tags = LexicalEncoder.fit(products), len(schema.columns)

    def fill(folder: Path) -> None:
        encoder.save(folder / "encoder")
        weight = np.zeros((tags, encoder.dim), dtype=np.float32)
        save_file({"weight": weight, "bias": np.zeros(tags, dtype=np.float32)}, folder / "head.safetensors")
        schema.save(folder / "schema.json")
        calibration = Calibration(1.0, np.full(tags, 0.5)).to_json()
        for name, content in {"calibration": calibration, "families": []}.items():
            (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")

    return write_bundle(path, "full", {"base": "catalogue", "seed": 7, "libraries": {"numpy": np.__version__}}, fill)
