"""Proposed families: how many of a real catalogue's are found, how many are wrong, and what 100,000 products cost.

python benchmarks/families.py [--data ../shared/data/magento_luma_en/products.jsonl.gz] [--products 100000]

First the real catalogue goes in, its families are taken away and looked for again: precision and recall of pairs of
products, at several thresholds. Then products are generated from its texts (articles of one to eight variants, words
swapped so that articles differ) and the whole job is timed, with the peak of resident memory above the start's.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("TAGSTUDIO_SHARED", ROOT.parent / "shared"))
sys.path.insert(0, str(ROOT))
COLOURS = ("black", "red", "white", "blue", "green", "grey", "pink", "teal")


def pairs(groups: list[list[int]]) -> set[tuple[int, int]]:
    return {pair for group in groups for pair in itertools.combinations(sorted(group), 2)}


def quality(path: Path) -> None:
    from annotations.actions import families
    from annotations.actions.catalogues import create_catalogue
    from annotations.actions.imports import import_products
    from annotations.models import FamilyProposal, Product

    catalogue = create_catalogue(slug="real", name="Real")
    import_products(catalogue=catalogue, path=path)
    by_family: dict[str, list[int]] = {}
    for pk, family in Product.objects.filter(catalogue=catalogue).exclude(family="").values_list("pk", "family"):
        by_family.setdefault(family, []).append(pk)
    truth = pairs(list(by_family.values()))
    Product.objects.filter(catalogue=catalogue).update(family="")
    print(
        f"{Product.objects.filter(catalogue=catalogue).count()} products, {len(by_family)} families, {len(truth)} pairs"
    )
    print("| least likeness | proposals | precision | recall |\n|---|---:|---:|---:|")
    for least in (0.5, 0.6, 0.7, 0.8, 0.9):
        families.find_families(
            catalogue=catalogue, fence=lambda: None, progress=lambda done, total, step: None, least=least
        )
        found = list(FamilyProposal.objects.filter(catalogue=catalogue).values_list("members", flat=True))
        told = pairs(found)
        right = len(told & truth)
        print(f"| {least} | {len(found)} | {right / max(1, len(told)):.3f} | {right / len(truth):.3f} |")


def cost(path: Path, count: int) -> None:
    from annotations.actions.catalogues import create_catalogue
    from annotations.actions.cleaning import find_shared
    from annotations.actions.families import find_families
    from annotations.models import Product

    rng = random.Random(11)
    texts = list(Product.objects.filter(catalogue__slug="real").values_list("title", "description"))
    words = sorted({word for title, text in texts for word in f"{title} {text}".split()})
    catalogue = create_catalogue(slug="many", name="Many")
    made: list[Product] = []
    number = 0
    while number < count:
        _title, text = rng.choice(texts)
        told = text.split()
        for place in rng.sample(range(len(told)), k=len(told) * 2 // 3):
            told[place] = rng.choice(words)
        name = " ".join(rng.choices(words, k=4))[:60]
        for colour in rng.sample(COLOURS, k=rng.randint(1, len(COLOURS))):
            made.append(
                Product(
                    catalogue=catalogue, external_id=f"M{number}", title=f"{name} {colour}", description=" ".join(told),
                    attributes={"colour": [colour]}, text_hash=f"{number:064}",
                )
            )  # fmt: skip
            number += 1
        if len(made) >= 2000:
            Product.objects.bulk_create(made)
            made.clear()
    Product.objects.bulk_create(made)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    found = find_families(catalogue=catalogue, fence=lambda: None, progress=lambda done, total, step: None)
    middle = time.perf_counter()
    find_shared(catalogue=catalogue, fence=lambda: None, progress=lambda done, total, step: None)
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{number} generated products: {found['family']} families in {middle - start:.0f} s, shared texts in "
        f"{end - middle:.0f} s, {(peak - before) / 1024:.0f} MB above {before / 1024:.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "magento_luma_en" / "products.jsonl.gz")
    parser.add_argument("--products", type=int, default=100_000)
    given = parser.parse_args()
    os.environ.update(
        TAGSTUDIO_HOME=tempfile.mkdtemp(prefix="tagstudio-families-"), DJANGO_SETTINGS_MODULE="tagstudio.settings.dev"
    )
    os.environ.pop("DATABASE_URL", None)
    import django

    django.setup()
    import logging

    from django.core.management import call_command

    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0)
    quality(given.data)
    if given.products:
        cost(given.data, given.products)


if __name__ == "__main__":
    main()
