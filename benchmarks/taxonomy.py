"""How long a whole published taxonomy takes to load, how fast type-ahead answers over it in each of its languages, and
what merging, splitting and undoing cost on a facet that stands on 10,000 products.

    python -m benchmarks.taxonomy ATTRIBUTES.jsonl.gz CATEGORIES.jsonl.gz [--products 10000] [--only load|find|reshape]

On a database of its own: SQLite in a temporary folder, or TEST_DATABASE_URL. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LANGUAGES = ["en", "zh-hans", "zh-hant", "ja", "de", "fr", "es"]
QUERIES = 60  # of each language and way


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("attributes")
    asked.add_argument("categories")
    asked.add_argument("--products", type=int, default=10_000)
    asked.add_argument("--only", choices=["load", "find", "reshape"])
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="tagstudio-taxonomy-") as home:
        os.environ["TAGSTUDIO_HOME"] = home
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tagstudio.settings.test")
        import django

        django.setup()
        from django.test.utils import setup_databases, teardown_databases

        databases = setup_databases(verbosity=0, interactive=False)
        try:
            report: dict[str, Any] = {}
            if options.only != "reshape":
                report["load"] = load(options)
            if options.only in (None, "find"):
                report["find"] = find()
                report["next"] = next_card()
            if options.only in (None, "reshape"):
                report["reshape"] = reshape(options.products)
        finally:
            teardown_databases(databases, verbosity=0)
    json.dump(report, sys.stdout, ensure_ascii=False, indent=1)
    print()


def load(options: argparse.Namespace) -> dict[str, Any]:
    from annotations.actions.import_tags import import_tags
    from annotations.actions.starter import load_starter
    from annotations.models import Catalogue, Facet, Tag, TagWord

    catalogue = Catalogue.objects.create(slug="whole", name="Whole", languages=LANGUAGES)
    cpu = time.process_time()
    seconds, loaded = timed(
        lambda: load_starter(
            catalogue=catalogue, attributes=options.attributes, categories=options.categories, with_categories=True
        )
    )
    cpu = round(time.process_time() - cpu, 1)
    more: dict[str, Any] = {}
    if options.only == "load":
        again, second = timed(
            lambda: load_starter(
                catalogue=catalogue, attributes=options.attributes, categories=options.categories, with_categories=True
            )
        )
        plain = Catalogue.objects.create(slug="plain", name="Plain", languages=LANGUAGES)
        as_list, listed = timed(lambda: import_tags(catalogue=plain, path=Path(options.attributes), user=None))
        more = {
            "again_seconds": again, "again_new": second.new_facets + second.new_tags, "again_changed": second.changed,
            "values_as_a_list_seconds": as_list, "values_as_a_list": listed.new_tags,
        }  # fmt: skip
    return {
        "seconds": seconds, "cpu_seconds": cpu, "facets": Facet.objects.filter(catalogue=catalogue).count(),
        "tags": Tag.objects.filter(facet__catalogue=catalogue).count(),
        "words": TagWord.objects.filter(catalogue=catalogue).count(), "problems": loaded.problems, **more,
    }  # fmt: skip


def find() -> dict[str, Any]:
    """Milliseconds in the question itself (the index and the rows), by language and way of asking."""
    from annotations.models import Catalogue, Facet, Tag
    from annotations.queries.taxonomy import search_tags

    catalogue = Catalogue.objects.get(slug="whole")
    tags = list(Tag.objects.filter(facet__catalogue=catalogue).select_related("facet", "parent").order_by("pk"))
    dice = random.Random(7)
    report: dict[str, Any] = {}
    every: list[float] = []
    for language in LANGUAGES:
        took: list[float] = []
        missed = 0
        for way in ("beginning", "label", "path"):
            some = [t for t in tags if t.labels.get(language) and (way != "path" or t.parent)]
            for tag in dice.sample(some, QUERIES):
                label = tag.labels[language]
                text = {
                    "beginning": label[: dice.randint(1, 4)], "label": label,
                    "path": f"{tag.parent.labels.get(language, '')} > {label}" if tag.parent else label,
                }[way]  # fmt: skip
                begun = time.perf_counter()
                found = search_tags(catalogue, text, limit=20)
                took.append((time.perf_counter() - begun) * 1000)
                if way == "label" and not any(f.labels.get(language) == label for f in found):
                    missed += 1
        every += took
        report[language] = {**spread(took), "labels_not_found": missed}
    facet = Facet.objects.get(catalogue=catalogue, slug="product-category")
    report["one facet of 10,595"] = spread(
        [timed(lambda t=t: search_tags(catalogue, t.labels["en"][:3], facet=facet))[0] * 1000
         for t in dice.sample([t for t in tags if t.facet_id == facet.pk], QUERIES)]
    )  # fmt: skip
    report["letters a to z"] = spread(
        [timed(lambda c=c: search_tags(catalogue, c))[0] * 1000 for c in "abcdefghijklmnopqrstuvwxyz"]
    )
    return {"all": spread(every), **report}


def next_card() -> dict[str, Any]:
    """The next product of a catalogue with the whole taxonomy, as the API gives it."""
    from django.test import Client

    from annotations.actions.people import create_token
    from annotations.models import Catalogue, Membership, Product, QueueItem, User

    catalogue = Catalogue.objects.get(slug="whole")
    user = User.objects.create_user("next", password="a long enough phrase")
    Membership.objects.create(catalogue=catalogue, user=user, role="reviewer")
    for n in range(40):
        product = Product.objects.create(
            catalogue=catalogue, external_id=str(n), title=f"Shirt {n}",
            category="Apparel & Accessories/Clothing/Clothing Tops/Shirts",
        )  # fmt: skip
        QueueItem.objects.create(product=product, catalogue=catalogue, status="queued")
    secret = create_token(user=user, scopes=["review"]).secret
    client = Client(headers={"Authorization": f"Token {secret}"})
    took, size, facets = [], 0, 0
    for _n in range(30):
        seconds, answer = timed(lambda: client.get(f"/api/v1/catalogues/{catalogue.slug}/review/next/"))
        assert answer.status_code == 200, answer.content[:200]
        took.append(seconds * 1000)
        size, facets = len(answer.content), len(answer.json()["facets"])
    return {**spread(took), "first_ms": round(took[0], 1), "bytes": size, "facets": facets}


def reshape(products: int) -> dict[str, Any]:
    from annotations.actions import reshape as verbs
    from annotations.actions import taxonomy
    from annotations.actions.decide import Card, Choice, Circumstances, save_cards
    from annotations.models import Catalogue, Product, ProductTag, QueueItem, Tag, TaxonomyRevision, User
    from annotations.queries.standing import differences
    from annotations.tasks.run import run_now

    user = User.objects.create_user("lead", password="a long enough phrase")
    catalogue = Catalogue.objects.create(slug="shop", name="Shop", languages=["en"])
    facet = taxonomy.add_facet(catalogue=catalogue, labels={"en": "Material"}, user=user)
    names = ("cotton", "wool", "linen", "silk")
    tags = {name: taxonomy.add_tag(facet=facet, labels={"en": name}, user=user) for name in names}
    rows = Product.objects.bulk_create(
        Product(catalogue=catalogue, external_id=f"P{n}", title=f"{('Jersey', 'Denim', 'Plain')[n % 3]} shirt {n}")
        for n in range(products)
    )
    QueueItem.objects.bulk_create(QueueItem(product=p, catalogue=catalogue, status="queued") for p in rows)
    by = Circumstances(user, "admin")
    cards = [
        Card(
            p,
            (
                Choice(tags["cotton"], "accept"),
                *((Choice(tags["wool"], ("accept", "reject")[n % 2]),) if n % 4 < 2 else ()),
            ),
            (facet,),
        )
        for n, p in enumerate(rows)
    ]
    deciding, _ = timed(lambda: save_cards(catalogue=catalogue, cards=cards, by=by))

    def see(tag: str) -> Tag:
        return Tag.objects.select_related("facet__catalogue").get(facet=facet, slug=tag)

    def picture() -> dict[str, Any]:
        stands = ProductTag.objects.filter(product__catalogue=catalogue)
        return {
            "standing": sorted(stands.values_list("product", "tag", "state", "decision")),
            "status": sorted(QueueItem.objects.filter(catalogue=catalogue).values_list("product", "status")),
            "live": sorted(Tag.objects.live().filter(facet=facet).values_list("slug", "labels__en")),
        }

    def approved() -> int:
        return (
            ProductTag.objects.filter(product__catalogue=catalogue, state="approved")
            .values("product")
            .distinct()
            .count()
        )

    doing = {
        "rename": lambda: taxonomy.rename_tag(tag=see("cotton"), label="Pure cotton", user=user),
        "merge": lambda: verbs.merge_tags(tag=see("cotton"), into=see("wool"), by=by),
        "split": lambda: verbs.split_tag(tag=see("cotton"), parts=[{"en": "Jersey"}, {"en": "Denim"}], by=by),
        "retire": lambda: taxonomy.retire_tag(tag=see("cotton"), user=user),
    }
    report: dict[str, Any] = {"products": products, "deciding_seconds": deciding, "products_with_a_tag": approved()}
    for name, verb in doing.items():
        before = picture()
        seconds, _ = timed(lambda verb=verb: finished(verb(), run_now))
        revision = TaxonomyRevision.objects.filter(catalogue=catalogue).latest("number")
        conserved = approved() == report["products_with_a_tag"]
        wrong = len(differences(catalogue))
        back, _ = timed(lambda r=revision: finished(verbs.undo_revision(revision=r, by=by), run_now))
        report[name] = {
            "seconds": seconds, "report": {k: v for k, v in revision.report.items() if v}, "counts_conserved": conserved,
            "differences": wrong, "undo_seconds": back, "undone_exactly": picture() == before,
            "differences_after_undo": len(differences(catalogue)), "feed_alone_gives_the_same": follows(catalogue),
        }  # fmt: skip
    return report


def finished(done: Any, run_now: Any) -> None:
    if getattr(done, "job", None):
        ended = run_now(done.job)
        assert ended.state == "done", ended.error


def follows(catalogue: Any) -> bool:
    """Read the feed as a stranger would, line by line, and compare with what is stored."""
    from io import StringIO

    from django.core.management import call_command

    from annotations.models import ProductTag

    out = StringIO()
    call_command("changes", catalogue.slug, "--after", "0", stdout=out)
    stands: dict[tuple[str, str, str], str] = {}
    last = 0
    for text in out.getvalue().splitlines():
        line = json.loads(text)
        assert line["seq"] > last
        last = line["seq"]
        if "event" in line:
            continue
        key = (line["product"], line["facet"], line["tag"])
        if line["state"] == "removed":
            stands.pop(key, None)
        else:
            stands[key] = line["state"]
    rows = ProductTag.objects.filter(product__catalogue=catalogue)
    return stands == {
        (p, f, t): s
        for p, f, t, s in rows.values_list("product__external_id", "tag__facet__slug", "tag__slug", "state")
    }


def timed(work: Any) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = work()
    return round(time.perf_counter() - begun, 3), result


def spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50_ms": round(statistics.median(ordered), 1), "p95_ms": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
        "max_ms": round(ordered[-1], 1), "n": len(ordered),
    }  # fmt: skip


if __name__ == "__main__":
    main()
