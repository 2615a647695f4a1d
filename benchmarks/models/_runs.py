"""What the nouns of this package share: a catalogue split by family, a plan followed, and micro-F1 on products not seen."""

from __future__ import annotations

import copy
import functools
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.__main__ import DATA
from benchmarks.instant_vs_sklearn import load
from benchmarks.models._kept import Measured, key_of
from benchmarks.models.table import Missing, Row
from ml.evaluation.smaller import micro_f1
from ml.examples import Example, draw_of, split_by_family, targets
from ml.instant.model import applicable
from ml.schema import FacetSpec, Schema, TagSpec
from ml.serving.decoding import calibrate, decide, probabilities
from ml.text import render

LEAST = 5  # products that have a tag, for it to be asked: fewer can't be both learned and tested
MEASURE = "micro-F1, points"
SAMPLE = "sample_zh"  # the Chinese half of the project's own catalogue, which people wrote for it
MADE = Path("var/bench-models/made")  # tokenizers, of which a second making would break ties another way


@dataclass(frozen=True)
class Problem:
    """decided: with their tags; undecided: without; test: other families, with theirs."""

    schema: Schema
    decided: list[Example]
    undecided: list[Example]
    test: list[Example]


@dataclass(frozen=True)
class Setting:
    """A catalogue, how much of it is decided, the plan that options are changes of, and the seconds of one fit of it
    (processor, one core)."""

    name: str
    data: str
    decided: int
    plan: Mapping[str, Any]
    seconds: float = 10.0

    @property
    def what(self) -> str:
        return f"{self.data}, {self.decided} decided"


# A minute at most for five seeds of a row on one core. English starts from the packaged encoder, Chinese from one that is
# pre-trained on the catalogue itself, once for all options.
SMALL: dict[str, Any] = {
    "base": "catalogue", "pretrain_steps": 150, "pretrain_batch_tokens": 1024, "layers": 2, "width": 128,
    "vocabulary": 2000, "max_length": 48, "epochs": 30, "patience": 0, "learning_rate": 1e-3,
    "head_learning_rate": 1e-2, "batch_size": 8,
}  # fmt: skip
ENGLISH = Setting(
    "en", "magento_luma_en", 90,
    {"keep_blocks": 2, "max_length": 48, "epochs": 8, "patience": 0, "freeze": "embeddings", "learning_rate": 3e-4}, 12.0,
)  # fmt: skip
CHINESE = Setting("zh", "yanxuan_zh", 110, SMALL, 6.0)
OWN = Setting("own", SAMPLE, 110, {**SMALL, "max_length": 96}, 10.0)


@functools.cache
def catalogue(name: str) -> tuple[list[Example], Schema]:
    """Raises Missing where it is not here."""
    folder = Path(DATA) / name
    if name != SAMPLE and not folder.is_dir():
        raise Missing(f"{folder} (set TAGSTUDIO_SHARED)")
    examples, schema = _sample() if name == SAMPLE else load(folder)
    count = Counter(pair for e in examples for pair in pairs(e))
    facets = [replace(f, tags=tuple(t for t in f.tags if count[f.slug, t.slug] >= LEAST)) for f in schema.facets]
    return examples, Schema(tuple(f for f in facets if f.tags))


def _sample() -> tuple[list[Example], Schema]:
    """Products without their suppliers' attributes, which would say the answers, and the taxonomy with its synonyms."""
    from annotations import sample

    truth = sample.truth()
    facets = [
        FacetSpec(
            f["slug"],
            tuple(
                TagSpec(t["slug"], t["labels"], tuple(w for words in t.get("synonyms", {}).values() for w in words))
                for t in f["tags"]
            ),
            f["labels"], single=f["kind"] == "single",
        )
        for f in sample.taxonomy()["facets"]
    ]  # fmt: skip
    whole = frozenset(f.slug for f in facets)
    examples = [
        Example(
            row["id"], {name: row[name] for name in ("title", "description") if row.get(name)}, row.get("category") or "",
            row["language"], row["family"], complete=whole,
            labels={facet: frozenset(tags) for facet, tags in truth[row["id"]].items()},
        )
        for row in sample.products()
        if row["language"].startswith("zh")
    ]  # fmt: skip
    return examples, Schema(tuple(facets))


def pairs(example: Example) -> list[tuple[str, str]]:
    return [(facet, tag) for facet, tags in example.labels.items() for tag in tags]


def bare(example: Example) -> Example:
    """What is known of a product that nobody has decided on."""
    return Example(example.id, example.texts, example.category, example.language, example.group)


def problem(name: str, decided: int, seed: int) -> Problem:
    """Three tenths of the families to test on; of the others whole families until ``decided`` products are decided."""
    examples, schema = catalogue(name)
    rest, test = split_by_family(examples, 0.3, f"bench {seed}")
    rest = sorted(rest, key=lambda e: (draw_of(e.family, f"decided {seed}"), e.id))
    return Problem(schema, rest[:decided], [bare(e) for e in rest[decided:]], test)


@functools.cache
def _catalogue_encoder(plan_json: str, name: str) -> Any:
    """Encoder and masked model pre-trained on the texts of the whole catalogue, as in the product: those of test products
    too, whose tags nobody reads. A plan with a single step gets one that is not pre-trained."""
    from ml.encoders.catalogue import new_encoder, train_tokenizer
    from ml.training.loop import Recipe, fit
    from ml.training.plan import Plan
    from ml.training.tasks import MaskedTask

    plan = Plan.from_json(json.loads(plan_json))
    texts = [render(e).text for e in catalogue(name)[0]]
    tokenizer = made_once(f"{name}-{plan.vocabulary}", lambda: train_tokenizer(texts, plan.vocabulary))
    encoder = new_encoder(
        tokenizer, layers=plan.layers, width=plan.width, max_length=plan.max_length, dropout=plan.dropout, seed=1
    )
    if plan.pretrain_steps == 1:
        return encoder, None
    task = MaskedTask(plan, encoder, texts)
    fit(task, Recipe(epochs=task.epochs, steps=plan.pretrain_steps))
    return encoder, task.model


def catalogue_encoder(setting: Setting, plan: Any) -> Any:
    """``(encoder, masked model)``, made once a process for all plans that differ in nothing that shapes it."""
    names = (
        "base", "pretrain_steps", "pretrain_batch_tokens", "pretrain_learning_rate", "mask_share", "layers", "width",
        "vocabulary", "max_length", "dropout",
    )  # fmt: skip
    return _catalogue_encoder(json.dumps({name: getattr(plan, name) for name in names}), setting.data)


def made_once(name: str, make: Callable[[], Any]) -> Any:
    """A tokenizer, kept so that runs that are taken up again go on with the same one."""
    from tokenizers import Tokenizer

    path = MADE / f"{name}.json"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(f".{os.getpid()}")
        make().save(str(half))
        half.replace(path)
    return Tokenizer.from_file(str(path))


def new_encoder(setting: Setting, plan: Any) -> Any:
    """A fresh copy of what the plan's run starts from."""
    from ml.compression import keep_blocks

    if plan.base == "catalogue":
        return copy.deepcopy(catalogue_encoder(setting, plan)[0])
    encoder = packaged_encoder(plan)
    if plan.keep_blocks:
        keep_blocks(encoder, plan.keep_blocks)
    return encoder


def packaged_encoder(plan: Any) -> Any:
    """All of its blocks. Raises Missing."""
    from ml.encoders.hf import load_text_encoder
    from ml.encoders.packaged import PackagedError, packaged_folder

    try:
        return load_text_encoder(packaged_folder(), max_length=plan.max_length, dropout=plan.dropout)
    except PackagedError as error:
        raise Missing(str(error)) from error


def recipe_of(plan: Any, **changes: Any) -> Any:
    from ml.training.loop import Recipe

    names = ("epochs", "schedule", "warmup_share", "clip_norm", "adversarial", "patience", "seed", "optimiser")
    return Recipe(**{**{name: getattr(plan, name) for name in names}, **changes})


def helpers_of(setting: Setting, plan: Any, **helpers: Any) -> Any:
    """What the plan asks for beside the products."""
    from ml.training.stages import Helpers

    if plan.masked_replace:
        helpers["masked"] = copy.deepcopy(catalogue_encoder(setting, plan)[1]).requires_grad_(False)
    return Helpers(**helpers)


def follow(plan: Any, given: Problem, encoder: Any, **told: Any) -> tuple[Any, Any]:
    """``(task, progress)`` of a plan followed in memory, without a folder; ``told`` goes to ``fine_tune``."""
    from ml.training.stages import Read

    validation = validation_of(plan, given)
    ids = {e.id for e in validation}
    train = [e for e in given.decided if e.id not in ids]
    return follow_on(plan, given.schema, encoder, Read(train, validation, given.undecided), **told)


def validation_of(plan: Any, given: Problem) -> list[Example]:
    from ml.training.inputs import split_exactly

    return split_exactly(given.decided, plan.validation_share, f"validation {plan.seed}")[1]


def follow_on(plan: Any, schema: Schema, encoder: Any, read: Any, **told: Any) -> tuple[Any, Any]:
    """The same for products that are split already."""
    import torch

    from ml.training.loop import fit
    from ml.training.stages import fine_tune

    torch.set_num_threads(1)

    def fit_one(task: Any, place: str, **changes: Any) -> Any:
        return fit(task, recipe_of(plan, **changes))

    return fine_tune(plan, schema, encoder, read, fit_one, **told)


def chosen(task: Any, given: Problem) -> np.ndarray:
    """``(len(test), columns)`` bool: what would be tagged, at thresholds learned on the validation products."""
    y, known = task.validation_targets
    calibration = calibrate(given.schema, task.logits(task.validation_tokens), y, known)
    tokens = task.model.encoder.read(given.test)
    p = probabilities(given.schema, task.logits(tokens), calibration.temperature)
    return decide(given.schema, p, calibration.thresholds) & applicable(given.schema, given.test)


def points(given: Problem, tagged: np.ndarray) -> float:
    y, known = targets(given.schema, given.test)
    return 100 * micro_f1(y > 0.5, tagged, known & applicable(given.schema, given.test))


def plan_of(setting: Setting, seed: int, **changes: Any) -> Any:
    from ml.training.plan import Plan

    return Plan.from_json({**setting.plan, "device": "cpu", "threads": 1, "seed": seed, **changes})


def score(setting: Setting, seed: int, **changes: Any) -> float:
    """Micro-F1 in points of one run with these changes to the setting's plan."""
    plan = plan_of(setting, seed, **changes)
    given = problem(setting.data, setting.decided, seed)
    task, _ = follow(plan, given, new_encoder(setting, plan), helpers=helpers_of(setting, plan))
    return points(given, chosen(task, given))


def instant_tier(given: Problem, texts: Sequence[Example], *more: Any, unseen: Sequence[Example] = ()) -> float:
    """Micro-F1 in points of the instant tier, at the thresholds that it learns, on its lexical encoder (fitted on
    ``texts``) and perhaps more. unseen: where one of these was trained on decided products, those that it was not."""
    from ml.encoders.lexical import LexicalEncoder
    from ml.instant.model import InstantModel

    encoders = [LexicalEncoder.fit(texts), *(Vectors(encoder) for encoder in more)]
    families = {e.family for e in unseen} or None
    model = InstantModel.fit(given.schema, given.decided, encoders, calibrate_on=families)
    bared = [bare(e) for e in given.test]
    return points(given, (model.scores(bared) >= model.thresholds) & applicable(given.schema, bared))


class Vectors:
    """A trained encoder as the instant tier takes one."""

    def __init__(self, encoder: Any) -> None:
        self.encoder, self.dim, self.hash = encoder, encoder.width, f"in memory {id(encoder)}"

    def embed(self, examples: Sequence[Example]) -> np.ndarray:
        vectors: np.ndarray = self.encoder.pooled(self.encoder.read(examples))
        return vectors


@dataclass(frozen=True)
class Side:
    """One side of a row: what was measured, seed by seed."""

    found: Sequence[Measured]

    def named(self, name: str) -> list[float]:
        return [f[name] for f in self.found]

    @property
    def values(self) -> list[float]:
        return self.named("f1")

    @property
    def seconds(self) -> float:
        return sum(f.seconds for f in self.found)


def by_seed(
    once: Any, setting: Setting, seeds: Sequence[int], changes: Mapping[str, Any],
    one: Callable[..., float | Mapping[str, float]] = score,
) -> Side:  # fmt: skip
    """``one`` of the setting with these changes, for each seed: kept under its name, the setting's plan and the changes."""
    cost = setting.seconds * changes.get("members", 1) * (1 + changes.get("pseudo_rounds", 0))

    def make(seed: int) -> Mapping[str, float]:
        found = one(setting, seed, **changes)
        return found if isinstance(found, Mapping) else {"f1": found}

    keys = {s: key_of(one.__name__, setting.what, setting.plan, f"seed {s}", **changes) for s in seeds}
    return Side([once(key, cost, lambda seed=seed: make(seed)) for seed, key in keys.items()])


def ablations(
    once: Any, options: Mapping[str, Mapping[str, Any]], seeds: Sequence[int], settings: Sequence[Setting],
    one: Callable[..., float] = score,
) -> Iterator[Row]:  # fmt: skip
    """A row for the plain plan of each setting, and one for each option beside it, seed by seed."""
    for setting in settings:
        plain = by_seed(once, setting, seeds, {}, one)
        yield Row("plain", setting.what, MEASURE, "", plain.values, [], plain.seconds)
        for what, changes in options.items():
            found = by_seed(once, setting, seeds, changes, one)
            yield Row(what, setting.what, MEASURE, "plain", found.values, plain.values, found.seconds)
