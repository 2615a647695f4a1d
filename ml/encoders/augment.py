"""Changes of pictures while training: crops, flips and light, on whole batches of tensors.

Drawn from torch's generator, which the loop seeds by step, so that a resumed run sees the same pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

KINDS = ("none", "crops", "colour")
LEAST_AREA = 0.6  # of a crop, as a share of the picture
LIGHT = 0.3  # how far brightness, contrast and saturation move, either way


def augment(pixels: Tensor, kind: str) -> Tensor:
    """``(b, 3, s, s)`` floats in 0 to 255, changed, each picture in its own way.

    crops: a random part of at least 60 % of the area, brought to the whole size, every other one mirrored; colour:
    brightness, contrast and saturation as well (hue never: a tag may name it)
    """
    if kind == "none" or not len(pixels):
        return pixels
    pixels = crop_and_flip(pixels)
    return shift_light(pixels) if kind == "colour" else pixels


def crop_and_flip(pixels: Tensor) -> Tensor:
    count, device = len(pixels), pixels.device
    scale = (LEAST_AREA + (1 - LEAST_AREA) * torch.rand(count, device=device)).sqrt()
    away = 2 * torch.rand(2, count, device=device) - 1
    mirror = 1 - 2 * (torch.rand(count, device=device) < 0.5).float()
    move = torch.zeros(count, 2, 3, device=device)
    move[:, 0, 0], move[:, 1, 1] = scale * mirror, scale
    move[:, :, 2] = (away * (1 - scale)).T
    grid = nn.functional.affine_grid(move, list(pixels.shape), align_corners=False)
    return nn.functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)


def shift_light(pixels: Tensor) -> Tensor:
    """Brightness, then contrast about the picture's mean grey, then saturation about each pixel's grey."""
    brightness, contrast, saturation = (
        1 + LIGHT * (2 * torch.rand(3, len(pixels), 1, 1, 1, device=pixels.device) - 1)
    )  # fmt: skip
    weights = torch.tensor([0.299, 0.587, 0.114], device=pixels.device).view(1, 3, 1, 1)
    pixels = pixels * brightness
    mean = (pixels * weights).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    pixels = mean + (pixels - mean) * contrast
    grey = (pixels * weights).sum(1, keepdim=True)
    out: Tensor = (grey + (pixels - grey) * saturation).clamp(0, 255)
    return out
