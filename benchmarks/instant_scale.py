"""From a decision to the new order of the queue on a large catalogue, stage by stage, through the product's own verbs.

    python benchmarks/instant_scale.py [--products 100000] [--tags 300] [--decided 10000] [--turns 20] [--keep FOLDER]
    python benchmarks/instant_scale.py --ml-only [--times 10]                the same without a database

Products are made out of real catalogues (``generated.py``): no two texts are alike. A save through ``save_card``, then
what a worker does for it: read what is new, refit, adopt, rescore all, rank, write the head of the queue, store its
suggestions. ``--times`` puts each product into the pool as often, with
vectors of its own, since reading a million texts takes minutes. "order" is the time until the head of the queue stands in its new order; what follows it is listed as well.
Sentence vectors are not computed by MiniLM (100 texts a second here, once, in the background) but drawn as its
stand-in: a fixed random projection of the words, of the same size. Peak memory is the process's. On a machine that does
other things as well the wall says how busy it was; processor seconds, over all threads, say what the work is.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]


def rows(count: int) -> Iterator[dict[str, Any]]:
    from generated import products

    return products(count)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Clock:
    """Seconds by stage of each turn: on the wall, and of processor time over all threads."""

    def __init__(self) -> None:
        self.turns: list[dict[str, tuple[float, float]]] = []
        self._last = (0.0, 0.0)

    def turn(self) -> None:
        self.turns.append({})
        self._last = time.perf_counter(), time.process_time()

    def done(self, stage: str) -> None:
        now = time.perf_counter(), time.process_time()
        self.turns[-1][stage] = now[0] - self._last[0], now[1] - self._last[1]
        self._last = now

    def table(self, until: str) -> None:
        stages = list(self.turns[-1])
        before = stages[: stages.index(until) + 1]
        for turn in self.turns:
            turn["= order"] = sum(turn[s][0] for s in before), sum(turn[s][1] for s in before)
        print(f"{'stage':34}{'median s':>10}{'p95 s':>10}{'worst s':>10}{'CPU s':>8}   ({len(self.turns)} decisions)")
        for stage in [*before, "= order", *stages[len(before) :]]:
            wall, cpu = (sorted(t[stage][which] for t in self.turns) for which in (0, 1))
            p95 = wall[int(np.ceil(0.95 * len(wall))) - 1]
            print(f"{stage:34}{statistics.median(wall):10.3f}{p95:10.3f}{wall[-1]:10.3f}{statistics.median(cpu):8.3f}")


class StandIn:
    """As large as MiniLM, a million times as quick: a seeded Gaussian by word, summed. Shared words, near vectors."""

    hash, dim = "5" * 64, 384

    def __init__(self) -> None:
        self._table = np.random.default_rng(5).normal(size=(4096, self.dim)).astype(np.float32)

    def embed(self, examples: Any) -> np.ndarray:
        from ml.encoders.base import normalise

        out = np.zeros((len(examples), self.dim), dtype=np.float32)
        for row, example in enumerate(examples):
            words = [crc32(w.encode()) % 4096 for w in set(example.texts.get("title", "").lower().split())]
            out[row] = self._table[words].sum(axis=0)
        return normalise(out)

    def save(self, directory: Path) -> None:
        import json

        directory.mkdir(parents=True, exist_ok=True)
        (directory / "encoder.json").write_text(json.dumps({"kind": "stand-in", "hash": self.hash}))


def schema_values(count: int, tags: int) -> dict[str, list[str]]:
    """The commonest values of the commonest facets, ``tags`` in all."""
    found: dict[str, Counter[str]] = {}
    for row in rows(min(count, 5000)):
        for facet, values in row["attributes"].items():
            found.setdefault(facet, Counter()).update(values)
    facets = sorted(found, key=lambda f: -sum(found[f].values()))[:25]
    each = [(n, facet, value) for facet in facets for value, n in found[facet].most_common(40)]
    chosen: dict[str, list[str]] = {}
    for _n, facet, value in sorted(each, reverse=True)[:tags]:
        chosen.setdefault(facet, []).append(value)
    return chosen


def ml_only(options: argparse.Namespace) -> None:
    """The pool alone: vectors of both encoders are drawn, texts are not read, hits are as dense as in real catalogues."""
    from ml.examples import Example
    from ml.instant.cache import EmbeddingCache
    from ml.instant.pool import Pool
    from ml.schema import FacetSpec, Schema, TagSpec

    chosen = schema_values(5000, options.tags)
    schema = Schema(
        tuple(FacetSpec(f, tuple(TagSpec(v, {"en": v}) for v in vs), single=len(vs) > 8) for f, vs in chosen.items())
    )
    rng = np.random.default_rng(0)

    class Drawn:
        def __init__(self, dim: int, digit: str) -> None:
            self.dim, self.hash = dim, digit * 64

        def embed(self, examples: Any) -> np.ndarray:
            vectors = rng.normal(size=(len(examples), self.dim)).astype(np.float32)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    began = time.perf_counter()
    kept: list[tuple[int, Example]] = []

    def examples() -> Iterator[tuple[int, Example]]:
        for key, row in enumerate(rows(options.products)):
            tags = {f: frozenset(v for v in vs if v in chosen[f]) for f, vs in row["attributes"].items() if f in chosen}
            title = {"title": row["title"]}
            if len(kept) < options.decided + options.turns:
                labels = {f: t for f, t in tags.items() if t}
                kept.append((key, Example(row["id"], title, labels=labels, complete=frozenset(chosen), time=key)))
            yield key, Example(row["id"], title, row["category"], group=row["group"])

    with tempfile.TemporaryDirectory() as folder:
        pool = Pool(schema, [Drawn(256, "1"), Drawn(384, "2")], EmbeddingCache(Path(folder)), lambda keys: [])
        pool.put(examples())
        multiply(pool, options.times, rng)
        pool.decide(kept[: options.decided])
        print(
            f"{len(pool)} products x {len(schema.columns)} tags read in {time.perf_counter() - began:.0f} s, {peak_mb():.0f} MB"
        )
        keys = np.arange(len(pool))
        began = time.perf_counter()
        model = pool.fit()
        print(f"first fit, with calibration, on {len(pool.decided)} decided: {time.perf_counter() - began:.2f} s")
        clock = Clock()
        for extra in kept[options.decided :]:
            clock.turn()
            pool.decide([extra])
            clock.done("read the decision")
            model = pool.fit(model)
            clock.done("refit")
            swept = pool.sweep(model, keys)
            clock.done("rescore all")
            np.argpartition(-swept.doubt, min(5000, len(keys) - 1))
            clock.done("shortlist")
        clock.table("shortlist")
        print(f"peak memory {peak_mb():.0f} MB")


def multiply(pool: Any, times: int, rng: np.random.Generator) -> None:
    """Every product as often as that: words and hits as they are, vectors drawn anew. Reaches into the pool, since
    nobody but a benchmark wants this."""
    if times == 1:
        return
    from ml.instant.evidence import Hits

    count = len(pool)
    used = np.fromiter(pool.row_of.values(), dtype=np.int64, count=count)
    place = np.full(len(pool.ids), -1, dtype=np.int64)
    place[used] = np.arange(count)
    for name in ("_text", "_category_of", "_claims_of", "draws"):
        setattr(pool, name, np.concatenate([getattr(pool, name)[used]] * times))
    dense = np.empty((count * times, pool._dense.shape[1]), dtype=np.float32)
    dense[:count] = pool._dense[used]
    for turn in range(1, times):
        block = dense[turn * count : (turn + 1) * count]
        rng.standard_normal(out=block, dtype=np.float32)
        block *= np.float32(1 / np.sqrt(block.shape[1] / 2))
    pool._dense, pool.keys = dense, np.arange(count * times)
    ids, families = ([names[row] for row in used] for names in (pool.ids, pool.families))
    pool.ids = [f"{name}-{turn}" for turn in range(times) for name in ids]
    pool.families = [f"{name}-{turn}" for turn in range(times) for name in families]
    pool.row_of = {key: key for key in range(count * times)}
    pool._free, found = [], pool._found
    shift = np.repeat(np.arange(times) * count, len(found.hits.row))
    parts = [np.tile(getattr(found.hits, name), times) for name in ("entry", "column", "place")]
    found.hits = Hits(np.tile(place[found.hits.row], times) + shift, *parts)
    words = np.repeat(np.arange(times, dtype=np.int32) * count, len(found._word_row))
    found._word_row = np.tile(place[found._word_row].astype(np.int32), times) + words
    found._word = np.tile(found._word, times)


def through_the_product(options: argparse.Namespace) -> None:
    folder = options.keep or Path(tempfile.mkdtemp(prefix="tagstudio-scale-"))
    os.environ.update(TAGSTUDIO_HOME=str(folder), DJANGO_SETTINGS_MODULE="tagstudio.settings.dev", PACKAGED_ENCODER="0")
    import django

    django.setup()
    from django.core.management import call_command

    from annotations.models import Catalogue

    call_command("migrate", verbosity=0)
    if not Catalogue.objects.exists():
        began = time.perf_counter()
        fill(options)
        print(f"catalogue made in {time.perf_counter() - began:.0f} s")
    if options.fill:
        return
    measure(options, Catalogue.objects.get())


def fill(options: argparse.Namespace) -> None:
    """Straight into the tables: imports have a benchmark of their own."""
    from django.db import transaction

    from annotations.actions.decide import Card, Choice, Circumstances, save_cards
    from annotations.models import Catalogue, Facet, Membership, Product, QueueItem, Tag, User

    chosen = schema_values(options.products, options.tags)
    catalogue = Catalogue.objects.create(slug="scale", name="Scale", languages=["en"])
    user = User.objects.create_user(username="oracle")
    Membership.objects.create(catalogue=catalogue, user=user, role="reviewer")
    tags: dict[tuple[str, str], Tag] = {}
    facets: dict[str, Facet] = {}
    for position, (name, values) in enumerate(chosen.items()):
        facet = facets[name] = Facet.objects.create(
            catalogue=catalogue, slug=f"f{position}", labels={"en": name}, position=position
        )
        for place, value in enumerate(values):
            tags[name, value] = Tag.objects.create(facet=facet, slug=f"t{place}", labels={"en": value}, position=place)
    answers: list[tuple[Product, dict[str, list[str]]]] = []
    batch: list[Product] = []

    def flush() -> None:
        with transaction.atomic():
            made = Product.objects.bulk_create(batch)
            QueueItem.objects.bulk_create([QueueItem(product=p, catalogue=catalogue) for p in made])
        batch.clear()

    for row in rows(options.products):
        product = Product(
            catalogue=catalogue, external_id=row["id"], title=row["title"], description=row["description"][:400],
            category=row["category"], language=row["language"], family=row["group"],
        )  # fmt: skip
        batch.append(product)
        answers.append((product, row["attributes"]))
        if len(batch) == 2000:
            flush()
    flush()
    by = Circumstances(user, "reviewer")
    cards = []
    for product, attributes in random.Random(1).sample(answers, options.decided):
        right = [tags[f, v] for f, vs in attributes.items() for v in vs if (f, v) in tags]
        cards.append(Card(product, tuple(Choice(t, "add") for t in dict.fromkeys(right)), tuple(facets.values())))
    save_cards(catalogue=catalogue, cards=cards, by=by)


def measure(options: argparse.Namespace, catalogue: Any) -> None:
    from annotations import bridge
    from annotations.actions import learning, queue_order, suggestions
    from annotations.actions.decide import Card, Circumstances, save_card
    from annotations.actions.queue import lease_next
    from annotations.bridge import encoders as of_bridge
    from annotations.bridge import held
    from annotations.models import User
    from annotations.queries.cards import cards as cards_of

    stand_in = StandIn()
    of_bridge._sentence_at_hand = lambda catalogue: (stand_in, False)  # see above
    held.SOON = of_bridge.SOON = options.products
    user = User.objects.get()
    began = time.perf_counter()

    def refit(clock: Clock) -> Any:
        fitted = bridge.fit_instant(catalogue)
        clock.done("read, refit, save the model")
        model = learning.adopt_instant(
            catalogue=catalogue, path=fitted.path, sha256=fitted.sha256, metrics=fitted.metrics, card=fitted.card,
            decided_seq=fitted.decided_seq, encoder=None, promoted=None,
        )  # fmt: skip
        clock.done("adopt it")
        order = bridge.rank(catalogue, model)
        assert order is not None
        clock.done("rescore all, rank")
        written = queue_order.place(catalogue=catalogue, head=order.places(), rest=order.rest())
        clock.done("write the head of the queue")
        front = order.stale(order.front)
        suggestions.store(suggestions=order.suggestions(front), model=model)
        order.stored(front)
        clock.done("then: suggestions of the head")
        left = order.stale()
        clock.done("then: what else is out of date")
        return order, written, len(front), len(left)

    warm = Clock()
    warm.turn()
    order, *_rest = refit(warm)
    print(f"first refit of a fresh worker: {time.perf_counter() - began:.0f} s, peak memory {peak_mb():.0f} MB")
    order.stored(np.arange(len(order)))  # the background has caught up
    clock = Clock()
    counts = []
    for _turn in range(options.turns):
        (item,) = lease_next(catalogue=catalogue, user=user)
        (card,) = cards_of([item], catalogue)
        clock.turn()
        save_card(
            card=Card(card.product, (), tuple(r.facet for r in card.facets)),
            version=item.version, by=Circumstances(user, "reviewer"),
        )  # fmt: skip
        clock.done("save the decision")
        _order, *numbers = refit(clock)
        counts.append(numbers)
    clock.table("write the head of the queue")
    written, front, left = (statistics.median(c[i] for c in counts) for i in range(3))
    print(f"rows of the queue written {written:.0f}, suggestions of the head {front:.0f}, out of date below {left:.0f}")
    print(f"peak memory {peak_mb():.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--tags", type=int, default=300)
    parser.add_argument("--decided", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--ml-only", action="store_true")
    parser.add_argument("--times", type=int, default=1, help="with --ml-only: each product so often")
    parser.add_argument("--fill", action="store_true", help="make the catalogue in --keep, measure another time")
    parser.add_argument("--keep", type=Path, help="a folder for the catalogue, used again the next time")
    options = parser.parse_args()
    (ml_only if options.ml_only else through_the_product)(options)


if __name__ == "__main__":
    main()
