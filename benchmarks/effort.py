"""What it costs to tag a whole catalogue: an oracle reviewer at the product's own verbs, keys and decisions counted.

    python benchmarks/effort.py ../shared/data/magento_luma_en [--products 200] [--every 10] [--ways ...]

The oracle knows every tag. It leases what the queue offers, makes the card right with the keys the review screen has,
saves, and after every few products a refit runs as in a worker. It goes on until 95 % of all right tags of the catalogue
stand approved, with at least 98 % of what stands being right; that is looked at after every save. Ways:

  by hand    nothing is suggested: every right tag is picked, and the card saved
  random     suggestions of the model, confident ones checked; products in random order
  order      the same, in the policy's order
  + single   facets that never take two values are single-choice: a pick replaces what was picked, scores are shares
  + family   what was saved is copied to the variants of the article that the product ticks (facets that tell them apart
             left out)
  + any grid before cards, a screen of 48 of each value that is suggested with confidence for six products and more
  + grid     instead, only screens of which the product says that they spare cards (``queries.grid.spares``)
  - order    as the last, in random order: what the order brings where everything else is there too

Keys: Enter saves; the focus begins at the first doubtful tag that is checked, J and K go to the next facet and back,
the shorter way round; a number toggles a tag that wears it, else j's and Space; + adds by as many letters as make the
tag the first of its facet to begin so and Enter, or by its own two letters and Enter, the last with Shift where it saves
the card as well. In the grid: two to choose facet and value, arrows to a wrong tile, x, and one Enter. A copy to the
family takes one key more. Holding a modifier is no key. Shift and a number (to replace a tag wherever the focus is) are
not used. Lexical encoder alone, so that it runs anywhere.
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
BY_CATEGORY = {"oamine_en"}  # each category has facets of its own
TILES, COLUMNS, WORTH = 48, 8, 6  # of the grid; WORTH: claims of a value from which a screen is opened


@dataclass(frozen=True)
class Way:
    hand: bool = False
    ordered: bool = True
    single: bool = False
    family: bool = False
    grid: str = ""


WAYS = {
    "by hand": Way(hand=True, ordered=False),
    "random": Way(ordered=False),
    "order": Way(),
    "+ single": Way(single=True),
    "+ family": Way(single=True, family=True),
    "+ any grid": Way(single=True, family=True, grid="any"),
    "+ grid": Way(single=True, family=True, grid="worth it"),
    "- order": Way(ordered=False, single=True, family=True, grid="worth it"),
}
SPENT = ("saves", "walks", "toggles", "adds", "grid")


@dataclass
class Shop:
    catalogue: Any
    user: Any
    facets: dict[str, Any]
    tags: dict[tuple[str, str], Any]
    offered: dict[int, list[Any]]  # facet to its tags in their order
    right: dict[int, set[int]]  # product to tags
    spent: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPENT, 0))  # keys, by what they were for
    decisions: int = 0
    saves: int = 0
    cards: set[int] = field(default_factory=set)

    @property
    def keys(self) -> int:
        return sum(self.spent.values())


def make(rows: list[dict[str, Any]], name: str, single: bool, by_category: bool) -> Shop:
    from annotations.models import Catalogue, Facet, Membership, Product, QueueItem, Tag, User

    catalogue = Catalogue.objects.create(slug=name, name=name, languages=["en"], blind_share=0.0)
    user = User.objects.create_user(username=name)
    Membership.objects.create(catalogue=catalogue, user=user, role="lead")
    shop = Shop(catalogue, user, {}, {}, {}, {})
    values: dict[str, set[str]] = {}
    several: set[str] = set()
    differs: set[str] = set()
    seen: dict[tuple[str, str], tuple[str, ...]] = {}
    categories: dict[str, set[str]] = {}
    for row in rows:
        for facet, found in row["attributes"].items():
            values.setdefault(facet, set()).update(found)
            categories.setdefault(facet, set()).add(row.get("category") or "")
            several |= {facet} if len(set(found)) > 1 else set()
            if seen.setdefault((row["group"], facet), tuple(sorted(found))) != tuple(sorted(found)):
                differs.add(facet)
    for position, facet in enumerate(sorted(values)):
        kind = Facet.Kind.SINGLE if single and facet not in several else Facet.Kind.MULTI
        made = shop.facets[facet] = Facet.objects.create(
            catalogue=catalogue, slug=f"f{position}", labels={"en": facet}, kind=kind, position=position,
            variant_axis=facet in differs, categories=sorted(categories[facet]) if by_category else [],
        )  # fmt: skip
        for place, value in enumerate(sorted(values[facet])):
            shop.tags[facet, value] = Tag.objects.create(
                facet=made, slug=f"t{place}", labels={"en": value}, position=place
            )
        shop.offered[made.pk] = [shop.tags[facet, value] for value in sorted(values[facet])]
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


@dataclass
class Touched:
    """What is said about the tags of a facet and what it takes. ``adds`` holds, for each tag that is added by name, the
    keys with a plain Enter, and with Shift where that saves the card too."""

    choices: list[Any]
    toggles: int = 0
    adds: list[tuple[int, int]] = field(default_factory=list)


def letters(tag: Any, tags: list[Any], own: str) -> tuple[int, int]:
    """+, the shortest beginning that no earlier tag of the facet shares, and Enter; or the tag's own letters."""
    label = tag.label.lower()
    first = (count for count in range(1, len(label) + 1)
             if next(t for t in tags if t.label.lower().startswith(label[:count])).pk == tag.pk)  # fmt: skip
    typed = next(first, len(label)) + 2
    return (min(typed, len(own) + 2), min(typed, len(own) + 1)) if own else (typed, typed)


def touch(shop: Shop, row: Any, numbers: dict[int, int], right: set[int], hand: bool) -> Touched:
    from annotations.actions.decide import Choice
    from annotations.queries.mnemonics import mnemonics

    tags = shop.offered[row.facet.pk]
    wanted = [t for t in tags if t.pk in right]
    told = Touched([])
    shown = {} if hand else {chip.tag.pk: chip for chip in row.chips}
    for position, chip in enumerate(shown.values()):
        is_right = chip.tag.pk in right
        if chip.checked != is_right:
            replaced = row.facet.kind == "single" and chip.checked and wanted
            told.toggles += 0 if replaced else 1 if chip.number else position + 1
        if chip.standing != ("approved" if is_right else "rejected"):
            told.choices.append(Choice(chip.tag, "accept" if is_right else "reject"))
    own = mnemonics(shop.catalogue, row.facet)
    for tag in wanted:
        if tag.pk not in shown:
            told.choices.append(Choice(tag, "add"))
            if numbers.get(tag.pk):
                told.toggles += 1
            else:
                told.adds.append(letters(tag, tags, own.get(tag.pk, "")))
    return told


def count_keys(shop: Shop, card: Any, told: list[Touched], copies: bool) -> None:
    """Add up what a card took: the walk over the facets that are touched, what is done there, and the save."""
    places = [place for place, one in enumerate(told) if one.toggles or one.adds]
    doubtful = (
        place for place, row in enumerate(card.facets) if any(c.checked and c.band == "likely" for c in row.chips)
    )
    start = next(doubtful, 0)
    end = start
    if places:
        low, high = places[0], places[-1]
        end = low if abs(start - high) < abs(start - low) else high
        shop.spent["walks"] += high - low + min(abs(start - low), abs(start - high))
    shop.spent["toggles"] += sum(one.toggles for one in told)
    shop.spent["adds"] += sum(plain for one in told for plain, _saving in one.adds)
    shop.spent["saves"] += 1 + copies
    if not copies and told and told[end].adds:  # the last of them with Shift saves as well
        shop.spent["saves"] -= 1
        shop.spent["adds"] -= max(plain - saving for plain, saving in told[end].adds)


def decide(shop: Shop, item: Any, way: Way) -> None:
    """Make the card right and save it, with the family where the way has it."""
    from annotations.actions.decide import Card, Circumstances, save_card
    from annotations.actions.family import copy_to_family
    from annotations.models import Decision
    from annotations.queries.cards import cards
    from annotations.queries.family import copied_facets, variants_of
    from annotations.queries.offers import offers

    (card,) = cards([item], shop.catalogue)
    numbers = {o.facet.pk: o.numbers for o in offers(shop.catalogue, item.product.category)}
    right = shop.right[item.product_id]
    told = [touch(shop, row, numbers[row.facet.pk], right, way.hand) for row in card.facets]
    whole = tuple(row.facet for row in card.facets)
    saved = Card(card.product, tuple(choice for one in told for choice in one.choices), whole)
    by = Circumstances(shop.user, "lead")
    found = variants_of(item.product, copied_facets(whole), shop.user) if way.family else []
    variants = [(v.product, v.version) for v in found if v.offered]
    if variants:
        together = copy_to_family(card=saved, version=item.version, variants=variants, by=by, batch=uuid.uuid4())
        shop.decisions += Decision.objects.filter(batch=together.batch).count()
    else:
        shop.decisions += save_card(card=saved, version=item.version, by=by).decisions
    count_keys(shop, card, told, bool(variants))
    shop.saves += 1
    shop.cards.add(item.product_id)


def grid(shop: Shop, rule: str) -> bool:
    """One screen: of the value that spares most cards, or by ``any`` of the one that is suggested with confidence most
    often; False when none is worth it."""
    from annotations.actions.decide import Circumstances
    from annotations.actions.grid import ACCEPT, REJECT, Mark, save_grid
    from annotations.models import Tag
    from annotations.queries.grid import KEYS, candidates, how_many, spares, tiles, values_next

    counts = values_next(shop.catalogue) if rule == "any" else spares(shop.catalogue)
    least = WORTH if rule == "any" else KEYS
    for pk in sorted(counts, key=lambda t: -counts[t])[:5]:
        tag = Tag.objects.select_related("facet").get(pk=pk)
        if counts[pk] < least or (rule == "any" and how_many(shop.catalogue, tag.facet, tag) < WORTH):
            continue
        shown = tiles(candidates(shop.catalogue, tag.facet, tag, shop.user, TILES), tag.facet, tag)
        wrong = [n for n, tile in enumerate(shown) if pk not in shop.right[tile.product.pk]]
        if rule == "any" and (len(shown) < WORTH or len(wrong) > len(shown) / 3):
            continue
        at, keys = 0, KEYS
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
        shop.spent["grid"] += keys
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


def enough(shop: Shop) -> bool:
    recall, precision = state(shop)
    return recall >= ENOUGH and precision >= PRECISE


def play(rows: list[dict[str, Any]], name: str, options: argparse.Namespace, until: float) -> Shop:
    from annotations.actions.queue import lease_next

    way = WAYS[name]
    shop = make(rows, f"w{list(WAYS).index(name)}s{options.seed}", way.single, options.data.name in BY_CATEGORY)
    shuffled = None if way.ordered else random.Random(options.seed)
    refit(shop, shuffled=shuffled)
    while time.monotonic() < until:
        for _turn in range(options.every):
            items = lease_next(catalogue=shop.catalogue, user=shop.user)
            if not items:
                return shop
            decide(shop, items[0], way)
            if enough(shop):
                return shop
        if not way.hand:
            refit(shop, shuffled=shuffled)
        for _screen in range(3 if way.grid else 0):
            if not grid(shop, way.grid):
                break
            if enough(shop):
                return shop
    raise SystemExit(f"{name}: out of time at {state(shop)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--products", type=int, default=200)
    parser.add_argument("--every", type=int, default=10, help="products between two refits")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--facets", default="", help="only these, as where one facet is asked of a whole catalogue")
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
    for row in rows if options.facets else []:
        row["attributes"] = {f: v for f, v in row["attributes"].items() if f in options.facets.split(",")}
    groups = sorted({row["group"] for row in rows})
    random.Random(options.seed).shuffle(groups)
    rank = {group: n for n, group in enumerate(groups)}
    rows = sorted(rows, key=lambda r: rank[r["group"]])[: options.products]
    tags = sum(len(v) for row in rows for v in row["attributes"].values())
    print(f"{options.data.name}: {len(rows)} products of {len({r['group'] for r in rows})} families, {tags} right tags")
    print(
        f"{'way':12}{'keys':>7}{'a tag':>7}{'a product':>10}{'saves':>7}{'cards':>7}{'decisions':>10}{'right':>7}{'precise':>8}{'cpu s':>7}"
        "  keys for: " + ", ".join(SPENT)
    )
    until = time.monotonic() + options.seconds
    for name in options.ways.split(","):
        began = time.process_time()
        shop = play(rows, name, options, until)
        recall, precision = state(shop)
        print(
            f"{name:12}{shop.keys:7}{shop.keys / tags:7.2f}{shop.keys / len(rows):10.2f}{shop.saves:7}"
            f"{len(shop.cards):7}{shop.decisions:10}{recall:7.3f}{precision:8.3f}{time.process_time() - began:7.0f}"
            "  " + ", ".join(str(shop.spent[kind]) for kind in SPENT),
            flush=True,
        )


if __name__ == "__main__":
    main()
