"""An encoder from nothing but the catalogue: a WordPiece tokenizer made from its texts and a small BERT.

This is how a language that no checkpoint at hand speaks gets a semantic encoder without a download. The weights
start random; masked-language modelling (``ml.heads.masked``) teaches them.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel

from ml.encoders.hf import TextEncoder

UNKNOWN = "[UNK]"
SPECIALS = ["[PAD]", UNKNOWN, "[CLS]", "[SEP]", "[MASK]"]


def train_tokenizer(texts: Iterable[str], vocabulary: int = 8000) -> Tokenizer:
    """WordPiece of at most ``vocabulary`` pieces. Every Chinese character is a word of its own, so no segmenter."""
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.BertNormalizer(handle_chinese_chars=True, strip_accents=False, lowercase=True)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, min_frequency=2, special_tokens=SPECIALS, limit_alphabet=max(1000, vocabulary // 2),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    ids = {token: tokenizer.token_to_id(token) for token in SPECIALS}
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    )
    return tokenizer


def new_encoder(
    tokenizer: Tokenizer, *, layers: int, width: int, max_length: int, dropout: float, seed: int
) -> TextEncoder:
    """A BERT with random weights, the same ones for the same seed: heads of 64, feed-forward of four widths."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 64),
        intermediate_size=4 * width,
        max_position_embeddings=max(512, max_length),
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        pad_token_id=tokenizer.token_to_id("[PAD]"),
    )
    return TextEncoder(BertModel(config), tokenizer, max_length=max_length, pad="[PAD]", mask="[MASK]")
