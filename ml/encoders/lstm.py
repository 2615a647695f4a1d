"""A bidirectional LSTM over text: the small encoder to train from nothing, with a tokenizer made from the catalogue.

Hochreiter and Schmidhuber 1997, Graves and Schmidhuber 2005 (reading both ways). It is a transformers model like the
others (``model_type`` ``bilstm``), so :class:`~ml.encoders.hf.TextEncoder` wraps it, saves it, pre-trains it and exports
it as it does a BERT. The way back is a forward pass over each text turned round at its own length, so that padding is
never read, in torch and in ONNX alike.
"""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from ml.encoders.hf import TextEncoder


class LstmConfig(PretrainedConfig):
    """``hidden_size`` is of both ways together and of the token embeddings."""

    model_type = "bilstm"

    def __init__(
        self,
        vocab_size: int = 8000,
        hidden_size: int = 256,
        num_hidden_layers: int = 1,
        hidden_dropout_prob: float = 0.1,
        pad_token_id: int = 0,
        **rest: Any,
    ) -> None:
        self.vocab_size, self.hidden_size = vocab_size, hidden_size
        self.num_hidden_layers, self.hidden_dropout_prob = num_hidden_layers, hidden_dropout_prob
        self.pad_token_id, self.max_position_embeddings = pad_token_id, None  # it counts no positions
        super().__init__(**rest)


@torch.library.custom_op("tagstudio::lstm", mutates_args=())
def _whole(states: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
    """A layer's LSTM in one piece, for the exporter: by itself it unrolls one over the length that it happens to see.

    ``(b, l, d)`` and the weights as :class:`torch.nn.LSTM` has them, to ``(b, l, h)``.
    """
    nothing = states.new_zeros(1, states.shape[0], w_hh.shape[1])
    weights = [w_ih, w_hh, b_ih, b_hh]
    out: Tensor = torch._VF.lstm(states, (nothing, nothing), weights, True, 1, 0.0, False, False, True)[0]
    return out


@_whole.register_fake
def _(states: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
    return states.new_empty(states.shape[0], states.shape[1], w_hh.shape[1])


def onnx_translations() -> dict[Any, Any]:
    """What ``torch.onnx.export`` has to be told of operators of ours (``custom_translation_table``)."""
    from onnxscript import opset18 as op

    def reordered(weights: Any) -> Any:
        """Gates are input, forget, cell, output in torch; input, output, forget, cell in ONNX."""
        i, f, c, o = op.Split(weights, axis=0, num_outputs=4)
        return op.Unsqueeze(op.Concat(i, o, f, c, axis=0), op.Constant(value_ints=[0]))  # type: ignore[arg-type]

    def lstm(states: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
        bias = op.Concat(reordered(b_ih), reordered(b_hh), axis=1)
        by_step = op.Transpose(states, perm=[1, 0, 2])
        out, _last, _cell = op.LSTM(by_step, reordered(w_ih), reordered(w_hh), bias, hidden_size=int(w_hh.shape[1]))
        one_way = op.Squeeze(out, op.Constant(value_ints=[1]))  # type: ignore[arg-type]
        return op.Transpose(one_way, perm=[1, 0, 2])

    return {torch.ops.tagstudio.lstm.default: lstm}


class BothWays(nn.Module):
    """One layer: ``forward(states (b, l, d), back (b, l)) -> (b, l, d)``; ``back`` is where each token goes when its
    text is turned round."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.there = nn.LSTM(width, width // 2, batch_first=True)
        self.back = nn.LSTM(width, width // 2, batch_first=True)

    def forward(self, states: Tensor, back: Tensor) -> Tensor:
        turn = back.unsqueeze(-1)
        there = _read(self.there, states)
        turned = _read(self.back, torch.gather(states, 1, turn.expand(-1, -1, states.shape[2])))
        again = torch.gather(turned, 1, turn.expand(-1, -1, turned.shape[2]))
        return torch.cat([there, again], dim=-1)


def _read(layer: nn.LSTM, states: Tensor) -> Tensor:
    if torch.compiler.is_exporting():
        return _whole(states, layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0)  # type: ignore[no-any-return]
    out: Tensor = layer(states)[0]
    return out


class LstmModel(PreTrainedModel):
    """``input_ids``, ``attention_mask`` ``(b, l)`` to ``last_hidden_state (b, l, hidden_size)``; padding on the right."""

    config_class = LstmConfig
    base_model_prefix = "lstm"
    main_input_name = "input_ids"

    def __init__(self, config: LstmConfig) -> None:
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.layers = nn.ModuleList(BothWays(config.hidden_size) for _ in range(config.num_hidden_layers))
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.embeddings = value  # type: ignore[assignment]

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **_: Any) -> BaseModelOutput:
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        length = mask.sum(1, keepdim=True)
        at = torch.arange(input_ids.shape[1], device=input_ids.device).unsqueeze(0)
        back = torch.where(at < length, length - 1 - at, at)
        states = self.dropout(self.embeddings(input_ids))
        for layer in self.layers:
            states = self.dropout(layer(states, back))
        return BaseModelOutput(last_hidden_state=states)


AutoConfig.register(LstmConfig.model_type, LstmConfig)
AutoModel.register(LstmConfig, LstmModel)


def new_lstm(
    tokenizer: Tokenizer, *, layers: int, width: int, max_length: int, dropout: float, seed: int
) -> TextEncoder:
    """A bidirectional LSTM with random weights, the same ones for the same seed. ``width`` is even."""
    torch.manual_seed(seed)
    config = LstmConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=width,
        num_hidden_layers=layers,
        hidden_dropout_prob=dropout,
        pad_token_id=tokenizer.token_to_id("[PAD]") or 0,
    )
    return TextEncoder(LstmModel(config), tokenizer, max_length=max_length, pad="[PAD]", mask="[MASK]")
