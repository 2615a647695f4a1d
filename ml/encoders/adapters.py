"""Small trained parts that stay beside frozen weights: bottleneck adapters and prefixes.

Unlike LoRA they can't be folded into the weights: an adapter is not linear and a prefix is no weight. So they are part of
the graph that serves, and a checkpoint keeps them in ``adapters.safetensors`` beside the untouched base.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ml.encoders.base import EncoderError
from ml.encoders.blocks import blocks_of

if TYPE_CHECKING:
    from ml.encoders.hf import TextEncoder

WEIGHTS, CARD = "adapters.safetensors", "adapters.json"


class Bottleneck(nn.Module):
    """Houlsby et al. 2019: ``h + up(gelu(down(h)))`` of a linear layer's output h. It starts as the layer alone."""

    def __init__(self, linear: nn.Linear, width: int) -> None:
        super().__init__()
        self.linear = linear
        self.down = nn.Linear(linear.out_features, width)
        self.up = nn.Linear(width, linear.out_features)
        nn.init.normal_(self.down.weight, std=0.02)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, x: Tensor) -> Tensor:
        h = self.linear(x)
        out: Tensor = h + self.up(nn.functional.gelu(self.down(h)))
        return out


class Prefix(nn.Module):
    """Li and Liang 2021 (as in P-tuning v2, without the network around it): ``length`` more keys and values that every
    token of a block can attend to. Hands itself to the attention as its cache, which is where such a thing fits in."""

    def __init__(self, length: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.key = nn.Parameter(torch.randn(heads, length, head_width) * 0.02)
        self.value = nn.Parameter(torch.randn(heads, length, head_width) * 0.02)

    def update(self, key: Tensor, value: Tensor, layer: int, *_: Any) -> tuple[Tensor, Tensor]:
        """``(b, heads, l, w)`` of a block to the same with the prefix before them."""
        before = (p.to(key.dtype).expand(key.shape[0], -1, -1, -1) for p in (self.key, self.value))
        longer = [torch.cat([first, rest], 2) for first, rest in zip(before, (key, value), strict=True)]
        return longer[0], longer[1]

    def hand_in(self, module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Forward hook of the attention: the prefix as its cache, and a mask that lets it be seen."""
        mask = named.get("attention_mask")
        if mask is not None:
            mask = nn.functional.pad(mask, (self.key.shape[1], 0), value=mask.dtype == torch.bool)
        return given, {**named, "attention_mask": mask, "past_key_values": self}


def attach(encoder: TextEncoder, kind: str, size: int) -> None:
    """kind: ``adapters`` (size: their inner width) or ``prefix`` (size: its length). The rest is frozen.

    Raises EncoderError for an encoder that is not laid out as BERT is, and for one that has such parts already.
    """
    if kind_of(encoder):
        raise EncoderError(f"{kind}: this encoder has {kind_of(encoder)} already; take it as it is, with tuning 'full'")
    encoder.requires_grad_(False)
    for block in blocks_of(encoder):
        if kind == "prefix":
            attention = block.module.attention.self
            attention.prefix = Prefix(size, block.heads, block.head_width).to(encoder.device)
            attention.register_forward_pre_hook(attention.prefix.hand_in, with_kwargs=True)
        else:
            block.module.attention.output.dense = Bottleneck(block.mixed, size).to(encoder.device)
            block.module.output.dense = Bottleneck(block.outer, size).to(encoder.device)


def kind_of(encoder: TextEncoder) -> str:
    """``adapters``, ``prefix``, or empty where there are none."""
    kinds = {Bottleneck: "adapters", Prefix: "prefix"}
    return next((kinds[type(m)] for m in encoder.backbone.modules() if type(m) in kinds), "")


def base_state(encoder: TextEncoder) -> dict[str, Tensor]:
    """The weights of the backbone as they would be named without any such parts."""
    parts = _parts(encoder)
    state = encoder.backbone.state_dict()
    return {name.replace(".linear.", "."): t for name, t in state.items() if name not in parts}


def save_adapters(encoder: TextEncoder, directory: Path) -> None:
    """Does nothing where there are none."""
    if not (kind := kind_of(encoder)):
        return
    parts = _parts(encoder)
    size = next(
        m.key.shape[1] if isinstance(m, Prefix) else m.down.out_features
        for m in encoder.backbone.modules()
        if isinstance(m, (Prefix, Bottleneck))
    )
    save_file({name: t.detach().cpu().contiguous() for name, t in parts.items()}, directory / WEIGHTS)
    (directory / CARD).write_text(json.dumps({"kind": kind, "size": size}), encoding="utf-8")


def load_adapters(encoder: TextEncoder, directory: Path) -> None:
    """Attach what :func:`save_adapters` left. Raises EncoderError where it does not fit; nothing where there is none."""
    if not (directory / CARD).is_file():
        return
    try:
        card = json.loads((directory / CARD).read_text(encoding="utf-8"))
        attach(encoder, card["kind"], int(card["size"]))
        missing = encoder.backbone.load_state_dict(load_file(directory / WEIGHTS), strict=False)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise EncoderError(f"{directory}/{CARD}: its adapters could not be read ({error})") from error
    if missing.unexpected_keys or _parts(encoder).keys() & set(missing.missing_keys):
        raise EncoderError(f"{directory}/{WEIGHTS}: does not fit its adapters.json")
    encoder.requires_grad_(True)


def _parts(encoder: TextEncoder) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, module in encoder.backbone.named_modules():
        if isinstance(module, (Prefix, Bottleneck)):
            state = module.state_dict().items()
            found |= {f"{name}.{key}": t for key, t in state if not key.startswith("linear.")}
    return found
