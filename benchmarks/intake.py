"""Raw files as they are found, taken in without anybody mapping a column: rows, attributes, problems, and once more.

    python benchmarks/intake.py [--shared FOLDER] [--only PART_OF_A_NAME]

Each file goes into a catalogue of its own in a database of its own, by the verbs that the wizard and the commands call;
then it goes in a second time, which must change nothing. Lists of tags and trees of categories go in as tags. Prints a
Markdown table. Seconds are of this run and say little: small files are mostly the start of the reader's process.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PRODUCTS = (
    "magento_luma_en/raw_magento_products.csv.gz",
    "magento_luma_en/raw_semicolon_cp1252.csv",
    "yanxuan_zh/raw_goods_gb18030.csv",
    "raw_json/dummyjson_products.json.gz",
    "magento_luma_en/products.jsonl.gz",
    "yanxuan_zh/products.jsonl.gz",
    "mall_demo_zh/products.jsonl.gz",
    "oamine_en/products.jsonl.gz",
    "clothing_photos/products.jsonl.gz",
    "grocery_store_en/products.jsonl.gz",
    "grocery_store_en/photos.jsonl.gz",
)
TAGS = (
    "shopify_taxonomy/raw_clothing_tags_zh_gb18030.csv",
    "shopify_taxonomy/raw_clothing_tags_zh_utf16.csv",
    "raw_json/bestbuy_categories.json.gz",
)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument(
        "--shared", type=Path, default=Path(os.environ.get("TAGSTUDIO_SHARED", ROOT.parent / "shared")) / "data"
    )
    asked.add_argument("--only", default="", help="files whose name has this")
    options = asked.parse_args()
    shared, only = options.shared, options.only
    if not shared.is_dir():
        sys.exit(f"no real catalogues at {shared}: say --shared or set TAGSTUDIO_SHARED")
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"TAGSTUDIO_HOME": home, "DJANGO_SETTINGS_MODULE": "tagstudio.settings.dev"}
        sys.path.insert(0, str(ROOT))
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        if any(only in name for name in PRODUCTS):
            products(shared, only)
        if any(only in name for name in TAGS):
            tags(shared, only)


def products(shared: Path, only: str) -> None:
    from annotations.actions.imports import import_products
    from annotations.formats.detect import detect
    from annotations.formats.source import Source
    from annotations.models import Catalogue, Product

    print("| file | read as | products | attributes | values | families | set aside | problems | again | s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for number, name in enumerate(name for name in PRODUCTS if only in name):
        with Source(shared / name) as source:
            found = detect(source)
        catalogue = Catalogue.objects.create(slug=f"c{number}", name=name, languages=["en"])
        begun = time.perf_counter()
        first = import_products(catalogue=catalogue, path=shared / name)
        seconds = time.perf_counter() - begun
        again = import_products(catalogue=catalogue, path=shared / name)
        rows = Product.objects.filter(catalogue=catalogue)
        facets: dict[str, set[str]] = {}
        for attributes in rows.values_list("attributes", flat=True):
            for facet, values in attributes.items():
                facets.setdefault(facet, set()).update(values)
        families = rows.exclude(family="").values("family").distinct().count()
        shape = first.mapping.get("shape") or ""
        how = ", ".join(filter(None, (found.kind, found.encoding, found.delimiter.replace("\t", "tab"), shape)))
        same = "0 changes" if again.unchanged == first.created and not again.updated else f"{again.updated} changed"
        print(
            f"| `{name}` | {how} | {first.created} | {len(facets)} | {sum(map(len, facets.values()))} | {families} | "
            f"{first.set_aside} | {first.problem_count} | {same} | {seconds:.1f} |"
        )


def tags(shared: Path, only: str) -> None:
    from annotations.actions.import_tags import import_tags
    from annotations.models import Catalogue, Tag

    print("\n| tag list | tags | facets | below another tag | problems | again | s |\n|---|---|---|---|---|---|---|")
    for number, name in enumerate(name for name in TAGS if only in name):
        catalogue = Catalogue.objects.create(
            slug=f"t{number}", name=name, languages=["zh-hans" if "_zh_" in name else "en"]
        )
        begun = time.perf_counter()
        report = import_tags(catalogue=catalogue, path=shared / name, user=None)
        seconds = time.perf_counter() - begun
        again = import_tags(catalogue=catalogue, path=shared / name, user=None)
        made = Tag.objects.filter(facet__catalogue=catalogue)
        print(
            f"| `{name}` | {made.count()} | {report.new_facets} | {made.exclude(parent=None).count()} | "
            f"{report.problems} | {again.new_tags} new | {seconds:.1f} |"
        )


if __name__ == "__main__":
    main()
