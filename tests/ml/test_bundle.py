"""Bundles as zips: they come back as they went, and a stranger's is refused by name."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ml.bundle import CARD, BundleError, pack_bundle, read_bundle, unpack_bundle
from ml.serving.full import FullModel
from tests.ml.bundles import full_bundle
from tests.ml.catalogue import products, schema

LIMIT = 50 * 2**20


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    full_bundle(tmp_path / "made", schema(), products())
    with (tmp_path / "made.zip").open("wb") as stream:
        pack_bundle(tmp_path / "made", stream)
    return tmp_path / "made.zip"


def changed(packed: Path, *, above: str = "", **contents: bytes | None) -> Path:
    """The zip with members replaced, added, or (None) left out, and the card's manifest made to agree."""
    with zipfile.ZipFile(packed) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(members.pop(CARD))
    for name, content in ((name.replace("__", "/").replace("_dot_", "."), c) for name, c in contents.items()):
        members.pop(name, None)
        told["files"].pop(name, None)
        if content is not None:
            members[name] = content
            told["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    out = packed.with_name("changed.zip")
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in {**members, CARD: json.dumps(told).encode()}.items():
            archive.writestr(above + name, content)
    return out


def test_what_was_packed_is_unpacked(packed: Path, tmp_path: Path) -> None:
    bundle = unpack_bundle(packed, tmp_path / "back", max_bytes=LIMIT)
    assert bundle.hash == read_bundle(tmp_path / "made").hash
    before, after = (FullModel.load(tmp_path / name).scores(products()) for name in ("made", "back"))
    assert (before == after).all()
    unpack_bundle(changed(packed, above="folder/"), tmp_path / "within", max_bytes=LIMIT)


Break = Callable[[Path], Path]


def _wrong_hash(packed: Path) -> Path:
    out = packed.with_name("wrong.zip")
    with zipfile.ZipFile(packed) as archive, zipfile.ZipFile(out, "w") as wrong:
        for name in archive.namelist():
            content = archive.read(name)
            wrong.writestr(name, content[:-1] + b"!" if name == "head.safetensors" else content)
    return out


def _outside(packed: Path) -> Path:
    out = packed.with_name("outside.zip")
    out.write_bytes(packed.read_bytes())
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("../outside.json", "{}")
    return out


def _no_zip(packed: Path) -> Path:
    packed.write_bytes(b"\x80\x04\x95pickled")
    return packed


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda p: changed(p, model_dot_pkl=b"\x80\x04."), r"model\.pkl: files of this kind"),
        (lambda p: changed(p, encoder__config_dot_json=b'{"auto_map": {"AutoModel": "x.Y"}}'), r"encoder/config\.json.*auto_map"),
        (lambda p: changed(p, deep_dot_json=b'{"a": [{"auto\\u005fmap": {}}]}'), r"deep\.json.*auto_map"),
        (lambda p: changed(p, torch__config_dot_json=b'{"model_type": "mystery"}'), r"torch/config\.json.*mystery"),
        (lambda p: changed(p, odd_dot_json=b"\x80\x04."), r"odd\.json: not JSON"),
        (lambda p: changed(p, head_dot_safetensors=(2**40).to_bytes(8, "little") + b"{}"), r"head\.safetensors: a weights header"),
        (_wrong_hash, r"head\.safetensors.*sha256"),
        (_outside, r"\.\./outside\.json: lies outside"),
        (_no_zip, "not a zip"),
        (lambda p: changed(p, **{"schema_dot_json": None}), None),
    ],
    ids=["pickle", "code", "code written otherwise", "architecture", "pickle called JSON", "giant header", "wrong hash", "outside", "no zip", "no schema"],
)  # fmt: skip
def test_what_is_refused(packed: Path, tmp_path: Path, spoil: Break, words: str | None) -> None:
    archive = spoil(packed)
    if words is None:  # whole as a bundle, but no full model
        unpack_bundle(archive, tmp_path / "back", max_bytes=LIMIT)
        with pytest.raises(BundleError, match="not a whole full bundle"):
            FullModel.load(tmp_path / "back")
        return
    with pytest.raises(BundleError, match=words):
        unpack_bundle(archive, tmp_path / "back", max_bytes=LIMIT)
    assert not (tmp_path / "back").exists(), "nothing of it stays"
    assert not (tmp_path / "outside.json").exists()


def test_what_inflates_beyond_the_limit_is_refused_while_it_is_written(packed: Path, tmp_path: Path) -> None:
    bomb = packed.with_name("bomb.zip")
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(CARD, "{}")
        archive.writestr("big.txt", b"0" * 2**24)
    assert bomb.stat().st_size < 2**17
    with pytest.raises(BundleError, match=r"big\.txt.*larger"):
        unpack_bundle(bomb, tmp_path / "back", max_bytes=2**22)
    assert not (tmp_path / "back").exists()
