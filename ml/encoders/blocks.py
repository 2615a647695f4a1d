"""Where the linear layers of a transformer block are, for what changes them: pruning, adapters, prefixes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from ml.encoders.base import EncoderError

if TYPE_CHECKING:
    from ml.encoders.hf import TextEncoder


@dataclass(frozen=True)
class Block:
    """The linear layers of a transformer block in the manner of BERT, and the width of one attention head."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    mixed: nn.Linear  # what the heads found, back to the width of the states
    inner: nn.Linear
    outer: nn.Linear
    head_width: int
    module: Any  # the block itself

    @property
    def heads(self) -> int:
        return self.value.out_features // self.head_width

    @property
    def neurons(self) -> int:
        return self.inner.out_features


def blocks_of(encoder: TextEncoder) -> list[Block]:
    """Raises EncoderError for encoders that are not laid out as BERT, RoBERTa, XLM-R, ELECTRA and ERNIE are."""
    found = []
    for block in encoder.blocks:
        part: Any = block
        try:
            attention = part.attention.self
            found.append(
                Block(
                    attention.query, attention.key, attention.value, part.attention.output.dense,
                    part.intermediate.dense, part.output.dense, int(attention.attention_head_size), block,
                )
            )  # fmt: skip
        except AttributeError as error:
            kind = encoder.backbone.config.model_type
            raise EncoderError(
                f"{kind}: its blocks are not laid out as BERT's; prune and adapt it otherwise"
            ) from error
    return found
