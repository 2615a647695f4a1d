"""Picture encoders give what transformers' own processor and model give; checkpoints are tiny and made here."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from PIL import Image
from transformers import (
    CLIPConfig,
    CLIPModel,
    ResNetConfig,
    ResNetModel,
    SiglipVisionConfig,
    SiglipVisionModel,
    ViTConfig,
    ViTModel,
)
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from ml.encoders.augment import augment, crop_and_flip, shift_light
from ml.encoders.base import EncoderError
from ml.encoders.vision import PictureInputs, grid_pooling, load_vision_encoder, new_vision_encoder
from ml.examples import Example
from tests.ml import tiny

pytestmark = pytest.mark.torch
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]
SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def checkpoint(path, kind):
    """Random weights of each architecture, for 32 x 32 pixels."""
    torch.manual_seed(0)
    seen = {**SIZES, "image_size": 32, "patch_size": 8}
    model = {
        "resnet": lambda: ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 8, 16, 24], depths=[1] * 4)),
        "vit": lambda: ViTModel(ViTConfig(**seen)),
        "clip": lambda: CLIPModel(CLIPConfig(vision_config=seen, text_config={**SIZES, "vocab_size": 20})),
        "siglip": lambda: SiglipVisionModel(SiglipVisionConfig(**seen)),
    }[kind]()
    model.save_pretrained(path)
    card = {"image_mean": MEAN, "image_std": STD, "size": {"height": 32, "width": 32}}
    (path / "preprocessor_config.json").write_text(json.dumps(card))
    return model.eval()


def picture(path, seed=0, size=(32, 32)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return Example(path.stem, {}, image=str(path))


@pytest.mark.parametrize("kind", ["resnet", "vit", "clip", "siglip"])
def test_equals_transformers(tmp_path, kind):
    model = checkpoint(tmp_path / kind, kind)
    encoder = load_vision_encoder(tmp_path / kind, size=32).eval()
    products = [picture(tmp_path / "a.png"), picture(tmp_path / "b.png", 1, (45, 60))]
    processor = ViTImageProcessorPil(size={"height": 32, "width": 32}, image_mean=MEAN, image_std=STD, resample=3)
    prepared = processor([Image.open(e.image) for e in products], return_tensors="pt")["pixel_values"]
    vision = getattr(model, "vision_model", model) if kind == "clip" else model
    with torch.no_grad():
        states = vision(pixel_values=prepared).last_hidden_state
        cells, pooled = encoder(*encoder.read(products).batch([0, 1]))
    if states.ndim == 4:
        expected = torch.nn.functional.adaptive_avg_pool2d(states, min(4, states.shape[-1])).flatten(2).mT
    else:
        expected = states[:, -16:]  # 32 / 8 = 4 x 4 patches, behind the token that stands for all where there is one
    assert torch.allclose(cells, expected, atol=2e-4)
    assert torch.allclose(pooled, torch.nn.functional.normalize(expected.mean(1), dim=1), atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(7, 7), (2, 2), (14, 5)])
def test_cells_are_adaptive_average_pooling(height, width):
    states = torch.rand(2, 3, height, width)
    expected = torch.nn.functional.adaptive_avg_pool2d(states, (min(4, height), min(4, width))).flatten(2).mT
    assert torch.allclose(grid_pooling(height, width) @ states.flatten(2).mT, expected, atol=1e-6)


def test_what_is_refused(tmp_path):
    checkpoint(tmp_path / "vit", "vit")
    (tmp_path / "vit" / "preprocessor_config.json").write_text('{"image_std": [1, 0, 1]}')
    with pytest.raises(EncoderError, match="no zero in std"):
        load_vision_encoder(tmp_path / "vit")
    (tmp_path / "vit" / "model.safetensors").rename(tmp_path / "vit" / "pytorch_model.bin")
    with pytest.raises(EncoderError, match="pickled"):
        load_vision_encoder(tmp_path / "vit")
    with pytest.raises(EncoderError, match="bert is not a picture encoder"):
        load_vision_encoder(tiny.checkpoint(tmp_path / "bert", layers=1))
    with pytest.raises(EncoderError, match="no such folder"):
        load_vision_encoder(tmp_path / "nothing")


def test_a_missing_picture_is_zero_and_moves_no_statistics(tmp_path):
    encoder = new_vision_encoder(size=32, seed=0, augmentation="none").train()
    inputs = encoder.read(
        [picture(tmp_path / "a.png"), Example("b", {}), Example("c", {}, image=str(tmp_path / "x.png"))]
    )
    assert inputs.seen.tolist() == [True, False, False] and inputs.broken[0].startswith("x.png")
    cells, pooled = encoder(*inputs.batch([1, 2, 0]))
    assert (
        not pooled[:2].any() and not cells[:2].any() and float(pooled[2].detach().norm()) == pytest.approx(1, abs=1e-5)
    )
    with_gaps = {n: t.clone() for n, t in encoder.state_dict().items()}
    alone = new_vision_encoder(size=32, seed=0, augmentation="none").train()
    alone(*inputs.batch([0]))
    assert all(torch.equal(t, with_gaps[n]) for n, t in alone.state_dict().items())
    encoder(*inputs.batch([1, 2]))[1].sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in encoder.parameters())


def test_many_pictures_are_read_from_disk_with_the_same_result(tmp_path, monkeypatch):
    products = [picture(tmp_path / "a.png"), Example("b", {}), picture(tmp_path / "c.png", 2)]
    kept = PictureInputs([e.image for e in products], 16).batch([2, 1, 0])
    monkeypatch.setattr("ml.encoders.vision.IN_MEMORY", 0)
    read = PictureInputs([e.image for e in products], 16).batch([2, 1, 0])
    assert all(torch.equal(a, b) for a, b in zip(kept, read, strict=True))


def test_frozen_stays_as_it_is(tmp_path):
    checkpoint(tmp_path / "resnet", "resnet")
    encoder = load_vision_encoder(tmp_path / "resnet", size=32, frozen=True).train()
    before = {n: t.clone() for n, t in encoder.state_dict().items()}
    encoder(*encoder.read([picture(tmp_path / "a.png")]).batch([0]))
    assert all(torch.equal(t, before[n]) for n, t in encoder.state_dict().items())
    assert not any(p.requires_grad for p in encoder.parameters())


def test_a_round_trip_and_one_seed_one_network(tmp_path):
    encoder = new_vision_encoder(size=48, seed=3)
    assert torch.equal(*(next(new_vision_encoder(size=48, seed=3).parameters()) for _ in range(2)))
    encoder.save(tmp_path / "saved")
    again = load_vision_encoder(tmp_path / "saved", size=48)
    inputs = encoder.read([picture(tmp_path / "a.png")])
    assert np.allclose(encoder.pooled(inputs), again.pooled(inputs), atol=1e-6) and again.look == encoder.look


def test_augmentations():
    torch.manual_seed(0)
    pixels = torch.rand(6, 3, 24, 24) * 255
    assert augment(pixels, "none") is pixels
    torch.manual_seed(1)
    first = augment(pixels, "colour")
    torch.manual_seed(1)
    assert torch.equal(first, augment(pixels, "colour")) and first.shape == pixels.shape
    assert not torch.allclose(first, augment(pixels, "colour"))
    assert first.min() >= 0 and first.max() <= 255
    ramp = torch.linspace(0, 255, 24).expand(200, 3, 24, 24)
    turned = crop_and_flip(ramp)
    mirrored = (turned[:, 0, 12, 0] > turned[:, 0, 12, -1]).float().mean()
    assert 0.3 < mirrored < 0.7 and (turned - ramp).abs().max() > 50
    grey = torch.full((50, 3, 4, 4), 100.0)
    lit = shift_light(grey)  # a grey picture stays grey: light moves, hue does not
    assert torch.allclose(lit[:, 0], lit[:, 2], atol=1e-3) and lit[:, 0, 0, 0].std() > 5
