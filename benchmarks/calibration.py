"""Do scores mean what they say on families that nothing was learned from? The instant tier's calibration error, with the
bend of its scores and without, on the same products, paired by seed.

    python benchmarks/calibration.py ../shared/data --seeds 5

Lexical encoder alone; 200 decided products (``--products``; all of them where there are fewer), measured on the 30 % of
families that were left out. Error: 15 bins of equal width over what is suggested at all (0.05 and up). *Floor*: what a
perfectly calibrated model would show on as few pairs, outcomes drawn from its scores; *by family*: the same where the
variants of one article are right or wrong together, as they mostly are. F1: micro, at the thresholds learned.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.instant_vs_sklearn import interval, load
from ml.encoders.lexical import LexicalEncoder
from ml.evaluation.metrics import expected_calibration_error, micro
from ml.examples import Example, split_by_family, targets
from ml.instant.combine import STRAIGHT
from ml.instant.model import InstantModel, applicable

SETS = ("magento_luma_en", "oamine_en", "yanxuan_zh")
LEAST = 0.05
DRAWS = 10


def floors(scores: np.ndarray, known: np.ndarray, families: np.ndarray) -> tuple[float, float]:
    """The error of scores that are right by construction: pair by pair, and family by family."""
    rng, found = np.random.default_rng(0), []
    for _ in range(DRAWS):
        alone, together = rng.random(scores.shape), rng.random((families.max() + 1, scores.shape[1]))[families]
        found.append([_error((u < scores).astype(float), scores, known) for u in (alone, together)])
    return tuple(np.mean(found, axis=0).tolist())


def _error(y: np.ndarray, scores: np.ndarray, known: np.ndarray) -> float:
    return expected_calibration_error(y, scores, known, least=LEAST)


def trial(folder: Path, seed: int, products: int) -> dict[str, list[float]]:
    """``error, floor, floor by family, F1, pairs, CPU seconds of the fit`` with the bend and without."""
    examples, schema = load(folder)
    lexical = LexicalEncoder.fit(examples)  # on the catalogue, without labels, as the product does
    train, test = split_by_family(examples, 0.3, f"split {seed}")
    train = [train[i] for i in np.random.default_rng(seed).permutation(len(train))[:products]]
    truth, known = targets(schema, test)
    known &= applicable(schema, test)
    bare = [Example(e.id, e.texts, e.category, e.language, e.group) for e in test]
    families = np.unique([e.family for e in test], return_inverse=True)[1]
    out = {}
    for name in ("bent", "straight"):
        began = time.process_time()
        if name == "bent":
            model = InstantModel.fit(schema, train, [lexical])
        else:
            with patch("ml.instant.fitting.fit_bend", lambda *a, **k: np.array(STRAIGHT)):
                model = InstantModel.fit(schema, train, [lexical])
        took = time.process_time() - began
        scores = model.scores(bare)
        f1 = micro(truth, (scores >= model.thresholds).astype(float), known)["f1"]
        pairs = float((scores[known] >= LEAST).sum())
        out[name] = [_error(truth, scores, known), *floors(scores, known, families), f1, pairs, took]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--products", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        f"{'set':17}{'':10}" + "".join(f"{n:>10}" for n in ("error", "floor", "by family", "F1", "pairs", "fit CPU s"))
    )
    for name in options.sets.split(","):
        seeds = range(options.first, options.first + options.seeds)
        rows = [trial(options.data / name, seed, options.products) for seed in seeds]
        found = {kind: np.array([row[kind] for row in rows]) for kind in ("straight", "bent")}
        for kind, values in found.items():
            print(f"{name:17}{kind:10}" + "".join(f"{v:10.4f}" for v in values.mean(axis=0)[:4])
                  + "".join(f"{v:10.1f}" for v in values.mean(axis=0)[4:]), flush=True)  # fmt: skip
        change = found["bent"] - found["straight"]
        print(f"{name:17}change    error {change[:, 0].mean():+.4f} ± {interval(list(change[:, 0])):.4f} "
              f"({', '.join(f'{v:+.3f}' for v in change[:, 0])}), "
              f"F1 {100 * change[:, 3].mean():+.2f} ± {100 * interval(list(change[:, 3])):.2f} points", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
