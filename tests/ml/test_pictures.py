"""Pictures are read safely, and their vectors kept beside those of texts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ml.pictures
from ml.encoders.base import PICTURE, TEXT
from ml.examples import Example
from ml.instant.cache import EmbeddingCache, keys_for
from ml.instant.pool import Pool
from ml.pictures import PictureError, located, picture_key, read_picture, read_pictures
from tests.ml import tiny


def saved(path, colour=(200, 10, 10), size=(40, 30), **more):
    Image.new("RGB", size, colour).save(path, **more)
    return path


def test_a_picture_comes_in_one_size(tmp_path):
    pixels = read_picture(saved(tmp_path / "a.png"), 16)
    assert pixels.shape == (16, 16, 3) and pixels.dtype == np.uint8
    assert (pixels == (200, 10, 10)).all()


def test_turned_as_its_exif_says_and_transparent_is_white(tmp_path):
    image = Image.new("RGB", (40, 20), "black")
    image.paste((255, 255, 255), (0, 0, 20, 20))  # the left half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise: left comes to the top
    image.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    pixels = read_picture(tmp_path / "turned.jpg", 8)
    assert pixels[0].mean() > 200 and pixels[-1].mean() < 50
    Image.new("RGBA", (9, 9), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (read_picture(tmp_path / "clear.png", 8) == 255).all()


@pytest.mark.parametrize("case", ["cut", "text", "empty", "gone", "folder", "bytes", "pixels", "kind"])
def test_what_cannot_be_read_is_told_by_name(tmp_path, case, monkeypatch):
    path = saved(tmp_path / f"{case}.jpg", size=(300, 300))
    whole = path.read_bytes()
    match case:
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "text":
            path.write_text("no picture")
        case "empty":
            path.write_bytes(b"")
        case "gone":
            path.unlink()
        case "folder":
            path.unlink()
            path.mkdir()
        case "bytes":
            monkeypatch.setattr(ml.pictures, "MAX_BYTES", 100)
        case "pixels":
            monkeypatch.setattr(ml.pictures, "MAX_PIXELS", 299 * 300)
        case "kind":
            Image.new("RGB", (9, 9)).save(path, format="PPM")
    with pytest.raises(PictureError, match=rf"^{case}\.jpg: "):
        read_picture(path, 16)
    told = []
    pixels, seen = read_pictures([str(path), "", str(saved(tmp_path / "good.png", size=(9, 9)))], 8, told.append)
    assert seen.tolist() == [False, False, True] and len(told) == 1 and told[0].startswith(f"{case}.jpg")
    assert not pixels[:2].any()


def test_a_file_of_examples_names_only_pictures_of_its_folder(tmp_path):
    (tmp_path / "pictures").mkdir()
    inside, without = Example("a", {}, image="x/../b.jpg"), Example("b", {})
    found = list(located([inside, without], tmp_path / "pictures"))
    assert found[0].image == str(tmp_path / "pictures" / "b.jpg") and found[1] is without
    for escape in ("../secret.jpg", "/etc/passwd"):
        with pytest.raises(PictureError, match=r"^c: .*does not lie"):
            list(located([Example("c", {}, image=escape)], tmp_path / "pictures"))


def test_an_exchanged_picture_has_another_key(tmp_path):
    path = saved(tmp_path / "a.png")
    before = picture_key(str(path))
    assert picture_key(str(path)) == before != bytes(32) == picture_key("")
    saved(path, (0, 0, 9), (99, 98))
    assert picture_key(str(path)) != before


class Counting:
    """A stand-in: what it reads as numbers, and how often it was asked."""

    def __init__(self, name, what, dim):
        self.hash, self.reads, self.dim, self.asked = name * 64, frozenset(what), dim, 0

    def embed(self, examples):
        self.asked += len(examples)
        return np.array([[len(e.image) + 1.0] * self.dim for e in examples], dtype=np.float32)


class Both(Counting):
    def __init__(self):
        super().__init__("b", {TEXT, PICTURE}, 3)
        self.part = Counting("c", {PICTURE}, 2)

    def embed(self, examples):
        return self.embed_with(examples, self.part.embed(examples))

    def embed_with(self, examples, states):
        self.asked += len(examples)
        texts = np.array([[len(e.texts["title"])] for e in examples], dtype=np.float32)
        return np.concatenate([texts, states], axis=1)


def test_a_changed_text_costs_no_second_look_at_its_picture(tmp_path):
    path = str(saved(tmp_path / "a.png"))
    cache, encoder = EmbeddingCache(tmp_path / "cache"), Both()
    products = [Example("a", {"title": "one"}, image=path), Example("b", {"title": "one"})]
    first = cache.embed(encoder, products)
    assert np.array_equal(first, Both().embed(products)) and (encoder.asked, encoder.part.asked) == (2, 2)
    again = [replace(e, texts={"title": "longer"}) for e in products]
    assert np.array_equal(EmbeddingCache(tmp_path / "cache").embed(encoder, again), Both().embed(again))
    assert (encoder.asked, encoder.part.asked) == (4, 2)
    Path(path).unlink()
    saved(tmp_path / "a.png", (1, 2, 3), (50, 50))
    cache.embed(encoder, again)
    assert (encoder.asked, encoder.part.asked) == (5, 3)


def test_pictures_leave_the_keys_of_text_encoders_alone():
    plain, shown = Example("a", {"title": "one"}), Example("a", {"title": "one"}, image="/x.png")
    text, both, seeing = Counting("a", {TEXT}, 1), Counting("b", {TEXT, PICTURE}, 1), Counting("c", {PICTURE}, 1)
    keys = {e.hash[0]: [keys_for(e, [p])[0].tolist() for p in (plain, shown)] for e in (text, both, seeing)}
    assert keys["a"][0] == keys["a"][1] == keys["b"][0] != keys["b"][1]
    assert keys["c"][0] == [0] * 4 != keys["c"][1]


def test_a_pool_reads_pictures_too(tmp_path):
    path = str(saved(tmp_path / "a.png"))
    products = [replace(e, image=path if n % 2 else "") for n, e in enumerate(tiny.examples(6))]
    encoder = Both()
    pool = Pool(tiny.schema(), [encoder], EmbeddingCache(tmp_path / "cache"), lambda keys: [])
    pool.put(enumerate(products))
    assert np.array_equal(pool.features(range(6)).dense, Both().embed(products))
    assert pool.missing(encoder) == 0
    pool.put([(0, replace(products[0], image=path))])
    assert np.array_equal(pool.features([0]).dense, Both().embed([replace(products[0], image=path)]))
