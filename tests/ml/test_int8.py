"""int8 forms: made once, of the same width, and held against the exact answers."""

import numpy as np
import pytest

from ml.encoders import packaged
from ml.encoders.lexical import LexicalEncoder
from ml.encoders.onnx import OnnxEncoder
from ml.instant.model import InstantModel
from ml.serving import int8

from .catalogue import products, schema


class Turned:
    """An encoder whose vectors lean by ``angle`` towards another direction."""

    def __init__(self, inner, angle):
        self.inner, self.dim, self.hash, self.angle = inner, inner.dim, f"{inner.hash}-{angle}", angle

    def embed(self, examples):
        vectors = self.inner.embed(examples)
        leant = np.cos(self.angle) * vectors + np.sin(self.angle) * np.roll(vectors, 1, axis=1)
        return leant.astype(np.float32)


def test_agreement_is_that_of_checked_tags():
    examples = products()
    model = InstantModel.fit(schema(), examples, [LexicalEncoder.fit(examples)])
    assert int8.agreement(model, model, examples) == 1.0
    found = [int8.agreement(model, int8.on_twins(model, [Turned(model.encoders[0], a)]), examples) for a in (1e-6, 1.2)]
    assert found[0] == 1.0 > 0.95 > found[1]
    chosen = [
        m.scores(examples) >= m.thresholds for m in (model, int8.on_twins(model, [Turned(model.encoders[0], 1.2)]))
    ]
    same = asked = 0
    for row in range(len(examples)):
        for columns in schema().facet_columns.values():
            sets = [{c for c in columns if side[row, c]} for side in chosen]
            if any(sets):
                asked, same = asked + 1, same + (sets[0] == sets[1])
    assert found[1] == same / asked


def test_without_a_twin_there_is_none(tmp_path):
    examples = products()
    model = InstantModel.fit(schema(), examples, [LexicalEncoder.fit(examples)])
    assert int8.with_twins(model, tmp_path) is None


@pytest.mark.slow
@pytest.mark.torch
def test_the_packaged_encoder_has_one(tmp_path):
    pytest.importorskip("torch", reason="exporting needs the ml extra")
    if not packaged.is_installed():
        pytest.skip("the offline-encoder extra is not installed")
    folder = packaged.export(tmp_path)
    exact = OnnxEncoder.load(folder)
    target = int8.twin_folder(tmp_path, exact)
    assert int8.make_twin(folder, target) and int8.make_twin(folder, target)
    twin = OnnxEncoder.load(target)
    assert twin.dim == exact.dim and twin.hash != exact.hash
    english = [e for e in products() if e.language == "en"]  # it reads no Chinese
    assert (exact.embed(english) * twin.embed(english)).sum(axis=1).min() > 0.99
    size = [sum(p.stat().st_size for p in f.iterdir()) for f in (folder, target)]
    print(f"fp32 {size[0] / 1e6:.0f} MB, int8 {size[1] / 1e6:.0f} MB")
    assert size[1] < 0.7 * size[0], "the word vectors stay as they are"
