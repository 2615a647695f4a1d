"""Transformers text encoders from a local directory, as torch modules that can be fine-tuned and saved again.

Only weights in safetensors and architectures that transformers itself knows are read; nothing in a checkpoint is
ever run. The tokenizer is the Rust one of ``tokenizers``, so that serving without transformers reads the same tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils import logging as hub_logging

from ml.encoders.adapters import base_state, kind_of, load_adapters, save_adapters
from ml.encoders.base import EncoderError
from ml.examples import Example
from ml.text import render

DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "attention_dropout",
    "embedding_dropout",
    "mlp_dropout",
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of many texts end to end: text ``i`` is ``flat[offsets[i]:offsets[i + 1]]``."""

    flat: np.ndarray  # int32
    offsets: np.ndarray  # int64, one more than there are texts

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def text(self, row: int) -> np.ndarray:
        return self.flat[self.offsets[row] : self.offsets[row + 1]]

    @staticmethod
    def joined(pieces: Sequence[np.ndarray]) -> Tokens:
        """Of texts whose ids are these."""
        offsets = np.zeros(len(pieces) + 1, dtype=np.int64)
        np.cumsum([len(p) for p in pieces], out=offsets[1:])
        return Tokens(np.concatenate(pieces) if pieces else np.zeros(0, np.int32), offsets)

    def batch(self, rows: Sequence[int] | np.ndarray, pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """``(ids, mask)`` of the rows, int64 ``(n, longest)``, padded on the right."""
        texts = [self.text(int(row)) for row in rows]
        longest = max(len(text) for text in texts)
        ids = np.full((len(texts), longest), pad, dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)


def tokenised(tokenizer: Tokenizer, texts: Sequence[str], pad: int, chunk: int = 4096) -> Tokens:
    """Token ids of each text as the tokenizer gives them; a text without any is one ``pad``."""
    pieces: list[np.ndarray] = []
    for start in range(0, len(texts), chunk):
        found = tokenizer.encode_batch(list(texts[start : start + chunk]))
        pieces += [np.array(e.ids or [pad], dtype=np.int32) for e in found]
    return Tokens.joined(pieces)


def mean_pool(tokens: Tensor, mask: Tensor) -> Tensor:
    """The mean over real tokens at length 1: ``(b, l, d)`` and ``(b, l)`` to ``(b, d)``, as the ONNX graph has it."""
    weights = mask.unsqueeze(-1).to(tokens.dtype)
    return nn.functional.normalize((tokens * weights).sum(1) / weights.sum(1).clamp(min=1.0), dim=1)


class TextEncoder(nn.Module):
    """A transformer over text: ``forward(ids, mask) -> (tokens (b, l, d), pooled (b, d))``; pooled is the mean at length 1.

    tokenizer: adds the special tokens and cuts at ``max_length`` itself; it never pads
    """

    def __init__(
        self, backbone: PreTrainedModel, tokenizer: Tokenizer, *, max_length: int, pad: str, mask: str | None
    ) -> None:
        super().__init__()
        if hasattr(backbone, "pooler"):
            backbone.pooler = None  # type: ignore[assignment] # we pool ourselves; weights without a gradient would only be carried around
        self.backbone = backbone
        self.tokenizer = tokenizer
        self.pad, self.mask = pad, mask
        pad_id = tokenizer.token_to_id(pad)
        if pad_id is None:
            raise EncoderError(f"tokenizer: its padding token {pad!r} is not in its vocabulary")
        self.pad_id: int = pad_id
        self.mask_id: int | None = tokenizer.token_to_id(mask) if mask else None
        limit = getattr(backbone.config, "max_position_embeddings", None) or max_length
        self.max_length = min(max_length, limit - _position_offset(backbone.config))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_length)

    @property
    def width(self) -> int:
        return int(self.backbone.config.hidden_size)

    @property
    def word_vectors(self) -> Tensor:
        """``(vocabulary, d)``: the token embeddings, shared, not copied."""
        weight = self.backbone.get_input_embeddings().weight
        assert isinstance(weight, Tensor)
        return weight

    @property
    def device(self) -> torch.device:
        return next(self.backbone.parameters()).device

    @property
    def special_ids(self) -> set[int]:
        """Tokens that say nothing of the text: padding, the mask, what stands before and after."""
        added = self.tokenizer.get_added_tokens_decoder()
        found = {i for i, token in added.items() if token.special} | {self.pad_id}
        return found if self.mask_id is None else found | {self.mask_id}

    @property
    def blocks(self) -> list[nn.Module]:
        """The transformer blocks from the first to the last. Raises EncoderError where they cannot be told apart."""
        count = getattr(self.backbone.config, "num_hidden_layers", 0)
        for module in self.backbone.modules():
            if isinstance(module, nn.ModuleList) and len(module) == count:
                return list(module)
        raise EncoderError(f"{self.backbone.config.model_type}: its blocks cannot be told apart")

    @property
    def embeddings(self) -> nn.Module:
        """What stands before the first block: the token, position and type embeddings."""
        found = getattr(self.backbone, "embeddings", None)
        return found if isinstance(found, nn.Module) else self.backbone.get_input_embeddings()

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.backbone(input_ids=ids, attention_mask=mask).last_hidden_state
        return tokens, mean_pool(tokens, mask)

    def read(self, examples: Sequence[Example]) -> Tokens:
        """What it reads of products: the tokens of their renderings."""
        return self.tokenise([render(e).text for e in examples])

    def by_rate(self) -> dict[str, list[nn.Module]]:
        """Modules by the plan's field that holds their peak learning rate."""
        return {"learning_rate": [self]}

    def tokenise(self, texts: Sequence[str], chunk: int = 4096) -> Tokens:
        """Token ids of each text, special tokens included, cut at ``max_length``."""
        return tokenised(self.tokenizer, texts, self.pad_id, chunk)

    @torch.inference_mode()
    def pooled(self, tokens: Tokens, batch_tokens: int = 8192) -> np.ndarray:
        """``(n, d)`` float32 pooled states, computed in batches of like lengths, without dropout."""
        was_training = self.training
        self.eval()
        out = np.zeros((len(tokens), self.width), dtype=np.float32)
        order = np.argsort(tokens.lengths, kind="stable")
        start = 0
        while start < len(order):
            longest = int(tokens.lengths[order[start]])
            stop = start
            while stop < len(order) and (stop == start or (stop + 1 - start) * longest <= batch_tokens):
                stop += 1
                longest = int(tokens.lengths[order[min(stop, len(order) - 1)]])
            rows = order[start:stop]
            out[rows] = self(*tokens.batch(rows, self.pad_id, self.device))[1].float().cpu().numpy()
            start = stop
        self.train(was_training)
        return out

    @torch.inference_mode()
    def states(self, ids: Sequence[Sequence[int]], batch_tokens: int = 8192) -> list[np.ndarray]:
        """Token states ``(tokens, d)`` float32 of each text given as token ids, without dropout."""
        was_training = self.training
        self.eval()
        offsets = np.concatenate([[0], np.cumsum([len(i) for i in ids])]).astype(np.int64)
        tokens = Tokens(np.array([i for text in ids for i in text], dtype=np.int32), offsets)
        out: list[np.ndarray] = [np.zeros((0, self.width), np.float32)] * len(ids)
        order = np.argsort(tokens.lengths, kind="stable")
        size = max(1, batch_tokens // int(tokens.lengths.max(initial=1)))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            found = self(*tokens.batch(rows, self.pad_id, self.device))[0].float().cpu().numpy()
            for row, states in zip(rows, found, strict=True):
                out[row] = states[: len(ids[row])]
        self.train(was_training)
        return out

    def save(self, directory: Path) -> None:
        """Write a checkpoint that :func:`load_text_encoder` and transformers both read."""
        directory.mkdir(parents=True, exist_ok=True)
        state = base_state(self) if kind_of(self) else None
        self.backbone.save_pretrained(directory, state_dict=state)
        save_adapters(self, directory)
        self.tokenizer.save(str(directory / "tokenizer.json"))
        specials = {"pad_token": self.pad, **({"mask_token": self.mask} if self.mask else {})}
        card = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": self.max_length, **specials}
        (directory / "tokenizer_config.json").write_text(json.dumps(card, indent=1), encoding="utf-8")


def load_text_encoder(path: Path, *, max_length: int = 128, dropout: float = 0.1) -> TextEncoder:
    """The encoder of a local Hugging Face checkpoint, on the CPU in fp32.

    Raises EncoderError, saying which file and what to do, for a path that is no checkpoint, one with code to run
    (``auto_map``), one whose weights are pickled, an unknown architecture or one that does not encode text.
    """
    import ml.encoders.lstm  # noqa: F401 # makes its architecture known

    config = checked_config(path)
    if config.is_encoder_decoder or not hasattr(config, "vocab_size") or not hasattr(config, "hidden_size"):
        raise EncoderError(f"{path}: {config.model_type} is not a text encoder (BERT, RoBERTa, XLM-R, ERNIE, ... are)")
    for name in DROPOUTS:
        if hasattr(config, name):
            setattr(config, name, dropout)
    tokenizer, pad, mask = load_tokenizer(path, config)
    try:
        with quiet_transformers():
            backbone = AutoModel.from_pretrained(
                path,
                config=config,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype="float32",
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise EncoderError(f"{path}: transformers could not load it ({error})") from error
    encoder = TextEncoder(backbone, tokenizer, max_length=max_length, pad=pad, mask=mask)
    load_adapters(encoder, path)
    return encoder


def licence_of(folder: Path | None) -> str:
    """What the checkpoint's model card (``README.md``) names as its ``license``; empty where it names none."""
    try:
        head = (folder / "README.md").read_text(encoding="utf-8", errors="replace")[:20_000] if folder else ""
    except OSError:
        return ""
    found = re.search(r"^license:\s*[\"']?([\w.+-]{2,60})", head, re.MULTILINE)
    return found[1] if found else ""


def checked_config(path: Path) -> PretrainedConfig:
    """The configuration of a local checkpoint that runs no code and has its weights in safetensors, else EncoderError."""
    if not path.is_dir():
        raise EncoderError(f"{path}: no such folder; give the path of a checkpoint on this machine")
    if not (path / "config.json").is_file():
        raise EncoderError(f"{path}: has no config.json, so it is not a transformers checkpoint")
    for file in sorted(path.glob("*.json")):
        if '"auto_map"' in file.read_text(encoding="utf-8", errors="replace"):
            raise EncoderError(f"{path}/{file.name}: names code to run on load (auto_map); such models are refused")
    if not list(path.glob("*.safetensors")):
        raise EncoderError(
            f"{path}: has no weights in safetensors; pickled weights (.bin, .pt) are refused, "
            "save the model again with save_pretrained of a current transformers"
        )
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise EncoderError(f"{path}/config.json: not an architecture that transformers knows ({error})") from error
    return config


def load_tokenizer(path: Path, config: PretrainedConfig) -> tuple[Tokenizer, str, str | None]:
    """(tokenizer, padding token, mask token or None)."""
    specials: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (path / name).is_file():
            specials |= json.loads((path / name).read_text(encoding="utf-8"))
    if (path / "tokenizer.json").is_file():
        try:
            tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        except Exception as error:  # tokenizers raises bare Exception
            raise EncoderError(f"{path}/tokenizer.json: not a tokenizer ({error})") from error
        mask = _token(specials.get("mask_token"))
        pad = _token(specials.get("pad_token")) or tokenizer.id_to_token(config.pad_token_id or 0) or "[PAD]"
        return tokenizer, pad, mask if mask and tokenizer.token_to_id(mask) is not None else None
    from transformers import AutoTokenizer  # converts vocab.txt, merges.txt or a sentencepiece model

    try:
        slow = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        return Tokenizer.from_str(slow.backend_tokenizer.to_str()), str(slow.pad_token), slow.mask_token
    except Exception as error:  # every tokenizer class fails in its own way
        raise EncoderError(f"{path}: its tokenizer could not be read ({error}); add a tokenizer.json") from error


def _token(value: Any) -> str | None:
    """The text of a special token, which checkpoints write as a string or as an object."""
    return value.get("content") if isinstance(value, dict) else value


def _position_offset(config: PretrainedConfig) -> int:
    """RoBERTa and its kin count positions from the padding id up, so two of them are never used."""
    return 2 if config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet") else 0


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No load reports and progress bars from transformers inside; its own settings again after."""
    level = hub_logging.get_verbosity()
    hub_logging.set_verbosity_error()
    hub_logging.disable_progress_bar()
    try:
        yield
    finally:
        hub_logging.set_verbosity(level)
        hub_logging.enable_progress_bar()
