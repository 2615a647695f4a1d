"""Text and picture as one state of a product. Either may be missing: that is normal, and learned.

Concatenation keeps both side by side (late fusion), so that the picture can add to what the text says and take nothing
from it. Attention (a learned query over all tokens and cells, as in pooling by multi-head attention, Lee et al. 2019)
can weigh one word against one part of the picture; it has more to learn. While training, modality dropout (ModDrop,
Neverova et al. 2016) hides the text or the picture of some products, so that each is also learned alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ml.encoders.hf import TextEncoder, Tokens
from ml.encoders.vision import PictureInputs, VisionEncoder, pool_cells
from ml.examples import Example
from ml.text import render

BATCH = 64
FUSION = "fusion.safetensors"
Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


class ProductInputs:
    """Tokens and pictures of many products: ``batch`` gives ``(ids, mask, pixels, has_text, seen)``."""

    def __init__(self, tokens: Tokens, has_text: np.ndarray, pictures: PictureInputs) -> None:
        self.tokens, self.has_text, self.pictures = tokens, has_text, pictures

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def lengths(self) -> np.ndarray:
        """Of the texts: pictures all take the same work."""
        return self.tokens.lengths

    @property
    def broken(self) -> list[str]:
        return self.pictures.broken

    def batch(self, rows: Sequence[int] | np.ndarray, pad: int, device: torch.device) -> Inputs:
        ids, mask = self.tokens.batch(rows, pad, device)
        pixels, seen = self.pictures.batch(rows, pad, device)
        return ids, mask, pixels, torch.from_numpy(self.has_text[np.asarray(rows)]).to(device), seen


class Concatenation(nn.Module):
    """Pooled text ``(b, d_t)`` beside the pooled picture ``(b, d_v)``, each of length 1 or, where it is missing, a
    learned vector; the whole at length 1."""

    def __init__(self, text_width: int, picture_width: int) -> None:
        super().__init__()
        self.no_text = nn.Parameter(torch.zeros(text_width))
        self.no_picture = nn.Parameter(torch.zeros(picture_width))
        self.width = text_width + picture_width

    def forward(self, tokens: Tensor, mask: Tensor, pooled: Tensor, cells: Tensor, has: Tensor) -> Tensor:
        text = torch.where(has[:, :1], pooled, self.no_text.to(pooled.dtype))
        picture = torch.where(has[:, 1:], pool_cells(cells).to(pooled.dtype), self.no_picture.to(pooled.dtype))
        return nn.functional.normalize(torch.cat([text, picture], dim=1), dim=1)


class Attention(nn.Module):
    """One query over all token states and picture cells, added to the mean of both; ``(b, d_t)`` at length 1.

    A missing text or picture is a learned state in its place, so that there is always something to attend to.
    """

    def __init__(self, text_width: int, picture_width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.width, self.heads = text_width, max(1, text_width // 64)
        self.from_text = nn.Linear(text_width, text_width)
        self.from_picture = nn.Linear(picture_width, text_width)
        self.norm_text, self.norm_picture = nn.LayerNorm(text_width), nn.LayerNorm(picture_width)
        self.no_text = nn.Parameter(torch.zeros(text_width))
        self.no_picture = nn.Parameter(torch.zeros(text_width))
        self.query = nn.Linear(text_width, text_width)
        self.key = nn.Linear(text_width, text_width)
        self.value = nn.Linear(text_width, text_width)
        self.out = nn.Linear(text_width, text_width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, mask: Tensor, pooled: Tensor, cells: Tensor, has: Tensor) -> Tensor:
        said = torch.where(has[:, :1, None], self.from_text(self.norm_text(tokens)), self.no_text.to(tokens.dtype))
        shown = self.from_picture(self.norm_picture(cells.to(tokens.dtype)))
        shown = torch.where(has[:, 1:, None], shown, self.no_picture.to(tokens.dtype))
        live = mask.unsqueeze(-1).to(said.dtype)
        mean = 0.5 * ((said * live).sum(1) / live.sum(1).clamp(min=1.0) + shown.mean(1))
        states = torch.cat([said, shown], dim=1)
        open_to = torch.cat([mask.bool(), torch.ones_like(shown[:, :, 0], dtype=torch.bool)], dim=1)
        query, key, value = (
            part(x).unflatten(-1, (self.heads, -1))  # (b, h, d/h) and (b, l, h, d/h): one query needs no matrix product
            for part, x in ((self.query, mean), (self.key, states), (self.value, states))
        )
        weight = (query.unsqueeze(1) * key).sum(-1) * (key.shape[-1] ** -0.5)
        weight = weight.masked_fill(~open_to.unsqueeze(-1), -1e4).softmax(1)
        found = (self.dropout(weight).unsqueeze(-1) * value).sum(1).flatten(1)
        return nn.functional.normalize(mean + self.out(found), dim=1)


KINDS: dict[str, type[Concatenation] | type[Attention]] = {"concatenation": Concatenation, "attention": Attention}


class FusedEncoder(nn.Module):
    """``forward(ids, mask, pixels, has_text (b,), seen (b,)) -> (token states (b, l, d_t), pooled (b, width))``.

    pooled is zero where there is neither text nor picture: nothing was read.
    """

    def __init__(
        self, text: TextEncoder, vision: VisionEncoder, *, kind: str, modality_dropout: float = 0.0, seed: int = 1
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.text, self.vision, self.kind, self.modality_dropout = text, vision, kind, modality_dropout
        self.fusion = KINDS[kind](text.width, vision.width)

    @property
    def width(self) -> int:
        return self.fusion.width

    @property
    def pad_id(self) -> int:
        return self.text.pad_id

    @property
    def device(self) -> torch.device:
        return self.text.device

    @property
    def word_vectors(self) -> Tensor:
        return self.text.word_vectors

    def forward(self, ids: Tensor, mask: Tensor, pixels: Tensor, has_text: Tensor, seen: Tensor) -> tuple[Tensor, ...]:
        if self.training and self.modality_dropout:
            has_text, seen = hide_one(has_text, seen, self.modality_dropout)
        tokens, pooled = self.text(ids, mask)
        cells, _ = self.vision(pixels, seen)
        return tokens, self.fuse(tokens, mask, pooled, cells, torch.stack([has_text, seen], dim=1))

    def fuse(self, tokens: Tensor, mask: Tensor, pooled: Tensor, cells: Tensor, has: Tensor) -> Tensor:
        """``has`` is ``(b, 2)`` bool: is there a text, is there a picture."""
        fused: Tensor = self.fusion(tokens, mask, pooled, cells, has)
        return fused * has.any(1, keepdim=True).to(fused.dtype)

    def read(self, examples: Sequence[Example]) -> ProductInputs:
        texts = [render(e).text for e in examples]
        has_text = np.array([bool(t.strip()) for t in texts], dtype=bool)
        return ProductInputs(self.text.tokenise(texts), has_text, self.vision.read(examples))

    @torch.inference_mode()
    def pooled(self, inputs: ProductInputs) -> np.ndarray:
        """``(n, width)`` float32 pooled states, computed in batches of like lengths, without dropout."""
        was_training = self.training
        self.eval()
        out = np.zeros((len(inputs), self.width), dtype=np.float32)
        order = np.argsort(inputs.lengths, kind="stable")
        for begin in range(0, len(order), BATCH):
            rows = order[begin : begin + BATCH]
            out[rows] = self(*inputs.batch(rows, self.pad_id, self.device))[1].float().cpu().numpy()
        self.train(was_training)
        return out

    def by_rate(self) -> dict[str, list[nn.Module]]:
        return {"learning_rate": [self.text], "picture_learning_rate": [self.vision, self.fusion]}

    def save(self, directory: Path) -> None:
        """``text/`` and ``vision/``, each a checkpoint to start from again, and the fusion's own weights."""
        self.text.save(directory / "text")
        self.vision.save(directory / "vision")
        save_file({n: t.contiguous() for n, t in self.fusion.state_dict().items()}, directory / FUSION)


def hide_one(has_text: Tensor, seen: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Of ``share`` of the products that have both, the text or the picture (each as often) is taken away."""
    draw = torch.rand(has_text.shape, device=has_text.device)
    both = has_text & seen
    return has_text & ~(both & (draw < share / 2)), seen & ~(both & (draw >= share / 2) & (draw < share))


ProductEncoder = TextEncoder | VisionEncoder | FusedEncoder
"""What a tag head sits on: ``read(examples)`` makes inputs, ``forward(*inputs.batch(rows, ...))`` their states, the
second of them pooled ``(b, width)``."""


def text_part(encoder: ProductEncoder) -> TextEncoder | None:
    """The part of it that reads text; None where it only sees."""
    if isinstance(encoder, FusedEncoder):
        return encoder.text
    return encoder if isinstance(encoder, TextEncoder) else None
