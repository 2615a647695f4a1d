"""Picture encoders: transformers' own ResNet, ViT, CLIP and SigLIP from a local path, and a small one to train from nothing.

Whatever the architecture, a picture becomes at most 4 x 4 cells (the mean over each part of the picture) and their mean
at length 1. Sixteen cells keep where something is, and are few enough to be kept on disk for every picture of a shop.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    CLIPVisionModel,
    PreTrainedModel,
    ResNetConfig,
    ResNetModel,
    SiglipVisionModel,
    ViTModel,
)

from ml.encoders.augment import augment
from ml.encoders.base import EncoderError
from ml.encoders.hf import checked_config, quiet_transformers
from ml.examples import Example
from ml.pictures import read_pictures

GRID = 4
IN_MEMORY = 2**30  # bytes of pixels that are kept decoded; of more, each batch is read from disk
READERS: dict[str, type[PreTrainedModel]] = {
    "resnet": ResNetModel,
    "vit": ViTModel,
    "clip": CLIPVisionModel,
    "clip_vision_model": CLIPVisionModel,
    "siglip": SiglipVisionModel,
    "siglip_vision_model": SiglipVisionModel,
}
PROCESSOR = "preprocessor_config.json"
BATCH = 64


class PictureInputs:
    """Pictures of many products: what is read of them is ``batch(rows, pad, device) -> (pixels, seen)``.

    seen: ``(n,)`` bool; broken: what could not be read, by name
    """

    def __init__(self, paths: Sequence[str], size: int) -> None:
        self.paths, self.size = list(paths), size
        self.broken: list[str] = []
        kept = sum(map(bool, paths)) * size * size * 3 <= IN_MEMORY
        self._row = np.full(len(paths), -1)
        self._row[np.flatnonzero([bool(p) for p in paths])] = np.arange(sum(map(bool, paths)))
        self._pixels: np.ndarray | None = None
        if kept:  # only those that have one take memory
            self._pixels, found = read_pictures([p for p in paths if p], size, self.broken.append)
            self.seen = self._row >= 0
            self.seen[self.seen] = found
        else:
            self.seen = np.array([bool(p) for p in paths])

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def lengths(self) -> np.ndarray:
        """Ones: every picture takes the same work."""
        return np.ones(len(self), dtype=np.int64)

    def batch(
        self, rows: Sequence[int] | np.ndarray, pad: int = 0, device: torch.device | None = None
    ) -> tuple[Tensor, Tensor]:
        """``(pixels (n, s, s, 3) uint8, seen (n,) bool)`` of the rows."""
        rows = np.asarray(rows)
        if self._pixels is None:
            pixels, seen = read_pictures([self.paths[row] for row in rows], self.size)
        else:
            pixels, seen = np.zeros((len(rows), self.size, self.size, 3), dtype=np.uint8), self.seen[rows]
            pixels[seen] = self._pixels[self._row[rows[seen]]]
        return torch.from_numpy(pixels).to(device), torch.from_numpy(seen).to(device)


@dataclass(frozen=True)
class Look:
    """How pixels are prepared: ``(pixels / 255 - mean) / std`` by channel, on a square of ``size``."""

    size: int
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)


class VisionEncoder(nn.Module):
    """``forward(pixels (b, s, s, 3) uint8, seen (b,) bool) -> (cells (b, c, d), pooled (b, d))``.

    pooled is the mean of the cells at length 1; both are zero where no picture was seen. While training, pictures are
    changed as ``augmentation`` says (see :func:`ml.encoders.augment.augment`).
    """

    pad_id = 0

    def __init__(self, backbone: PreTrainedModel, look: Look, *, augmentation: str = "none", frozen: bool = False):
        super().__init__()
        self.backbone, self.look, self.augmentation, self.frozen = backbone, look, augmentation, frozen
        self.register_buffer("mean", torch.tensor(look.mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(look.std).view(1, 3, 1, 1) * 255, persistent=False)
        with torch.no_grad():
            backbone.eval()
            grid = _as_grid(self._states(torch.zeros(1, 3, look.size, look.size)))
        self.width = int(grid.shape[1])
        self.register_buffer("pooling", grid_pooling(int(grid.shape[2]), int(grid.shape[3])), persistent=False)
        if frozen:
            self.requires_grad_(False)

    @property
    def cells(self) -> int:
        """How many cells a picture has; at most 16."""
        return int(self.pooling.shape[0])  # type: ignore[union-attr,operator,index]

    @property
    def device(self) -> torch.device:
        return next(self.backbone.parameters()).device

    def train(self, mode: bool = True) -> VisionEncoder:
        """Frozen, it stays as it is in use: batch statistics must not move under weights that do not."""
        super().train(mode and not self.frozen)
        return self

    def _states(self, prepared: Tensor) -> Tensor:
        out: Tensor = self.backbone(pixel_values=prepared).last_hidden_state
        return out

    def look_at(self, pixels: Tensor) -> Tensor:
        """``(b, s, s, 3)`` uint8 to cells ``(b, c, d)``."""
        prepared = pixels.permute(0, 3, 1, 2).float()
        if self.training:
            prepared = augment(prepared, self.augmentation)
        grid = _as_grid(self._states((prepared - self.mean) / self.std))  # type: ignore[operator]
        return self.pooling.to(grid.dtype) @ grid.flatten(2).transpose(1, 2)  # type: ignore[operator,no-any-return]

    def forward(self, pixels: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        if bool(seen.all()):
            cells = self.look_at(pixels)
        else:  # what is not there must not move the batch statistics either
            cells = torch.zeros(len(pixels), self.cells, self.width, device=pixels.device)
            if bool(seen.any()):
                found = self.look_at(pixels[seen])
                cells = cells.to(found.dtype).index_put((seen.nonzero()[:, 0],), found)
            elif self.training:  # a team waits for a gradient of every weight, of this batch too
                cells = cells + 0.0 * sum(p.sum() for p in self.backbone.parameters() if p.requires_grad)
        return cells, pool_cells(cells)

    def read(self, examples: Sequence[Example]) -> PictureInputs:
        return PictureInputs([e.image for e in examples], self.look.size)

    @torch.inference_mode()
    def pooled(self, inputs: PictureInputs) -> np.ndarray:
        """``(n, d)`` float32 pooled states, without augmentation."""
        was_training = self.training
        self.eval()
        out = np.zeros((len(inputs), self.width), dtype=np.float32)
        for begin in range(0, len(inputs), BATCH):
            rows = np.arange(begin, min(begin + BATCH, len(inputs)))
            out[rows] = self(*inputs.batch(rows, 0, self.device))[1].float().cpu().numpy()
        self.train(was_training)
        return out

    def by_rate(self) -> dict[str, list[nn.Module]]:
        """Modules by the plan's field that holds their peak learning rate."""
        return {"picture_learning_rate": [self]}

    def save(self, directory: Path) -> None:
        """Write a checkpoint that :func:`load_vision_encoder` and transformers both read."""
        directory.mkdir(parents=True, exist_ok=True)
        self.backbone.save_pretrained(directory)
        side = {"height": self.look.size, "width": self.look.size}
        card = {
            "do_resize": True, "size": side, "resample": 3, "do_rescale": True, "rescale_factor": 1 / 255,
            "do_normalize": True, "image_mean": list(self.look.mean), "image_std": list(self.look.std),
            "image_processor_type": "ViTImageProcessor",
        }  # fmt: skip
        (directory / PROCESSOR).write_text(json.dumps(card, indent=1), encoding="utf-8")


def pool_cells(cells: Tensor) -> Tensor:
    """``(b, c, d)`` to ``(b, d)``: the mean at length 1; zero stays zero."""
    out: Tensor = nn.functional.normalize(cells.mean(1), dim=1)
    return out


def _as_grid(states: Tensor) -> Tensor:
    """``(b, d, h, w)`` of what an architecture gives: a map as it is, tokens without the one that stands for all."""
    if states.ndim == 4:
        return states
    side = math.isqrt(states.shape[1])
    if side * side != states.shape[1]:
        side = math.isqrt(states.shape[1] - 1)
        if side * side != states.shape[1] - 1:
            raise EncoderError(f"{states.shape[1]} picture tokens are no square")
        states = states[:, 1:]
    grid: Tensor = states.transpose(1, 2).unflatten(2, (side, side))
    return grid


def grid_pooling(height: int, width: int) -> Tensor:
    """``(cells, height * width)``: weights of the mean over each cell, as adaptive average pooling to at most 4 x 4."""
    rows, columns = min(GRID, height), min(GRID, width)
    eye = torch.eye(height * width).view(height * width, height, width)
    return nn.functional.adaptive_avg_pool2d(eye, (rows, columns)).flatten(1).T.contiguous()


def new_vision_encoder(*, size: int, seed: int, augmentation: str = "crops") -> VisionEncoder:
    """A small residual network (He et al. 2016) with random weights, the same ones for the same seed: seven layers of 64
    to 256 channels, one cell for each 16 pixels of a side (so 32 pixels at least: batch statistics want four cells)."""
    torch.manual_seed(seed)
    config = ResNetConfig(embedding_size=32, hidden_sizes=[64, 128, 256], depths=[1, 1, 1], layer_type="basic")
    return VisionEncoder(ResNetModel(config), Look(size), augmentation=augmentation)


def load_vision_encoder(
    path: Path, *, size: int = 224, augmentation: str = "none", frozen: bool = False
) -> VisionEncoder:
    """The picture encoder of a local checkpoint (of CLIP and SigLIP the half that sees), on the CPU in fp32.

    ``size`` counts where the architecture takes any (ResNet); one with positions keeps the size it was trained with.
    Raises EncoderError, saying which file and what to do.
    """
    config = checked_config(path)
    if config.model_type not in READERS:
        raise EncoderError(f"{path}: {config.model_type} is not a picture encoder (ResNet, ViT, CLIP and SigLIP are)")
    vision: Any = getattr(config, "vision_config", config)
    extra: dict[str, Any] = {"add_pooling_layer": False} if config.model_type == "vit" else {}
    try:
        with quiet_transformers():
            backbone = READERS[config.model_type].from_pretrained(
                path, local_files_only=True, use_safetensors=True, dtype="float32", **extra
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise EncoderError(f"{path}: transformers could not load it ({error})") from error
    mean, std = _normalisation(path)
    side = int(getattr(vision, "image_size", None) or size)
    return VisionEncoder(backbone, Look(side, mean, std), augmentation=augmentation, frozen=frozen)


def _normalisation(path: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation by channel, from the checkpoint's image processor; a half where it names none."""
    try:
        card = json.loads((path / PROCESSOR).read_text(encoding="utf-8"))
    except OSError:
        return Look.mean, Look.std
    except ValueError as error:
        raise EncoderError(f"{path}/{PROCESSOR}: not JSON ({error})") from error
    found = tuple(tuple(map(float, card.get(name) or (0.5,) * 3)) for name in ("image_mean", "image_std"))
    if any(len(channels) != 3 for channels in found) or not all(found[1]):
        raise EncoderError(f"{path}/{PROCESSOR}: image_mean and image_std must have three numbers, no zero in std")
    return found[0], found[1]
