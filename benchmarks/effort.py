"""What it costs to tag a whole catalogue: an oracle reviewer at the product's own verbs, keys and decisions counted.

    python benchmarks/effort.py ../shared/data/magento_luma_en [--products 200] [--every 10] [--ways ...]

The oracle knows every tag. It leases what the queue offers, makes the card right with the keys the review screen has,
saves, and after every few products a refit runs as in a worker. It goes on until 95 % of all right tags of the catalogue
stand approved, with at least 98 % of what stands being right. Ways:

  by hand    nothing is suggested: every right tag is picked, and the card saved
  random     suggestions of the model, confident ones checked; products in random order
  order      the same, in the policy's order
  + single   facets that never take two values are single-choice: a pick replaces what was picked, scores are shares
  + family   what was saved is copied to the variants of the article (facets that tell them apart left out)
  + grid     before cards, values that are suggested with confidence for many products: a screen of 48 at once

Keys: Enter saves; J goes to the next facet; a number, or j's and Space, toggles a chip; + and as many letters as make
the tag the first of its facet to begin so, and Enter, add one. In the grid: two to choose facet and value, arrows to a
wrong tile, x, and one Enter. Holding a modifier is no key. Lexical encoder alone, so that it runs anywhere.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
ENOUGH, PRECISE = 0.95, 0.98
TILES, COLUMNS, WORTH = 48, 8, 6  # of the grid; WORTH: claims of a value from which a screen is opened
WAYS = ("by hand", "random", "order", "+ single", "+ family", "+ grid")


@dataclass
class Shop:
    catalogue: Any
    user: Any
    facets: dict[str, Any]
    tags: dict[tuple[str, str], Any]
    right: dict[int, set[int]]  # product to tags
    keys: int = 0
    decisions: int = 0
    saves: int = 0
    cards: set[int] = field(default_factory=set)


def make(rows: list[dict[str, Any]], name: str, single: bool) -> Shop:
    from annotations.models import Catalogue, Facet, Membership, Product, QueueItem, Tag, User

    catalogue = Catalogue.objects.create(slug=name, name=name, languages=["en"], blind_share=0.0)
    user = User.objects.create_user(username=name)
    Membership.objects.create(catalogue=catalogue, user=user, role="lead")
    shop = Shop(catalogue, user, {}, {}, {})
    values: dict[str, set[str]] = {}
    several: set[str] = set()
    differs: set[str] = set()
    seen: dict[tuple[str, str], tuple[str, ...]] = {}
    for row in rows:
        for facet, found in row["attributes"].items():
            values.setdefault(facet, set()).update(found)
            several |= {facet} if len(set(found)) > 1 else set()
            if seen.setdefault((row["group"], facet), tuple(sorted(found))) != tuple(sorted(found)):
                differs.add(facet)
    for position, facet in enumerate(sorted(values)):
        kind = Facet.Kind.SINGLE if single and facet not in several else Facet.Kind.MULTI
        made = shop.facets[facet] = Facet.objects.create(
            catalogue=catalogue, slug=f"f{position}", labels={"en": facet}, kind=kind, position=position,
            variant_axis=facet in differs,
        )  # fmt: skip
        for place, value in enumerate(sorted(values[facet])):
            shop.tags[facet, value] = Tag.objects.create(
                facet=made, slug=f"t{place}", labels={"en": value}, position=place
            )
    for row in rows:
        product = Product.objects.create(
            catalogue=catalogue, external_id=row["id"], title=row["title"], description=row.get("description") or "",
            category=row.get("category") or "", language="en", family=row["group"],
        )  # fmt: skip
        QueueItem.objects.create(product=product, catalogue=catalogue, status=QueueItem.Status.QUEUED)
        shop.right[product.pk] = {shop.tags[f, v].pk for f, vs in row["attributes"].items() for v in vs}
    return shop


def refit(shop: Shop, *, shuffled: random.Random | None) -> None:
    from annotations.actions import learning
    from annotations.models import Job, QueueItem
    from annotations.tasks.run import run_now

    learning.request_refit(catalogue=shop.catalogue)
    while job := Job.objects.filter(catalogue=shop.catalogue).live().first():
        job = run_now(job)
        if job.state != "done":
            raise SystemExit(f"{job.kind}: {job.error}")
    if shuffled is not None:
        items = list(QueueItem.objects.filter(catalogue=shop.catalogue))
        for item in items:
            item.priority = shuffled.random()
        QueueItem.objects.bulk_update(items, ["priority"])


def letters(tag: Any, tags: Any) -> int:
    """+, the shortest beginning that no earlier tag of the facet shares, and Enter."""
    label = tag.label.lower()
    for count in range(1, len(label) + 1):
        first = next(t for t in tags if t.label.lower().startswith(label[:count]))
        if first.pk == tag.pk:
            return count + 2
    return len(label) + 2


def decide(shop: Shop, item: Any, way: int) -> None:
    """Make the card right and save it, with the family where the way has it."""
    from annotations.actions.decide import Card, Choice, Circumstances, save_card
    from annotations.queries.cards import cards

    (card,) = cards([item], shop.catalogue)
    right, choices, at, keys = shop.right[item.product_id], [], 0, 1
    for place, row in enumerate(card.facets):
        shown = {} if way == 0 else {chip.tag.pk: chip for chip in row.chips}
        wanted = {t.pk for t in row.tags} & right
        touched = 0
        for position, chip in enumerate(shown.values()):
            if chip.checked != (chip.tag.pk in wanted):
                replaced = row.facet.kind == "single" and chip.checked and wanted
                touched += 0 if replaced else 1 if chip.number else position + 1
            if chip.standing != ("approved" if chip.tag.pk in wanted else "rejected"):
                choices.append(Choice(chip.tag, "accept" if chip.tag.pk in wanted else "reject"))
        for tag in row.tags:
            if tag.pk in wanted and tag.pk not in shown:
                numbered = way == 0 and len(row.tags) <= 9
                touched += 1 if numbered else letters(tag, row.tags)
                choices.append(Choice(tag, "add"))
        if touched:
            keys += touched + place - at
            at = place
    saved = Card(card.product, tuple(choices), tuple(r.facet for r in card.facets))
    by = Circumstances(shop.user, "lead")
    if way >= 4 and (variants := _variants(shop, item)):
        from annotations.actions.family import copy_to_family
        from annotations.models import Decision

        together = copy_to_family(card=saved, version=item.version, variants=variants, by=by, batch=uuid.uuid4())
        keys += 1
        shop.decisions += Decision.objects.filter(batch=together.batch).count()
    else:
        shop.decisions += save_card(card=saved, version=item.version, by=by).decisions
    shop.keys += keys
    shop.saves += 1
    shop.cards.add(item.product_id)


def _variants(shop: Shop, item: Any) -> list[tuple[Any, int]]:
    from annotations.models import QueueItem

    family = QueueItem.objects.filter(product__family=item.product.family, product__catalogue=shop.catalogue)
    others = family.exclude(product=item.product_id).filter(version=0).select_related("product")
    return [(other.product, other.version) for other in others]


def grid(shop: Shop) -> bool:
    """One screen of the value that is suggested with confidence most often; False when none is worth it."""
    from annotations.actions.decide import Circumstances
    from annotations.actions.grid import ACCEPT, REJECT, Mark, save_grid
    from annotations.models import Tag
    from annotations.queries.grid import candidates, how_many, tiles, values_next

    counts = values_next(shop.catalogue)
    for pk in sorted(counts, key=lambda t: -counts[t])[:5]:
        tag = Tag.objects.select_related("facet").get(pk=pk)
        if how_many(shop.catalogue, tag.facet, tag) < WORTH:
            continue
        shown = tiles(candidates(shop.catalogue, tag.facet, tag, shop.user, TILES), tag.facet, tag)
        wrong = [n for n, tile in enumerate(shown) if pk not in shop.right[tile.product.pk]]
        if len(shown) < WORTH or len(wrong) > len(shown) / 3:
            continue
        at, keys = 0, 3
        for n in wrong:
            keys += abs(n // COLUMNS - at // COLUMNS) + abs(n % COLUMNS - at % COLUMNS) + 1
            at = n
        marks = [
            Mark(tile.product, tile.item.version, REJECT if n in set(wrong) else ACCEPT, tile.tags)
            for n, tile in enumerate(shown)
        ]
        saved = save_grid(
            catalogue=shop.catalogue, facet=tag.facet, marks=marks, whole=False,
            by=Circumstances(shop.user, "lead"), nonce=uuid.uuid4(),
        )  # fmt: skip
        if not saved.together.products:
            continue
        shop.keys += keys
        shop.saves += 1
        shop.decisions += len(saved.together.products)
        return True
    return False


def state(shop: Shop) -> tuple[float, float]:
    """(share of all right tags that stand approved, share of what stands that is right)"""
    from annotations.models import ProductTag

    rows = ProductTag.objects.filter(product__catalogue=shop.catalogue, state="approved")
    stands = list(rows.values_list("product", "tag"))
    good = sum(tag in shop.right[product] for product, tag in stands)
    return good / sum(map(len, shop.right.values())), good / max(len(stands), 1)


def play(rows: list[dict[str, Any]], way: int, every: int, seed: int, until: float) -> Shop:
    from annotations.actions.queue import lease_next

    shop = make(rows, f"w{way}s{seed}", single=way >= 3)
    shuffled = random.Random(seed) if way < 2 else None
    refit(shop, shuffled=random.Random(seed) if way < 2 else None)
    while time.monotonic() < until:
        recall, precision = state(shop)
        if recall >= ENOUGH and precision >= PRECISE:
            return shop
        for _turn in range(every):
            items = lease_next(catalogue=shop.catalogue, user=shop.user)
            if not items:
                return shop
            decide(shop, items[0], way)
        if way > 0:
            refit(shop, shuffled=shuffled)
        for _screen in range(3 if way >= 5 else 0):
            if not grid(shop):
                break
    raise SystemExit(f"{WAYS[way]}: out of time at {state(shop)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--products", type=int, default=200)
    parser.add_argument("--every", type=int, default=10, help="products between two refits")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=220)
    options = parser.parse_args()
    shared = "/dev/shm" if Path("/dev/shm").is_dir() else None
    home = tempfile.mkdtemp(prefix="tagstudio-effort-", dir=shared)
    os.environ.update(TAGSTUDIO_HOME=home, DJANGO_SETTINGS_MODULE="tagstudio.settings.dev", PACKAGED_ENCODER="0")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with gzip.open(options.data / "products.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for row in rows:
        row["group"] = row.get("group") or row["id"]
    groups = sorted({row["group"] for row in rows})
    random.Random(options.seed).shuffle(groups)
    rank = {group: n for n, group in enumerate(groups)}
    rows = sorted(rows, key=lambda r: rank[r["group"]])[: options.products]
    tags = sum(len(v) for row in rows for v in row["attributes"].values())
    print(f"{options.data.name}: {len(rows)} products of {len({r['group'] for r in rows})} families, {tags} right tags")
    print(
        f"{'way':10}{'keys':>7}{'a tag':>7}{'a product':>10}{'saves':>7}{'cards':>7}{'decisions':>10}{'right':>7}{'precise':>8}{'s':>6}"
    )
    until = time.monotonic() + options.seconds
    for way, name in enumerate(WAYS):
        if name in options.ways.split(","):
            began = time.monotonic()
            shop = play(rows, way, options.every, options.seed, until)
            recall, precision = state(shop)
            print(
                f"{name:10}{shop.keys:7}{shop.keys / tags:7.2f}{shop.keys / len(rows):10.2f}{shop.saves:7}"
                f"{len(shop.cards):7}{shop.decisions:10}{recall:7.3f}{precision:8.3f}{time.monotonic() - began:6.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
