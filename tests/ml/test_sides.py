"""Text and picture of a product asked one by one: a model trained on colours that are both said and shown."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from PIL import Image

from ml.encoders.lexical import LexicalEncoder
from ml.examples import Example, write_jsonl
from ml.instant.cache import EmbeddingCache
from ml.schema import FacetSpec, Schema, TagSpec
from ml.serving import sides
from ml.serving.full import FullModel
from ml.training.job import Job

pytestmark = [pytest.mark.torch, pytest.mark.long]
SHOWN = {"black": (10, 10, 10), "red": (210, 20, 30), "white": (250, 250, 250)}
MATERIALS = ("cotton", "wool", "leather")
SCHEMA = Schema(
    (
        FacetSpec("colour", tuple(TagSpec(c, {"en": c}) for c in SHOWN), single=True),
        FacetSpec("material", tuple(TagSpec(m, {"en": m}) for m in MATERIALS)),
    )
)


def draw(path: Path, colour: str, seed: int = 0) -> Path:
    """A picture of that colour, with some noise."""
    pixels = np.random.default_rng(seed).normal(0, 8, (20, 24, 3)) + SHOWN[colour]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return path


def train(folder: Path, count: int = 120) -> Path:
    """The bundle of a small run, in a few seconds. Enough of everything that each side tells all colours apart whatever
    the seed and the processor: with 72 products and twice the rates one run in two took two colours for one."""
    rng, products = random.Random(0), []
    for n in range(count):
        colour, material = rng.choice(list(SHOWN)), rng.choice(MATERIALS)
        draw(folder / "pictures" / f"p{n}.png", colour, n)
        products.append(
            Example(
                f"p{n}", {"title": f"{colour} {material} coat"}, image=f"p{n}.png", group=f"g{n}",
                labels={"colour": frozenset({colour}), "material": frozenset({material})},
                complete=frozenset({"colour", "material"}),
            )
        )  # fmt: skip
    write_jsonl(folder / "examples.jsonl", products)
    SCHEMA.save(folder / "schema.json")
    plan = {
        "base": "lstm", "pictures": "small", "picture_size": 32, "picture_augment": "none", "modality_dropout": 0.5,
        "layers": 1, "width": 64, "max_length": 16, "epochs": 30, "batch_size": 8, "learning_rate": 1e-3,
        "picture_learning_rate": 2e-3, "head_learning_rate": 3e-3, "patience": 0, "threads": 1, "device": "cpu", "heldout_share": 0.1,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps({"plan": plan}))
    threads = torch.get_num_threads()
    Job(folder).run()
    torch.set_num_threads(threads)
    return folder / "bundle"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return train(tmp_path_factory.mktemp("sides") / "job")


@pytest.fixture(scope="module")
def model(bundle):
    return FullModel.load(bundle)


def product(said: str, shown: str, folder: Path) -> Example:
    image = str(draw(folder / f"{said}-{shown}.png", shown, 99)) if shown else ""
    return Example(f"{said}-{shown}", {"title": f"{said} wool coat"} if said else {}, image=image)


def test_each_side_says_what_it_shows(model, tmp_path):
    products = [product(said, shown, tmp_path) for said in SHOWN for shown in SHOWN]
    p, q, both = sides.both_sides(model, products)
    columns = list(model.schema.facet_columns["colour"])
    assert both.all()
    assert [list(SHOWN)[n] for n in p[:, columns].argmax(1)] == [e.id.split("-")[0] for e in products]
    assert [list(SHOWN)[n] for n in q[:, columns].argmax(1)] == [e.id.split("-")[1] for e in products]


def test_a_clash_is_told_with_both_answers_and_agreement_is_not(model, tmp_path):
    agreed, clash, alone, unread = sides.apart(
        model,
        [
            product("black", "black", tmp_path), product("black", "red", tmp_path), product("black", "", tmp_path),
            replace(product("", "red", tmp_path), texts={}),
        ],
        least=0.5,
    )  # fmt: skip
    assert [one.facet for one in agreed if one.facet == "colour"] == []
    assert [one.facet for one in clash][:1] == ["colour"] and alone == [] == unread
    assert (clash[0].text[0], clash[0].picture[0]) == ("black", "red")
    assert clash[0].gap > 0.5 and min(clash[0].text[1], clash[0].picture[1]) > 0.5
    assert sides.apart(model, [], least=0.5) == []


def test_a_facet_of_several_values_speaks_of_the_tag_they_differ_on(model, tmp_path):
    (found,) = sides.apart(model, [product("black", "black", tmp_path)], least=0.0)
    material = next(one for one in found if one.facet == "material")
    assert material.text[0] == material.picture[0]
    assert material.gap == pytest.approx(abs(material.text[1] - material.picture[1]))


def test_the_gap_of_one_choice_counts_none_of_them():
    a = np.array([[0.9, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.1, 0.1]])
    b = np.array([[0.0, 0.9, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    assert sides._single(a, b) == pytest.approx([0.9, 0.0, 0.4])


def test_pictures_are_read_once(model, tmp_path):
    cache, products = EmbeddingCache(tmp_path / "cache"), [product("black", "red", tmp_path)]
    first = sides.apart(model, products, least=0.5, cache=cache)
    assert cache.holds(model.encoder.part, products).all()
    assert sides.apart(model, products, least=0.5, cache=cache) == first == sides.apart(model, products, least=0.5)


def test_what_reads_text_alone_has_no_sides(model):
    lexical = LexicalEncoder.fit([Example("a", {"title": "black coat"}), Example("b", {"title": "red coat"})])
    assert sides.reads_both(model.encoder) and not sides.reads_both(lexical)
