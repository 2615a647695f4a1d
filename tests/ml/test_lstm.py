"""The LSTM reads both ways as torch's own bidirectional one on packed texts, and is saved and served like a BERT."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ml.encoders.catalogue import train_tokenizer
from ml.encoders.export import export_text_encoder
from ml.encoders.hf import load_text_encoder
from ml.encoders.lstm import new_lstm
from ml.encoders.onnx import OnnxEncoder
from ml.text import render
from tests.ml import tiny

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([render(e).text for e in tiny.examples(100)], vocabulary=300)


def encoder(tokenizer, layers=2, seed=0):
    return new_lstm(tokenizer, layers=layers, width=64, max_length=24, dropout=0.1, seed=seed).eval()


def test_equals_torch_on_packed_texts(tokenizer):
    ours = encoder(tokenizer)
    theirs = torch.nn.LSTM(64, 32, num_layers=2, batch_first=True, bidirectional=True)
    for number, layer in enumerate(ours.backbone.layers):
        for suffix, way in (("", layer.there), ("_reverse", layer.back)):
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(theirs, f"{kind}_l{number}{suffix}").data.copy_(getattr(way, f"{kind}_l0").data)
    tokens = ours.tokenise(["a black running shirt for the office", "blue", "new 运动 bag"])
    ids, mask = tokens.batch([0, 1, 2], ours.pad_id, torch.device("cpu"))
    with torch.no_grad():
        packed = pack_padded_sequence(ours.word_vectors[ids], mask.sum(1), batch_first=True, enforce_sorted=False)
        expected = pad_packed_sequence(theirs(packed)[0], batch_first=True)[0]
        found = ours(ids, mask)[0]
    real = mask.bool()
    assert torch.allclose(found[real], expected[real], atol=1e-6)


def test_same_seed_same_weights_and_a_round_trip(tokenizer, tmp_path):
    first, second = encoder(tokenizer), encoder(tokenizer)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first.word_vectors, encoder(tokenizer, seed=1).word_vectors)
    first.save(tmp_path / "saved")
    again = load_text_encoder(tmp_path / "saved", max_length=24)
    tokens = first.tokenise(["a black shirt", "运动 bag"])
    assert np.allclose(first.pooled(tokens), again.pooled(tokens), atol=1e-6)
    assert len(again.blocks) == 2 and again.mask_id is not None


@pytest.mark.long
@pytest.mark.parametrize("layers", [1, 2])  # twice in one process, which once bound the second to a single length
def test_served_without_torch(tokenizer, tmp_path, layers):
    trained = encoder(tokenizer, layers=layers)
    report = export_text_encoder(trained.backbone, trained.tokenizer, tmp_path / "served", max_length=24)
    assert report["max_difference"] < 1e-4
    products = tiny.examples(9)
    served = OnnxEncoder.load(tmp_path / "served").embed(products)
    assert np.allclose(served, trained.pooled(trained.read(products)), atol=1e-4)
