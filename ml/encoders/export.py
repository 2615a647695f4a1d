"""A torch sentence encoder as an ONNX directory for :class:`ml.encoders.onnx.OnnxEncoder`. Needs torch; runs once.

Serving never imports this module: it is called from a child process (``python -m ml export-encoder DEST``) or by
training, which has torch anyway.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ml.encoders.lstm import onnx_translations
from ml.encoders.onnx import POOLED, STATES, OnnxEncoder
from ml.encoders.packaged import MAX_LENGTH, PACKAGED_SHA256, check_packaged, packaged_folder
from ml.encoders.served import GRAPH, seal
from ml.encoders.tokens import TokenReader

OPSET = 18
AGREEMENT = 0.98  # share of texts whose nearest neighbour int8 must keep

# Sentences to compare two forms of an encoder on, near neighbours on purpose.
SAMPLE_TEXTS = tuple(
    f"{colour} {thing} {use}"
    for colour in ("black", "navy blue", "white", "dark green")
    for thing in (
        "running shoe",
        "cotton shirt",
        "steel water bottle",
        "bluetooth earphones",
        "wrist watch",
        "leather bag",
    )
    for use in ("for men", "for women", "made for rainy days and long commutes", "suits sport and business")
)


class PooledEncoder(nn.Module):
    """A transformer body with pooling and normalisation inside the graph: ids and mask in, unit vectors out.
    With ``states`` the token states come out beside them. A body that pools itself says so by ``pooled``."""

    def __init__(self, body: nn.Module, pooling: str, states: bool = False) -> None:
        super().__init__()
        if pooling not in {"mean", "cls"}:
            raise ValueError(f"pooling is mean or cls, not {pooling!r}")
        self.body = body
        self.pooling, self.states = pooling, states

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        found = self.body(input_ids=input_ids, attention_mask=attention_mask)
        states, pooled = found.last_hidden_state, getattr(found, "pooled", None)
        if pooled is not None:
            pass
        elif self.pooling == "cls":
            pooled = states[:, 0]
        else:
            weight = attention_mask.unsqueeze(-1).to(states.dtype)
            pooled = (states * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
        unit = nn.functional.normalize(pooled, dim=1)
        return (unit, states) if self.states else unit


def export_text_encoder(
    model: nn.Module,
    tokenizer: Any,
    dest: Path,
    *,
    pooling: str = "mean",
    max_length: int = 128,
    int8: bool = False,
    sample_texts: Sequence[str] = SAMPLE_TEXTS,
    origin: str = "",
    states: bool = False,
) -> dict[str, Any]:
    """Write ``dest`` (must not exist) as an ONNX encoder and check it against torch on ``sample_texts``.

    ``model`` is a transformers body whose output has ``last_hidden_state``; ``tokenizer`` a fast tokenizer of
    transformers or a ``tokenizers.Tokenizer``. With ``int8`` the weights are quantised if the nearest neighbour of at
    least 98 % of the texts stays the same; otherwise the float graph is kept. With ``states`` the graph also gives token
    states, for a span head. Returns the report: hash, dim, largest
    difference from torch, agreement, whether int8 was kept, bytes. Raises ValueError when the float graph differs from
    torch by more than 1e-3 in any number.
    """
    if dest.exists():
        raise FileExistsError(dest)
    dest.parent.mkdir(parents=True, exist_ok=True)
    wrapped = PooledEncoder(model, pooling, states).eval().cpu().float()
    temporary = Path(tempfile.mkdtemp(prefix=f".{dest.name}-", dir=dest.parent))
    try:
        backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
        pad = getattr(tokenizer, "pad_token_id", None) or 0
        _export_graph(wrapped, temporary / GRAPH)
        backend.save(str(temporary / "tokenizer.json"))
        dim = int(model.config.hidden_size)  # type: ignore[union-attr,arg-type]
        card = {"dim": dim, "max_length": max_length, "pooling": pooling, "pad_id": pad, "origin": origin}
        sealed = seal(temporary, "onnx", card)
        served = OnnxEncoder.load(temporary)
        here = _embed_served(served, sample_texts)
        there = _embed_torch(wrapped, served, sample_texts)
        difference = float(np.abs(here - there).max())
        if difference > 1e-3:
            raise ValueError(f"the exported graph differs from torch by {difference:.2g}")
        report = {"hash": sealed["hash"], "dim": dim, "max_difference": difference, "int8": False, "agreement": 1.0}
        if int8:
            report |= _quantise(temporary, card, here, sample_texts)
        report["bytes"] = sum(p.stat().st_size for p in temporary.iterdir())
        temporary.chmod(0o755)
        temporary.rename(dest)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return report


def _export_graph(wrapped: PooledEncoder, path: Path) -> None:
    ids = torch.ones((2, 9), dtype=torch.int64)
    shape = {0: torch.export.Dim("batch", min=1, max=4096), 1: torch.export.Dim("sequence", min=2, max=8192)}
    limit = getattr(getattr(wrapped.body, "config", None), "max_position_embeddings", None)
    if limit:
        shape[1] = torch.export.Dim("sequence", min=2, max=int(limit))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            wrapped,
            (ids, torch.ones_like(ids)),
            dynamo=True,
            dynamic_shapes=(shape, shape),
            input_names=["input_ids", "attention_mask"],
            output_names=[POOLED, STATES] if wrapped.states else [POOLED],
            opset_version=OPSET,
            custom_translation_table=onnx_translations(),
            verbose=False,
        )
    assert program is not None
    program.save(str(path), external_data=False)


def _embed_served(served: OnnxEncoder, texts: Sequence[str]) -> np.ndarray:
    return np.concatenate([served.run([served.token_ids(text)]) for text in texts])


def _embed_torch(wrapped: PooledEncoder, served: OnnxEncoder, texts: Sequence[str]) -> np.ndarray:
    rows = []
    with torch.no_grad():
        for text in texts:
            ids = torch.tensor([served.token_ids(text)])
            out = wrapped(ids, torch.ones_like(ids))
            rows.append((out[0] if isinstance(out, tuple) else out)[0].numpy())
    return np.stack(rows)


def _quantise(folder: Path, card: dict[str, Any], exact: np.ndarray, texts: Sequence[str]) -> dict[str, Any]:
    """Replace the graph by its int8 form where that keeps the nearest neighbours."""
    from ml.encoders.quantised import quantise_graph

    logging.getLogger().setLevel(logging.ERROR)
    trial = folder / "int8"
    trial.mkdir()
    reader = TokenReader(folder, card)
    quantise_graph(folder / GRAPH, trial / GRAPH, [reader.batch([ids]) for ids in reader.ids(texts)])
    shutil.copy2(folder / "tokenizer.json", trial / "tokenizer.json")
    seal(trial, "onnx", {**card, "int8": True})
    agreement = top1_agreement(exact, _embed_served(OnnxEncoder.load(trial), texts))
    report: dict[str, Any] = {"agreement": agreement, "int8": agreement >= AGREEMENT}
    if report["int8"]:
        for name in (GRAPH, "encoder.json"):
            (trial / name).replace(folder / name)
        report["hash"] = json.loads((folder / "encoder.json").read_text())["hash"]
    shutil.rmtree(trial)
    return report


def top1_agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Share of rows whose nearest other row is the same in both sets of vectors."""
    nearest = []
    for vectors in (first, second):
        likeness = vectors @ vectors.T
        np.fill_diagonal(likeness, -np.inf)
        nearest.append(likeness.argmax(axis=1))
    return float((nearest[0] == nearest[1]).mean())


def export_packaged(dest: Path, *, int8: bool = False) -> dict[str, Any]:
    """The packaged MiniLM as ONNX. Raises PackagedError when it is not installed or not the file we know."""
    from transformers import AutoModel, AutoTokenizer

    folder = packaged_folder()
    check_packaged(folder)
    model = AutoModel.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, attn_implementation="eager"
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    origin = f"all-MiniLM-L6-v2 sha256:{PACKAGED_SHA256}"
    return export_text_encoder(model, tokenizer, dest, pooling="mean", max_length=MAX_LENGTH, int8=int8, origin=origin)


def main_export(argv: Sequence[str]) -> int:
    """``export-encoder DEST [--int8]``: export the packaged encoder; one JSON line with the report."""
    parser = argparse.ArgumentParser(prog="python -m ml export-encoder", description=main_export.__doc__)
    parser.add_argument("dest", type=Path)
    parser.add_argument("--int8", action="store_true", help="quantise when nearest neighbours stay the same")
    options = parser.parse_args(argv)
    report = export_packaged(options.dest, int8=options.int8)
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main_export(sys.argv[1:]))
