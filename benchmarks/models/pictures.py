"""Pictures: a network from nothing on photos without any text, and text + picture beside text alone, facet by facet.

Photos: trained on the official training part, measured on the official validation part, which nothing is chosen by; the
base is to say the commonest class always. Magento: families are split, thresholds are learned on a part of the training
families; text alone is the same plan without pictures.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.__main__ import DATA
from benchmarks.models._kept import key_of
from benchmarks.models._runs import MEASURE, Problem, Setting, catalogue, chosen, follow, helpers_of, new_encoder
from benchmarks.models.table import Missing, Row
from ml.evaluation.smaller import micro_f1
from ml.examples import Example, split_by_family, targets
from ml.instant.model import applicable
from ml.pictures import located
from ml.schema import Schema

ALONE: dict[str, Any] = {
    "base": "none", "pictures": "small", "patience": 0, "batch_size": 32, "picture_learning_rate": 3e-3,
    "head_learning_rate": 1e-2, "device": "cpu", "threads": 1,
}  # fmt: skip
LUMA = Setting(
    "en", "magento_luma_en", 400,
    {
        "keep_blocks": 2, "max_length": 48, "epochs": 8, "patience": 0, "freeze": "embeddings", "learning_rate": 3e-4,
        "head_learning_rate": 1e-2, "device": "cpu", "threads": 1,
    },
)  # fmt: skip
SHOWN = ("color", "pattern")
PARTS = (*SHOWN, "color + pattern", "the others", "all")


@dataclass(frozen=True)
class Photos:
    """A set of photos with one class each."""

    name: str
    file: str
    facet: str
    validation: str
    epochs: int


SETS = (
    Photos("grocery_store_en", "photos.jsonl.gz", "label", "val", 14),
    Photos("clothing_photos", "products.jsonl.gz", "type", "validation", 14),
)


def unpacked(name: str, target: Path) -> Path:
    """The set's pictures below ``target``. Raises Missing."""
    archive = Path(DATA) / name / "images.zip"
    if not archive.is_file():
        raise Missing(f"{archive} (set TAGSTUDIO_SHARED)")
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(target)
    return target


def split(photos: Photos, folder: Path) -> tuple[Schema, list[Example], list[Example]]:
    """``(schema, train, validation)``: no text and no category, which names the class; no sender on both sides of
    clothes (all groceries of a class share one group, which says nothing)."""
    train, validation = [], []
    with gzip.open(Path(DATA) / photos.name / photos.file, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            value = row.get(photos.facet) or next(iter(row["attributes"].get(photos.facet, [])), "")
            if value:
                tags = {photos.facet: frozenset({value})}
                whole = frozenset({photos.facet})
                example = Example(row["id"], {}, group=row["group"], image=row["image"], labels=tags, complete=whole)
                (validation if row["split"] == photos.validation else train).append(example)
    if photos.facet == "type":
        senders = {e.group for e in validation}
        train = [e for e in train if e.group not in senders]
    schema = Schema.from_values([dict(e.labels) for e in train], single=[photos.facet])
    return schema, list(located(train, folder)), list(located(validation, folder))


def accuracy(photos: Photos, size: int, seed: int) -> tuple[float, float, int]:
    """``(accuracy, that of the commonest class, classes)`` in points, on validation."""
    from benchmarks.models._runs import recipe_of
    from ml.training.loop import fit
    from ml.training.plan import Plan
    from ml.training.seeing import with_pictures
    from ml.training.tasks import TagTask

    with tempfile.TemporaryDirectory() as folder:
        schema, train, validation = split(photos, unpacked(photos.name, Path(folder)))
        plan = Plan.from_json({**ALONE, "epochs": photos.epochs, "picture_size": size, "seed": seed})
        encoder = with_pictures(plan, None, Path(folder))
        task = TagTask(plan, schema, encoder, train, [])
        fit(task, recipe_of(plan))
        best = task.logits(encoder.read(validation)).argmax(1)
    right = [schema.columns[column][1] in e.labels[photos.facet] for column, e in zip(best, validation, strict=True)]
    (commonest, _), *_rest = Counter(tag for e in train for tag in e.labels[photos.facet]).most_common(1)
    floor = [commonest in e.labels[photos.facet] for e in validation]
    return 100 * float(np.mean(right)), 100 * float(np.mean(floor)), len(schema.columns)


def luma(seed: int, folder: Path, **changes: Any) -> dict[str, float]:
    """Micro-F1 in points of the facets that pictures show, each, of all others together, and of all."""
    from ml.training.plan import Plan
    from ml.training.seeing import with_pictures

    plan = Plan.from_json({**LUMA.plan, "seed": seed, **changes})
    examples, schema = catalogue(LUMA.data)
    rest, test = split_by_family(list(located(_with_images(examples), folder)), 0.3, f"bench {seed}")
    given = Problem(schema, rest, [], test)
    encoder = with_pictures(plan, new_encoder(LUMA, plan), folder)
    task, _ = follow(plan, given, encoder, helpers=helpers_of(LUMA, plan))
    tagged = chosen(task, given)
    y, known = targets(schema, test)
    asked = known & applicable(schema, test)
    facet = np.array([f for f, _tag in schema.columns])
    parts = {name: facet == name for name in SHOWN}
    parts |= {"color + pattern": np.isin(facet, SHOWN), "the others": ~np.isin(facet, SHOWN), "all": facet != ""}
    return {name: 100 * micro_f1((y > 0.5)[:, c], tagged[:, c], asked[:, c]) for name, c in parts.items()}


def _with_images(examples: Sequence[Example]) -> list[Example]:
    with gzip.open(Path(DATA) / LUMA.data / "products.jsonl.gz", "rt", encoding="utf-8") as lines:
        image = {row["id"]: row.get("image") or "" for row in map(json.loads, lines)}
    return [replace(e, image=image[e.id]) for e in examples]


FUSED: dict[str, Any] = {"pictures": "small", "picture_size": 48, "picture_learning_rate": 3e-3}


def rows(once: Any, seeds: int = 3) -> Iterator[Row]:
    yield from _luma_rows(once, range(1, seeds + 1))
    for photos in SETS:
        key = key_of("accuracy", photos.name, ALONE, f"64 px, {photos.epochs} epochs, seed 1")
        found = once(key, 150.0, lambda photos=photos: _accuracy(photos, 64, 1))
        yield Row(
            "pictures alone, from nothing, 64 px", photos.name, f"accuracy of {found['classes']:.0f} classes",
            "commonest class", [found["accuracy"]], [found["floor"]], found.seconds,
            f"chance {100 / max(found['classes'], 1):.1f}",
        )  # fmt: skip


def _accuracy(photos: Photos, size: int, seed: int) -> dict[str, float]:
    return dict(zip(("accuracy", "floor", "classes"), accuracy(photos, size, seed), strict=True))


def _luma_rows(once: Any, seeds: Sequence[int]) -> Iterator[Row]:
    def side(**changes: Any) -> list[Any]:
        return [
            once(key_of("luma", LUMA.plan, f"seed {seed}", **changes), 30.0, lambda seed=seed: _luma(seed, **changes))
            for seed in seeds
        ]

    plain = side()
    for number, part in enumerate(PARTS):
        seconds = 0.0 if number else sum(p.seconds for p in plain)
        yield Row("text alone", f"{LUMA.data}: {part}", MEASURE, "", [p[part] for p in plain], [], seconds)
    for fusion in ("concatenation", "attention"):
        both = side(**FUSED, fusion=fusion)
        for number, part in enumerate(PARTS):
            values, base = [b[part] for b in both], [p[part] for p in plain]
            seconds = 0.0 if number else sum(b.seconds for b in both)
            what = f"text + picture, {fusion}, from nothing, 48 px"
            yield Row(what, f"{LUMA.data}: {part}", MEASURE, "text alone", values, base, seconds)


def _luma(seed: int, **changes: Any) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        return luma(seed, unpacked(LUMA.data, Path(folder)), **changes)
