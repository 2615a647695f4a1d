"""A training run finds the catalogue's stored pictures, and what serves finds them by whole paths."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from annotations import bridge
from annotations.bridge.rows import Examples, schema_of
from annotations.queries.examples import of_product
from ml.examples import read_jsonl
from ml.pictures import read_picture
from ml.training.inputs import read_examples
from tests.annotations.conftest import World

SHA = "ab" * 32


@pytest.fixture
def shown(world: World, settings: pytest.FixtureRequest, tmp_path: Path) -> World:
    settings.MEDIA_ROOT = tmp_path / "media"  # type: ignore[attr-defined]
    (tmp_path / "media" / "ab").mkdir(parents=True)
    Image.new("RGB", (40, 40), (9, 9, 200)).save(tmp_path / "media" / "ab" / f"{SHA}.jpg")
    world.products[0].pictures = [SHA]
    world.products[0].save(update_fields=["pictures"])
    return world


def test_a_job_reads_them_below_the_folder_it_names(shown: World, tmp_path: Path) -> None:
    for product in shown.products[:2]:
        shown.decide(product, black="add")
    bridge.write_job_directory(shown.catalogue, tmp_path / "job", bridge.checked_plan({"preset": "quick"}))
    assert json.loads((tmp_path / "job" / "config.json").read_text())["pictures"] == str(tmp_path / "media")
    assert [e.image for e in read_jsonl(tmp_path / "job" / "examples.jsonl")] == [f"ab/{SHA}.jpg", ""]
    read = [e.image for e in read_examples(tmp_path / "job")]
    assert read[1] == "" and read_picture(Path(read[0]), 8)[..., 2].min() > 180


def test_what_serves_finds_the_same_file(shown: World) -> None:
    example = Examples(schema_of(shown.catalogue)).of(of_product(shown.products[0]))
    assert read_picture(Path(example.image), 8).shape == (8, 8, 3)
    assert Examples(schema_of(shown.catalogue)).of(of_product(shown.products[1])).image == ""
