"""int8 forms of ONNX encoders, for answering one product quickly: made once, used only where answers stay the same.

What learns and ranks goes on reading the exact form. The int8 form stands beside it as an encoder of its own (another
hash, so that no vector is taken for one of the other), and whether a head may be served on it is decided for each head,
by its own answers on its own catalogue. Making one needs the ``onnx`` package; using one does not.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ml.encoders.base import Encoder, EncoderError, read_card
from ml.encoders.onnx import OnnxEncoder
from ml.encoders.served import GRAPH, seal
from ml.encoders.tokens import TOKENIZER, TokenReader
from ml.evaluation.smaller import same_answers
from ml.examples import Example
from ml.instant.cache import EmbeddingCache
from ml.instant.model import InstantModel

AGREEMENT = 0.99  # share of (product, facet) answers that int8 must give as fp32 does
SUFFIX = "-int8-even"  # another name where the form changes, so that an older one is not taken for it
SAMPLE_TEXTS = tuple(
    " ".join(words)
    for some in (
        (
            ("black", "navy blue", "white"),
            ("running shoe", "cotton shirt", "steel water bottle", "bluetooth earphones", "leather bag"),
            ("for men", "made for rainy days and long commutes. Breathable, light and easy to clean.", "size 42"),
        ),
        (
            ("黑色", "藏青色", "白色"),
            ("跑步鞋", "纯棉衬衫", "不锈钢保温杯", "蓝牙耳机", "真皮手提包"),
            ("男士", "适合雨天和长途通勤，透气轻便，容易打理。", "42码"),
        ),
    )
    for words in itertools.product(*some)
)
"""What the size of an encoder's features is learned from; those that it cannot read are passed over."""


def twin_folder(encoders_dir: Path, encoder: Encoder) -> Path:
    """Where the int8 form of an encoder lies, whether made already or not."""
    return encoders_dir / f"{encoder.hash}{SUFFIX}"


def make_twin(source: Path, target: Path, *, timeout: float = 300.0) -> bool:
    """The int8 form of the encoder in ``source``, made in a child process (it takes memory). False where it can't be."""
    if target.is_dir():
        return True
    command = [sys.executable, "-m", "ml.serving.int8", str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0 and not target.is_dir():
        logging.getLogger(__name__).warning("no int8 form of %s: %s", source.name, done.stderr.strip()[-300:])
    return target.is_dir()


def quantise(source: Path, target: Path) -> None:
    """Weights of matrix products as int8 by channel, what goes into them by row (``ml.encoders.quantised``)."""
    from ml.encoders.quantised import quantise_graph

    card = read_card(source, "onnx")
    half = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        logging.getLogger().setLevel(logging.ERROR)
        reader = TokenReader(source, card)
        feeds = [reader.batch([ids]) for ids in reader.ids(SAMPLE_TEXTS) if reader.knows(ids)]
        quantise_graph(source / GRAPH, half / GRAPH, feeds)
        shutil.copy2(source / TOKENIZER, half / TOKENIZER)
        seal(half, "onnx", {**{k: v for k, v in card.items() if k not in ("hash", "kind")}, "int8": True})
        half.chmod(0o755)
        half.rename(target)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def on_twins(model: InstantModel, twins: Sequence[Encoder]) -> InstantModel:
    """The model with these encoders in the place of its own, one for one. Raises EncoderError where widths differ."""
    if [e.dim for e in twins] != [e.dim for e in model.encoders]:
        raise EncoderError("an int8 form of another width than its encoder")
    return replace(model, encoders=list(twins))


def with_twins(model: InstantModel, encoders_dir: Path) -> InstantModel | None:
    """The model on the int8 forms that there are; None where there is none."""
    folders = [twin_folder(encoders_dir, encoder) for encoder in model.encoders]
    if not any(folder.is_dir() for folder in folders):
        return None
    pairs = zip(folders, model.encoders, strict=True)
    return on_twins(model, [OnnxEncoder.load(f) if f.is_dir() else encoder for f, encoder in pairs])


def agreement(
    model: InstantModel, other: InstantModel, examples: Sequence[Example], cache: EmbeddingCache | None = None
) -> float:
    """Share of (product, facet) pairs, of those in which either checks a tag, for which both check the same tags."""
    first, second = (m.scores(examples, cache) >= m.thresholds for m in (model, other))
    return same_answers(model.schema, first, second)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m ml.serving.int8", description="SOURCE TARGET: make the int8 form.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args(argv)
    quantise(options.source, options.target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
