"""The product list on many products: server time of whole pages, by filter, on SQLite or PostgreSQL.

python benchmarks/product_list.py [--products 200000] [--keep DIR]
DATABASE_URL=postgresql://… python benchmarks/product_list.py       (an empty database of its own)

Products are made here: titles of six words from a fixed vocabulary, descriptions of sixty, 400 categories, 300 suppliers,
two languages; half are decided on (two approved tags each). Every filter is asked for several times with other values,
through the view and its template; p50 and p95 in milliseconds, and how many queries.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
WORDS = [f"{a}{b}" for a in ("wool", "silk", "oak", "steel", "trail", "linen", "city", "garden", "night", "sun", "river", "stone")
         for b in ("coat", "lamp", "shoe", "shirt", "table", "bag", "ring", "cup", "tent", "mat", "hat", "belt", "sock", "desk")]  # fmt: skip
ROUNDS = 9  # of each filter


def fill(count: int) -> None:
    from django.db import connection, transaction

    from annotations.models import Catalogue, Decision, Facet, Membership, Product, ProductTag, QueueItem, Tag, User

    rng = random.Random(7)
    catalogue = Catalogue.objects.create(slug="bench", name="Bench", languages=["en", "zh-hans"], seq=2 * count)
    user = User.objects.create_user("bench", password=uuid.uuid4().hex)
    Membership.objects.create(catalogue=catalogue, user=user, role="admin")
    facets = [
        Facet.objects.create(catalogue=catalogue, slug=f"facet-{n}", labels={"en": f"Facet {n}"}, position=n)
        for n in range(8)
    ]
    tags = [
        Tag.objects.create(facet=f, slug=f"tag-{n}", labels={"en": f"Tag {n}"}, position=n)
        for f in facets
        for n in range(20)
    ]
    seq = 0
    for start in range(0, count, 5000):
        with transaction.atomic():
            products = Product.objects.bulk_create(
                Product(
                    catalogue=catalogue, external_id=f"SKU-{n:07}", title=" ".join(rng.choices(WORDS, k=6)),
                    description=" ".join(rng.choices(WORDS, k=60)), category=f"Dept {n % 20}/Shelf {n % 400}",
                    language="zh" if n % 7 == 0 else "en", supplier=f"Supplier {n % 300}", family=f"F{n // 4}",
                    attributes={"brand": [f"Supplier {n % 300}"], "colour": ["Red"]}, row_hash="x" * 64, text_hash="y" * 64,
                )
                for n in range(start, min(start + 5000, count))
            )  # fmt: skip
            QueueItem.objects.bulk_create(
                QueueItem(product=p, catalogue=catalogue, priority=rng.random(),
                          status="done" if p.pk % 2 else ("conflict" if p.pk % 5000 == 0 else "queued"),
                          flagged="odd" if p.pk % 3001 == 0 else "")
                for p in products
            )  # fmt: skip
            decisions, stands = [], []
            for p in products[::2]:
                for tag in rng.sample(tags, 2):
                    seq += 1
                    d = Decision(catalogue=catalogue, product=p, facet_id=tag.facet_id, tag=tag, verdict="accept", reviewer=user,
                                 role="admin", taxonomy_revision=1, batch=uuid.uuid4(), product_version=1, seq=seq)  # fmt: skip
                    decisions.append(d)
                    stands.append(ProductTag(product=p, tag=tag, state="approved", decision=d))
            Decision.objects.bulk_create(decisions)
            ProductTag.objects.bulk_create(stands)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


CASES: dict[str, list[dict[str, str]]] = {
    "no filter": [{}],
    "a page far down": [{"after": str(150_000)}],
    "search, common word": [{"search": w} for w in ("wool", "lamp", "ring")],
    "search, rare words": [{"search": w} for w in ("woolcoat steellamp", "riverbag sunmat", "zzz")],
    "search, SKU": [{"search": f"SKU-01{n}234"} for n in (1, 2, 3)],
    "search, Chinese": [{"search": "大衣"}],
    "status queued": [{"status": "queued"}],
    "status conflict (rare)": [{"status": "conflict"}],
    "flagged (rare)": [{"status": "flagged"}],
    "category": [{"category": f"Dept {n}"} for n in (3, 7)],
    "supplier": [{"supplier": f"Supplier {n}"} for n in (5, 250)],
    "language": [{"language": c} for c in ("zh", "en", "de")],
    "tag": [{"tag": f"facet-{n}:tag-{n}"} for n in (1, 5)],
    "nothing approved for a facet": [{"missing": f"facet-{n}"} for n in (1, 5)],
    "reopened": [{"problem": "reopened"}],
    "no description": [{"problem": "no_text"}],
    "tag, supplier and a word": [{"tag": "facet-2:tag-3", "supplier": "Supplier 8", "search": "wool"}],
    "no facet, a category, queued": [{"missing": "facet-1", "category": "Dept 4", "status": "queued"}],
}


def measure() -> None:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from annotations.models import Product, User

    client = Client()
    client.force_login(User.objects.get(username="bench"))
    print(f"{connection.vendor}, {Product.objects.count()} products, {ROUNDS} rounds of each, milliseconds")
    print("| filter | p50 | p95 | queries | rows |\n|---|---:|---:|---:|---:|")
    for name, asked in CASES.items():
        times = []
        for n in range(ROUNDS + 1):
            start = time.perf_counter()
            with CaptureQueriesContext(connection) as queries:
                answer = client.get("/c/bench/products/", asked[n % len(asked)])
            times.append(1000 * (time.perf_counter() - start))
            assert answer.status_code == 200, answer.status_code
        times = sorted(times[1:])
        p95 = times[min(len(times) - 1, round(0.95 * len(times)))]
        shown = answer.content.count(b'<td class="pick">')
        print(
            f"| {name} | {statistics.median(times):.0f} | {p95:.0f} | {len(queries)} | {shown} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=200_000)
    parser.add_argument("--keep", help="a folder that is filled once and used again")
    given = parser.parse_args()
    home = Path(given.keep) if given.keep else Path(tempfile.mkdtemp(prefix="tagstudio-list-"))
    home.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        TAGSTUDIO_HOME=str(home), DJANGO_SETTINGS_MODULE="tagstudio.settings.dev", ALLOWED_HOSTS="testserver"
    )
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    settings.DEBUG = False
    call_command("migrate", verbosity=0)
    from annotations.models import Catalogue

    if not Catalogue.objects.filter(slug="bench").exists():
        start = time.perf_counter()
        fill(given.products)
        print(f"filled in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    measure()


if __name__ == "__main__":
    main()
