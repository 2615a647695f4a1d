"""Trained encoders that see as ONNX directories for :mod:`ml.encoders.pictures`, checked against torch. Needs torch."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ml.encoders.export import OPSET, export_text_encoder
from ml.encoders.fusion import FusedEncoder, ProductEncoder
from ml.encoders.hf import TextEncoder
from ml.encoders.lstm import onnx_translations
from ml.encoders.pictures import VISION, OnnxFused, OnnxVision
from ml.encoders.served import GRAPH, seal
from ml.encoders.tokens import TOKENIZER
from ml.encoders.vision import VisionEncoder

MOST_DIFFERENT = 1e-3  # of any number, between torch and what is served


def export_encoder(encoder: ProductEncoder, dest: Path, *, origin: str, states: bool = False) -> None:
    """Write ``dest`` (must not exist) so that :func:`ml.encoders.base.load_encoder` serves what was trained. ``states``: of a text encoder, token states
    too.

    Raises ValueError when what is served differs from torch.
    """
    for part in encoder.modules():
        if isinstance(part, PreTrainedModel) and part._can_set_attn_implementation():
            part.set_attn_implementation("eager")  # what the exporter traces without surprises
    if isinstance(encoder, TextEncoder):
        export_text_encoder(
            encoder.backbone, encoder.tokenizer, dest, max_length=encoder.max_length, origin=origin, states=states
        )  # fmt: skip
    elif isinstance(encoder, VisionEncoder):
        export_vision(encoder, dest, origin)
    else:
        export_fused(encoder, dest, origin)


def export_vision(encoder: VisionEncoder, dest: Path, origin: str) -> None:
    dest.mkdir(parents=True)
    encoder = encoder.eval()
    size = encoder.look.size
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8))
    _export(_Seeing(encoder), (pixels,), ["pixels"], "states", dest / GRAPH, [{0: _batch()}])
    seal(dest, "vision", {"dim": encoder.width, "cells": encoder.cells, "size": size, "origin": origin})
    served = OnnxVision.load(dest)
    with torch.no_grad():
        there = encoder.look_at(pixels).numpy()
    _compare(served._session.run(["states"], {"pixels": pixels.numpy()})[0], there)


def export_fused(encoder: FusedEncoder, dest: Path, origin: str) -> None:
    dest.mkdir(parents=True)
    encoder = encoder.eval()
    export_vision(encoder.vision, dest / VISION, origin)
    encoder.text.tokenizer.save(str(dest / TOKENIZER))
    rng = np.random.default_rng(0)
    ids = torch.ones((2, 5), dtype=torch.int64)
    mask = torch.ones_like(ids)
    cells = torch.from_numpy(rng.normal(size=(2, encoder.vision.cells, encoder.vision.width)).astype(np.float32))
    has, seen = torch.tensor([True, True]), torch.tensor([True, True])  # one tensor twice would become one input
    batch, length = _batch(), torch.export.Dim("sequence", min=2, max=encoder.text.max_length)
    tokens = {0: batch, 1: length}
    names = ["input_ids", "attention_mask", "states", "has_text", "seen"]
    shapes = [tokens, tokens, {0: batch}, {0: batch}, {0: batch}]
    _export(_Fusing(encoder), (ids, mask, cells, has, seen), names, "pooled_embedding", dest / GRAPH, shapes)
    card = {"dim": encoder.width, "max_length": encoder.text.max_length, "pad_id": encoder.pad_id, "origin": origin}
    seal(dest, "fused", {**card, "fusion": encoder.kind})
    _check_fused(encoder, OnnxFused.load(dest))


def _check_fused(encoder: FusedEncoder, served: OnnxFused) -> None:
    """Each of text and picture there and missing, texts of different lengths."""
    texts = ["a black running shoe", "", "shirt", "navy cotton shirt for the office, long sleeves, button down"]
    rng = np.random.default_rng(1)
    cells = rng.normal(size=(len(texts), encoder.vision.cells, encoder.vision.width)).astype(np.float32)
    cells[2] = 0.0
    here = served._fuse(texts, cells.reshape(len(texts), -1))
    tokens = encoder.text.tokenise(texts)
    ids, mask = tokens.batch(range(len(texts)), encoder.pad_id, encoder.device)
    read = [
        bool(t) and served._reader.knows(e.ids)
        for t, e in zip(texts, encoder.text.tokenizer.encode_batch(texts), strict=True)
    ]
    has = torch.tensor([[r, bool(c.any())] for r, c in zip(read, cells, strict=True)])
    with torch.no_grad():
        states, pooled = encoder.text(ids, mask)
        there = encoder.fuse(states, mask, pooled, torch.from_numpy(cells), has)
    _compare(here, there.numpy())


def _compare(here: np.ndarray, there: np.ndarray) -> None:
    scale = max(1.0, float(np.abs(there).max()))
    difference = float(np.abs(here - there).max()) / scale
    if not difference <= MOST_DIFFERENT:
        raise ValueError(f"the exported graph differs from torch by {difference:.2g}")


class _Seeing(nn.Module):
    def __init__(self, encoder: VisionEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, pixels: Tensor) -> Tensor:
        return self.encoder.look_at(pixels)


class _Fusing(nn.Module):
    def __init__(self, encoder: FusedEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor, mask: Tensor, states: Tensor, has_text: Tensor, seen: Tensor) -> Tensor:
        tokens, pooled = self.encoder.text(ids, mask)
        return self.encoder.fuse(tokens, mask, pooled, states, torch.stack([has_text, seen], dim=1))


def _batch() -> Any:
    return torch.export.Dim("batch", min=1, max=4096)


def _export(
    module: nn.Module, given: tuple[Tensor, ...], names: list[str], out: str, path: Path, shapes: list[Any]
) -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(), given, dynamo=True, dynamic_shapes=tuple(shapes), input_names=names, output_names=[out],
            opset_version=OPSET, custom_translation_table=onnx_translations(), verbose=False,
        )  # fmt: skip
    assert program is not None
    program.save(str(path), external_data=False)
