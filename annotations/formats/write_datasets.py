"""A Hugging Face ``datasets`` folder, zipped: the wide table as Parquet, and a card that says what is in it.

``load_dataset("folder")`` takes the unpacked folder as it is. Source: Hugging Face, "Structure your repository" and
"Dataset cards".
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from annotations.formats.exporting import ExportRow
from annotations.formats.wide import PRODUCT_COLUMNS, facet_column
from annotations.formats.write_tables import EPOCH, write_parquet

DATA = "data/train-00000-of-00001.parquet"
CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
task_categories:
- text-classification
language:
{languages}
tags:
- product-catalogue
---

# Tagged products

{rows} products with the tags that people, or a policy they set, approved. Written by TagStudio.

Columns about the product: {product}. A column per facet, each a list of labels:

| facet | products with a tag | labels |
|---|---|---|
{facets}

A facet without labels was not decided for that product, or was looked at and none of its tags fit; the JSONL and
long CSV exports tell the two apart and say who decided what and when.
"""


def write_datasets(rows: Iterable[ExportRow], out: BinaryIO, *, facets: Iterable[str] | None = None) -> int:
    """The same rows give the same bytes. Raises FileRefused without pyarrow."""
    languages: Counter[str] = Counter()
    products: Counter[str] = Counter()
    labels: dict[str, set[str]] = {}

    def counted() -> Iterator[ExportRow]:
        for row in rows:
            languages[row.language] += bool(row.language)
            for facet, tags in row.approved().items():
                products[facet] += 1
                labels.setdefault(facet, set()).update(tag.slug for tag in tags)
            yield row

    with tempfile.TemporaryFile() as spool:
        count = write_parquet(counted(), spool, facets=facets)
        spool.seek(0)
        lines = (f"| {_cell(facet_column(f))} | {products[f]} | {len(labels[f])} |" for f in sorted(labels))
        card = CARD.format(
            languages="\n".join(f"- {name.split('-')[0]}" for name in sorted(languages) if name) or "- und",
            rows=count,
            product=", ".join(PRODUCT_COLUMNS),
            facets="\n".join(lines),
        )
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_entry("README.md", zipfile.ZIP_DEFLATED), card)
            with archive.open(_entry(DATA, zipfile.ZIP_STORED), "w", force_zip64=True) as member:
                shutil.copyfileobj(spool, member, 1 << 20)
    return count


def _entry(name: str, how: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = how
    return entry


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
