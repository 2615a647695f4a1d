"""Text and picture as one: attention as torch has it, either missing, and a whole run from photos to a served bundle."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from PIL import Image

from ml.encoders.base import load_encoder
from ml.encoders.fusion import Attention, Concatenation, FusedEncoder, hide_one
from ml.encoders.hf import load_text_encoder
from ml.encoders.pictures import OnnxFused, OnnxVision
from ml.encoders.vision import new_vision_encoder
from ml.examples import read_jsonl, write_jsonl
from ml.instant.cache import EmbeddingCache
from ml.instant.model import InstantModel
from ml.pictures import located
from ml.serving.full import FullModel
from ml.training.job import Job, Unwatched
from tests.ml import tiny
from tests.ml.test_vision import checkpoint

pytestmark = [pytest.mark.torch, pytest.mark.long]
BROKEN = ("p0", "p6", "p12")
SHOWN = {"black": (10, 10, 10), "blue": (20, 30, 220), "white": (250, 250, 250)}


def with_pictures(folder, products):
    """The colour is shown, not said; one product in six has no picture, one has no text."""
    folder.mkdir(parents=True)
    out = []
    for number, product in enumerate(products):
        (colour,) = product.labels["colour"]
        pixels = np.random.default_rng(number).normal(0, 8, (20, 24, 3)) + SHOWN[colour]
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{product.id}.png")
        said = {"title": product.texts["title"].split()[1], "description": product.texts["description"]}
        out.append(
            replace(
                product,
                texts={} if number % 6 == 2 else said,
                category="",
                image="" if number % 6 == 1 else f"{product.id}.png",
            )
        )
    return out


def job(folder, **plan):
    tiny.job(
        folder,
        plan.pop("base", "lstm"),
        48,
        **{"pictures": "small", "picture_size": 32, "layers": 1, "width": 64, **plan},
    )
    write_jsonl(folder / "examples.jsonl", with_pictures(folder / "pictures", tiny.examples(48)))
    return folder


def test_attention_is_torchs_multi_head_attention():
    torch.manual_seed(0)
    ours = Attention(128, 24, dropout=0.0).eval()
    theirs = torch.nn.MultiheadAttention(128, 2, batch_first=True).eval()
    for part, other in (("weight", "in_proj_weight"), ("bias", "in_proj_bias")):
        joined = torch.cat([getattr(p, part).data for p in (ours.query, ours.key, ours.value)])
        getattr(theirs, other).data.copy_(joined)
    theirs.out_proj.load_state_dict(ours.out.state_dict())
    tokens, cells = torch.randn(2, 5, 128), torch.randn(2, 4, 24)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    has = torch.ones(2, 2, dtype=torch.bool)
    said, shown = ours.from_text(ours.norm_text(tokens)), ours.from_picture(ours.norm_picture(cells))
    states = torch.cat([said, shown], 1)
    mean = 0.5 * ((said * mask[..., None]).sum(1) / mask.sum(1, keepdim=True) + shown.mean(1))
    closed = torch.cat([mask == 0, torch.zeros(2, 4, dtype=torch.bool)], 1)
    attended = theirs(mean[:, None], states, states, key_padding_mask=closed)[0][:, 0]
    expected = torch.nn.functional.normalize(mean + attended, dim=1)
    assert torch.allclose(ours(tokens, mask, tokens[:, 0], cells, has), expected, atol=1e-5)


@pytest.mark.parametrize("kind", [Attention, Concatenation])
def test_what_is_missing_is_not_read(kind):
    torch.manual_seed(0)
    fusion = kind(64, 24).eval()
    mask = torch.ones(1, 5, dtype=torch.int64)

    def fused(has, seed):
        torch.manual_seed(seed)
        tokens, cells = torch.randn(1, 5, 64), torch.randn(1, 4, 24)
        return fusion(tokens, mask, tokens.mean(1), cells, torch.tensor([has]))

    torch.manual_seed(5)
    nothing = fused([False, False], 1), fused([False, False], 2)
    assert torch.allclose(*nothing)
    assert not torch.allclose(fused([True, True], 1), fused([True, True], 2))
    tokens, cells = torch.randn(1, 5, 64), torch.randn(1, 4, 24)
    other = torch.randn(1, 4, 24)
    text_only = torch.tensor([[True, False]])
    assert torch.allclose(*(fusion(tokens, mask, tokens.mean(1), c, text_only) for c in (cells, other)))


def test_one_of_both_is_hidden_never_the_only_one():
    torch.manual_seed(0)
    has_text = torch.tensor([True] * 4000 + [False] * 500 + [True] * 500)
    seen = torch.tensor([True] * 4500 + [False] * 500)
    text, picture = hide_one(has_text, seen, 0.2)
    assert (text[4000:] == has_text[4000:]).all() and (picture[4000:] == seen[4000:]).all()
    assert (text | picture).all()
    assert 0.08 < (~text[:4000]).float().mean() < 0.12 and 0.08 < (~picture[:4000]).float().mean() < 0.12


def test_neither_text_nor_picture_is_nothing_read(tmp_path):
    text = load_text_encoder(tiny.checkpoint(tmp_path / "bert", layers=1), max_length=32)
    encoder = FusedEncoder(text, new_vision_encoder(size=32, seed=0), kind="attention").eval()
    products = [replace(tiny.examples(1)[0], texts={}, category=""), tiny.examples(1)[0]]
    pooled = encoder.pooled(encoder.read(products))
    assert not pooled[0].any() and np.linalg.norm(pooled[1]) == pytest.approx(1, abs=1e-5)


class Listening(Unwatched):
    def __init__(self):
        self.said = []

    def log(self, text):
        self.said.append(text)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = job(tmp_path_factory.mktemp("fused") / "job", epochs=16, fusion="attention")
    for name in BROKEN:
        (folder / "pictures" / f"{name}.png").write_bytes(b"broken")
    watch = Listening()
    threads = torch.get_num_threads()
    done = Job(folder, watch).run()
    torch.set_num_threads(threads)
    return folder, done, watch.said


def test_a_run_learns_what_only_pictures_show(trained):
    folder, done, said = trained
    facets = {f["facet"]: f["f1"]["value"] for f in json.loads((folder / "report.json").read_text())["facets"]}
    assert facets["colour"] > 0.6 and done["metrics"]["products"] > 0  # one in three would be right by chance
    assert any(words.startswith(f"picture left out: {name}.png") for words in said for name in BROKEN)


def test_the_bundle_is_served_without_torch_and_cached_by_picture(trained, tmp_path):
    folder, _done, _said = trained
    model = FullModel.load(folder / "bundle")
    assert isinstance(model.encoder, OnnxFused)
    products = list(located(read_jsonl(folder / "examples.jsonl"), folder / "pictures"))
    vectors = model.encoder.embed(products)
    cache = EmbeddingCache(tmp_path / "cache")
    assert np.allclose(cache.embed(model.encoder, products), vectors, atol=1e-5)
    assert (tmp_path / "cache" / model.encoder.part.hash / "vectors.f32").stat().st_size > 0
    without = model.encoder.embed([replace(e, image="") for e in products])
    changed = np.abs(without - vectors).max(axis=1) > 1e-3
    # what is not shown, broken or the product's only trace aside, a picture changes the vector
    assert changed[[n for n, e in enumerate(products) if e.image and e.id not in BROKEN]].all()
    assert not changed[[n for n, e in enumerate(products) if not e.image]].any()
    instant = InstantModel.fit(model.schema, products, [model.encoder], cache=cache)
    instant.save(tmp_path / "instant")
    again = InstantModel.load(tmp_path / "instant")
    assert np.allclose(again.scores(products), instant.scores(products), atol=1e-4)


def test_pictures_alone_with_a_local_checkpoint(tmp_path):
    checkpoint(tmp_path / "vit", "vit")
    folder = job(
        tmp_path / "job", base="none", pictures=str(tmp_path / "vit"), picture_freeze="encoder", epochs=2
    )  # fmt: skip
    threads = torch.get_num_threads()
    Job(folder).run()
    torch.set_num_threads(threads)
    served = load_encoder(folder / "bundle" / "encoder")
    assert isinstance(served, OnnxVision) and (served.size, served.dim) == (32, 32)
    products = list(located(read_jsonl(folder / "examples.jsonl"), folder / "pictures"))
    vectors = served.embed(products)
    assert [bool(v.any()) for v in vectors] == [bool(e.image) for e in products]
