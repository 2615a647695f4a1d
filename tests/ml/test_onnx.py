"""The packaged encoder, exported and served without torch. Needs the extras ``ml`` and ``offline-encoder``."""

import subprocess
import sys

import numpy as np
import pytest

from ml.encoders import packaged
from ml.encoders.base import EncoderError, load_encoder
from ml.encoders.onnx import OnnxEncoder
from ml.examples import Example


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("torch", reason="exporting needs the ml extra")
    if not packaged.is_installed():
        pytest.skip("the offline-encoder extra is not installed")
    return packaged.export(tmp_path_factory.mktemp("encoders"))


pytestmark = [pytest.mark.torch, pytest.mark.long]


def test_the_export_is_done_once_and_means_what_it_should(folder):
    before = (folder / "model.onnx").stat().st_mtime_ns
    encoder = packaged.load_packaged(folder.parent)
    assert (folder / "model.onnx").stat().st_mtime_ns == before
    texts = ["navy running shoe", "trainers for jogging, dark blue", "wool blazer for the office"]
    a, b, c = encoder.embed([Example(str(i), {"title": t}) for i, t in enumerate(texts)])
    assert a.shape == (384,) and np.isclose(np.linalg.norm(a), 1, atol=1e-4)
    assert float(a @ b) > float(a @ c) + 0.05


def test_vectors_do_not_depend_on_who_is_beside(folder):
    encoder = OnnxEncoder.load(folder)
    examples = [Example(str(n), {"title": "red wool sock " * n}) for n in (1, 30, 2, 7, 200)]
    together = encoder.embed(examples)
    alone = np.concatenate([encoder.embed([e]) for e in examples])
    assert np.allclose(together, alone, atol=1e-5)


def test_what_the_vocabulary_lacks_is_not_read(folder):
    encoder = OnnxEncoder.load(folder)
    titles = ("智能手表 高端材质", "watch 智能手表 高端材质", "a steel watch with heart rate, called 智能")
    lengths = np.linalg.norm(encoder.embed([Example("x", {"title": t}) for t in titles]), axis=1)
    assert lengths == pytest.approx([0, 0, 1], abs=1e-4)


def test_a_copy_is_the_same_encoder(folder, tmp_path):
    encoder = OnnxEncoder.load(folder)
    encoder.save(tmp_path / "copy")
    copy = load_encoder(tmp_path / "copy")
    assert copy.hash == encoder.hash
    example = [Example("x", {"title": "smart watch"})]
    assert np.array_equal(copy.embed(example), encoder.embed(example))
    assert encoder.embed([]).shape == (0, 384)


def test_serving_imports_neither_torch_nor_transformers(folder):
    code = (
        "import sys; from pathlib import Path; from ml.encoders import packaged; from ml.serving.predictor import Predictor;"
        f"packaged.load_packaged(Path({str(folder.parent)!r})).embed([]);"
        "print([m for m in ('torch', 'transformers', 'sentence_transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_foreign_weights_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(packaged.PackagedError, match="sha256"):
        packaged.check_packaged(tmp_path)
    (tmp_path / "encoder.json").write_text('{"kind": "onnx", "hash": "0", "dim": 3, "max_length": 9}')
    with pytest.raises(EncoderError):
        load_encoder(tmp_path)
