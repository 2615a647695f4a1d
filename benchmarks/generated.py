"""Many products made out of real ones: the same words, lengths, scripts and markup, and no two rows alike.

python benchmarks/generated.py FOLDER [--rows 100000] [--seed 1]      writes products.csv and products.jsonl

A row is a real product with another id, its sentences in another order, an article number among them, and values of
its facets swapped for others of the same facet: texts do not repeat, so that nothing is won by remembering what was
cleaned before. Real products come from ``../shared/data`` (or ``TAGSTUDIO_SHARED``), the project's own sample where
that is not there. The CSV has HTML where the source had it and a column for each of the commonest facets; the JSONL is
the import shape.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
import json
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("TAGSTUDIO_SHARED", ROOT.parent / "shared"))
SETS = ("magento_luma_en", "oamine_en", "yanxuan_zh", "mall_demo_zh", "grocery_store_en")
COLUMNS = ("sku", "name", "description", "category", "language", "family", "price", "supplier")
FACET_COLUMNS = 24
_SENTENCES = re.compile(r"(?<=[.!?。！？])\s*|(?<=</p>)|(?<=<br />)|\n")
Row = dict[str, Any]


def real_products() -> list[list[Row]]:
    """Products that people wrote, a list per catalogue: those of ``SETS`` or the sample's."""
    found: list[list[Row]] = []
    for name in SETS:
        file = SHARED / "data" / name / "products.jsonl.gz"
        if file.exists():
            with gzip.open(file, "rt", encoding="utf-8") as lines:
                found.append([json.loads(line) for line in lines])
    if not found:
        sys.path.insert(0, str(ROOT))
        from annotations.sample import products

        found.append(list(products()))
    return found


def products(rows: int, seed: int = 1) -> Iterator[Row]:
    """``rows`` products in the import shape with ``description_html`` beside the plain text where the source had it."""
    chance = random.Random(seed)
    real = real_products()
    values: dict[str, list[str]] = {}
    for row in itertools.chain.from_iterable(real):
        for facet, found in row.get("attributes", {}).items():
            values.setdefault(facet, []).extend(found)
    for number in range(rows):
        source = chance.choice(chance.choice(real))  # catalogues alike, whatever their sizes
        article = f"{chance.randrange(16**6):06X}-{number}"
        facets = {
            facet: list(dict.fromkeys(chance.choice(values[facet]) if chance.random() < 0.3 else v for v in found))
            for facet, found in source.get("attributes", {}).items()
        }
        html = source.get("description_html") or source.get("description", "")
        yield {
            "id": f"G{number:07d}",
            "title": f"{source['title']} {article[:6]}",
            "description": _shuffled(source.get("description", ""), article, chance),
            "description_html": _shuffled(html, article, chance),
            "category": source.get("category", ""),
            "language": source.get("language", "en"),
            "group": f"F{number // 4:07d}",
            "attributes": facets,
            "price": f"{chance.randrange(100, 99999) / 100:.2f}",
            "supplier": f"Supplier {chance.randrange(40)}",
        }


def _shuffled(text: str, article: str, chance: random.Random) -> str:
    parts = [part for part in _SENTENCES.split(text) if part]
    chance.shuffle(parts)
    parts.insert(len(parts) // 2, f"Art. {article}.")
    return ("\n" if "</" in text else " ").join(parts)


def write(folder: Path, rows: int, seed: int = 1) -> tuple[Path, Path]:
    """``(products.csv, products.jsonl)`` with the same products; made anew only where they are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    table, lines = folder / f"products-{rows}-{seed}.csv", folder / f"products-{rows}-{seed}.jsonl"
    if table.exists() and lines.exists():
        return table, lines
    used = Counter(
        facet for row in itertools.chain.from_iterable(real_products()) for facet in row.get("attributes", {})
    )
    facets = [facet for facet, _count in used.most_common(FACET_COLUMNS)]
    passing = table.with_suffix(".part")
    with passing.open("w", encoding="utf-8", newline="") as out, lines.open("w", encoding="utf-8") as plain:
        writer = csv.writer(out)
        writer.writerow([*COLUMNS, *facets])
        for row in products(rows, seed):
            html = row.pop("description_html")
            plain.write(json.dumps(row, ensure_ascii=False) + "\n")
            fixed = [row["id"], row["title"], html, row["category"], row["language"], row["group"], row["price"]]
            cells = ["|".join(v.replace("|", "\\|") for v in row["attributes"].get(facet, ())) for facet in facets]
            writer.writerow([*fixed, row["supplier"], *cells])
    passing.rename(table)
    return table, lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for file in write(args.folder, args.rows, args.seed):
        print(f"{file} {file.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
