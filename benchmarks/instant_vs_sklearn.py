"""The instant tier against scikit-learn on real catalogues: same products, same split by family, same run.

The peer: TF-IDF of words (1-2) and characters (2-4, inside words), fitted on the training products, then one-vs-rest
logistic regression (C=10, better here than 1), and then **its best threshold, chosen on the test products themselves**.
Ours gets no such help: what counts is what it would check for a reviewer, at the thresholds it learned. Both see title,
description and category, and no attributes. A tag whose facet does not apply to the category is left out for both.

    python benchmarks/instant_vs_sklearn.py ../shared/data --encoders var/encoders --sizes 50,200,all --seeds 5

Columns: F1 of the peer, of ours, the difference with its 95 % interval over seeds (paired, Student's t) and the worst
seed; "seen" the difference over tags that a training product has: labels alone help with the others, which the peer
cannot know; precision of the band "strong" and how many such tags a product gets; calibration error (15 bins, of what
is suggested at all, 0.05 and up) and its *floor*, what a perfectly calibrated model would show on as few pairs
(outcomes drawn from the scores); seconds to fit (embeddings cached, as they are in the product) and milliseconds to
suggest for one product, with its evidence, encoders included.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_union

from ml.encoders import packaged
from ml.encoders.base import Encoder
from ml.encoders.lexical import LexicalEncoder
from ml.evaluation.metrics import best_f1, expected_calibration_error, micro
from ml.examples import Example, split_by_family, targets
from ml.instant.cache import EmbeddingCache
from ml.instant.model import InstantModel, applicable
from ml.schema import FacetSpec, Schema, TagSpec
from ml.serving.predictor import Predictor
from ml.text import render

SETS = ("magento_luma_en", "oamine_en", "yanxuan_zh", "grocery_store_en")
BY_CATEGORY = {"oamine_en"}  # each category has facets of its own


def load(folder: Path) -> tuple[list[Example], Schema]:
    with gzip.open(folder / "products.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    values: dict[str, set[str]] = {}
    categories: dict[str, set[str]] = {}
    examples = []
    for row in rows:
        for facet, found in row["attributes"].items():
            values.setdefault(facet, set()).update(found)
            categories.setdefault(facet, set()).add(row["category"])
        examples.append(
            Example(
                id=row["id"],
                texts={name: row[name] for name in ("title", "description") if row.get(name)},
                category=row.get("category") or "",
                language=row.get("language") or "",
                group=row.get("group") or row["title"],
                labels={facet: frozenset(found) for facet, found in row["attributes"].items()},
                complete=frozenset(),
            )
        )
    schema = Schema(
        tuple(
            FacetSpec(
                facet,
                tuple(TagSpec(v, {"en": v}) for v in sorted(found)),
                {"en": facet},
                categories=tuple(sorted(categories[facet])) if folder.name in BY_CATEGORY else (),
            )
            for facet, found in values.items()
        )
    )
    whole = frozenset(values)
    return [dataclasses.replace(e, complete=whole) for e in examples], schema


def peer_scores(train: Sequence[Example], test: Sequence[Example], y: np.ndarray) -> np.ndarray:
    """``(len(test), T)``; 0 for tags that no training product has."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    union = make_union(words, characters)
    a, b = (union.fit_transform([render(e).text for e in train]), union.transform([render(e).text for e in test]))
    scores = np.zeros((len(test), y.shape[1]))
    varied = np.flatnonzero((y.sum(axis=0) > 0) & (y.sum(axis=0) < len(train)))
    scores[:, y.sum(axis=0) == len(train)] = 1.0
    model = OneVsRestClassifier(LogisticRegression(C=10.0, solver="liblinear"))
    scores[:, varied] = model.fit(a, y[:, varied]).predict_proba(b).reshape(len(test), -1)
    return scores


def trial(
    schema: Schema,
    train: Sequence[Example],
    test: Sequence[Example],
    encoders: list[list[Encoder]],
    cache: EmbeddingCache,
) -> Iterator[dict[str, float]]:
    """One row for each list of encoders."""
    y, _ = targets(schema, train)
    truth, known = targets(schema, test)
    known &= applicable(schema, test)
    seen = known & (y.sum(axis=0) > 0)
    theirs = peer_scores(train, test, y)
    peer, cut = best_f1(truth, theirs, known)
    bare = [Example(e.id, e.texts, e.category, e.language, e.group) for e in test]
    for with_these in encoders:
        InstantModel.fit(schema, train[:2], with_these, cache=cache)  # embeddings of labels
        for encoder in with_these:
            cache.embed(encoder, [*train, *bare])
        began = time.perf_counter()
        model = InstantModel.fit(schema, train, with_these, cache=cache)
        fitted = time.perf_counter() - began
        scores = model.scores(bare, cache)
        single = Predictor(model)
        began = time.perf_counter()
        for example in bare[:20]:
            single.predict([example])
        checked = (scores >= model.thresholds).astype(float)
        strong = (scores >= model.strong) & known
        ours = micro(truth, checked, known)["f1"]
        yield {
            "peer": peer,
            "ours": ours,
            "diff": ours - peer,
            "best": best_f1(truth, scores, known)[0],
            "seen": micro(truth, checked, seen)["f1"] - micro(truth, (theirs >= cut).astype(float), seen)["f1"],
            "strongP": float((strong * truth).sum() / strong.sum()) if strong.any() else float("nan"),
            "strong/p": float(strong.sum() / len(test)),
            "ece": expected_calibration_error(truth, scores, known, least=0.05),
            "floor": floor(scores, known),
            "fit s": fitted,
            "one ms": (time.perf_counter() - began) / 20 * 1000,
        }


def floor(scores: np.ndarray, known: np.ndarray, draws: int = 5) -> float:
    """The calibration error of scores that are right by construction: what is left is the noise of few pairs."""
    rng = np.random.default_rng(0)
    found = [
        expected_calibration_error((rng.random(scores.shape) < scores).astype(float), scores, known, least=0.05)
        for _ in range(draws)
    ]
    return float(np.mean(found))


def interval(values: Sequence[float]) -> float:
    """Half the width of the 95 % interval of the mean (Student's t); NaN for a single value."""
    if len(values) < 2:
        return float("nan")
    return float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--encoders", type=Path, default=Path("var/encoders"), help="where the exported MiniLM lies")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--sizes", default="50,200,all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="a folder for embeddings, used again the next time")
    parser.add_argument("--lexical", action="store_true", help="without MiniLM")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    beside = packaged.is_installed() and not options.lexical
    minilm = packaged.load_packaged(options.encoders) if beside else None
    names = ("peer", "ours", "diff", "seen", "best", "strongP", "strong/p", "ece", "floor", "fit s", "one ms")
    print(f"{'set':17}{'products':>9} {'encoders':10}" + "".join(f"{n:>9}" for n in names), "  diff ±  worst  seeds")
    means: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        cache = EmbeddingCache(options.keep or Path(folder))
        for name in options.sets.split(","):
            examples, schema = load(options.data / name)
            lexical = LexicalEncoder.fit(examples)  # on the catalogue, without labels, as the product does
            kinds: dict[str, list[Encoder]] = {"lexical": [lexical]}
            if minilm is not None:
                kinds["+ MiniLM"] = [lexical, minilm]
            for size in options.sizes.split(","):
                rows: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
                for seed in range(options.seeds):
                    train, test = split_by_family(examples, 0.3, f"split {seed}")
                    if size != "all" and int(size) >= len(train):
                        continue
                    order = np.random.default_rng(seed).permutation(len(train))
                    train = [train[i] for i in order[: None if size == "all" else int(size)]]
                    for kind, row in zip(kinds, trial(schema, train, test, list(kinds.values()), cache), strict=True):
                        rows[kind].append(row)
                for kind, found in rows.items():
                    if not found:
                        continue
                    line = "".join(f"{np.nanmean([r[n] for r in found]):9.3f}" for n in names)
                    diffs = [r["diff"] for r in found]
                    tail = f"  {interval(diffs):7.3f} {min(diffs):+.3f} {len(diffs):5}"
                    print(f"{name:17}{size:>9} {kind:10}{line}{tail}", flush=True)
                    means.setdefault((size, kind), []).append(float(np.mean(diffs)))
    for (size, kind), values in means.items():
        each = "  ".join(f"{100 * v:+.1f}" for v in values)
        print(f"mean over sets, {size} products, {kind}: {100 * np.mean(values):+.1f} points ({each})")


if __name__ == "__main__":
    main()
