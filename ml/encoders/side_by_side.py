"""Several encoders of one kind as one: their states side by side. What an ensemble of scores is served as."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from ml.encoders.hf import TextEncoder, mean_pool


class Bodies(nn.Module):
    """Backbones as one: in its ``last_hidden_state`` the members' lie side by side, token by token, and in ``pooled`` their
    pooled states, each of length 1."""

    def __init__(self, members: list[TextEncoder]) -> None:
        super().__init__()
        self.members = nn.ModuleList([m.backbone for m in members])
        first = members[0].backbone.config
        self.config = SimpleNamespace(
            hidden_size=sum(m.width for m in members), max_position_embeddings=first.max_position_embeddings,
            num_hidden_layers=first.num_hidden_layers, model_type=first.model_type,
        )  # fmt: skip

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        each = [m(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state for m in self.members]
        pooled = torch.cat([mean_pool(states, attention_mask) for states in each], 1)
        return SimpleNamespace(last_hidden_state=torch.cat(each, 2), pooled=pooled)

    def set_attn_implementation(self, name: str) -> None:
        for member in self.members:
            member.set_attn_implementation(name)  # type: ignore[operator]


class SideBySide(TextEncoder):
    """``forward`` as of any text encoder, with states as wide as all members' together.

    Saved, it is its first member: a checkpoint to fine-tune again is one model.
    """

    def __init__(self, members: list[TextEncoder]) -> None:
        first = members[0]
        bodies: Any = Bodies(members)
        super().__init__(bodies, first.tokenizer, max_length=first.max_length, pad=first.pad, mask=first.mask)
        self.first = [first]  # in a list, so that its weights are not in ours twice

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        found = self.backbone(input_ids=ids, attention_mask=mask)
        return found.last_hidden_state, nn.functional.normalize(found.pooled, dim=1)

    @property
    def word_vectors(self) -> Tensor:
        return self.first[0].word_vectors

    def save(self, directory: Any) -> None:
        self.first[0].save(directory)
