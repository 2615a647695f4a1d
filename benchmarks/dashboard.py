"""What a lead's dashboard and the next product cost in a large catalogue: queries and milliseconds.

    python -m benchmarks.dashboard --products 20000 200000

SQLite in a home of its own. A tenth of the products (20,000 at most) has been decided on by two people; rules give a
part of what waits to somebody.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any


def build(products: int) -> Any:
    from django.utils import timezone

    from annotations.models import (
        Answer,
        Catalogue,
        Decision,
        Facet,
        Membership,
        Product,
        QueueItem,
        Suggestion,
        Tag,
        Turn,
        User,
    )  # fmt: skip

    rng = random.Random(products)
    catalogue = Catalogue.objects.create(slug=f"c{products}", name="Large", reviewers=2)
    people = [User.objects.create(username=f"p{products}-{n}") for n in range(6)]
    for n, user in enumerate(people):
        Membership.objects.create(catalogue=catalogue, user=user, role="lead" if n == 0 else "reviewer")
    facets = [
        Facet.objects.create(catalogue=catalogue, slug=f"f{n}", labels={"en": f"Facet {n}"}, position=n)
        for n in range(8)
    ]
    tags = {
        f.pk: [Tag.objects.create(facet=f, slug=f"t{n}", labels={"en": f"Tag {n}"}) for n in range(12)] for f in facets
    }
    for start in range(0, products, 5000):
        Product.objects.bulk_create(
            [
                Product(
                    catalogue=catalogue,
                    external_id=f"{n}",
                    title=f"Coat {n}",
                    category=f"A/{n % 40}",
                    supplier=f"S{n % 15}",
                )
                for n in range(start, min(start + 5000, products))
            ]
        )
    keys = list(Product.objects.filter(catalogue=catalogue).order_by("pk").values_list("pk", flat=True))
    decided = min(products // 10, 20_000)
    for start in range(0, products, 5000):
        QueueItem.objects.bulk_create(
            [
                QueueItem(
                    product_id=pk, catalogue=catalogue, status="done" if start + n < decided else "queued",
                    priority=rng.random(), blind=rng.random() < 0.05,
                    assignee=people[1] if start + n >= decided and pk % 3 == 0 else None,
                )
                for n, pk in enumerate(keys[start : start + 5000])
            ]
        )  # fmt: skip
    now, seq = timezone.now(), 0
    for start in range(0, decided, 500):
        turns, decisions, answers, claims = [], [], [], []
        for n, pk in enumerate(keys[start : start + 500], start):
            facet = facets[n % 8]
            for tag in tags[facet.pk][:3]:
                claims.append(Suggestion(product_id=pk, tag=tag, score=0.8, band="likely"))
            for user in rng.sample(people[1:], 2):
                batch, at = uuid.uuid4(), now - timedelta(seconds=(decided - n) * 20)
                turns.append(
                    Turn(catalogue=catalogue, product_id=pk, reviewer=user, batch=batch, voice="vote", blind=n % 20 == 0,
                         decided_at=at, active_seconds=rng.uniform(3, 30), accepted=2, rejected=1)
                )  # fmt: skip
                said = rng.sample(tags[facet.pk][:3], rng.choice([2, 2, 2, 1]))
                for tag in [*tags[facet.pk][:3], None]:
                    seq += 1
                    verdict = "complete" if tag is None else "accept" if tag in said else "reject"
                    decisions.append(
                        Decision(catalogue=catalogue, product_id=pk, facet=facet, tag=tag, verdict=verdict, reviewer=user,
                                 role="reviewer", taxonomy_revision=0, batch=batch, product_version=0, seq=seq,
                                 voice="vote", wanted=2, score_shown=0.8 if tag else None, source="model" if tag else "",
                                 decided_at=at)
                    )  # fmt: skip
                answers.append(
                    Answer(catalogue=catalogue, product_id=pk, facet=facet, reviewer=user, decision=decisions[-1],
                           tags=sorted(tag.pk for tag in said), closes=True)
                )  # fmt: skip
        Decision.objects.bulk_create(decisions)
        Turn.objects.bulk_create(turns)
        Answer.objects.bulk_create(answers)
        Suggestion.objects.bulk_create(claims)
    Catalogue.objects.filter(pk=catalogue.pk).update(seq=seq)
    return Catalogue.objects.get(pk=catalogue.pk), people


def timed(what: Callable[[], Any], times: int) -> dict[str, float]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    what()
    with CaptureQueriesContext(connection) as seen:
        what()
    took = []
    for _time in range(times):
        begun = time.perf_counter()
        what()
        took.append(1000 * (time.perf_counter() - begun))
    return {"queries": len(seen), "ms_p50": round(statistics.median(took), 1), "ms_most": round(max(took), 1)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, nargs="+", default=[20_000, 200_000])
    given = parser.parse_args(arguments)
    home = tempfile.mkdtemp(prefix="tagstudio-dashboard-")
    os.environ.update(TAGSTUDIO_HOME=home, DJANGO_SETTINGS_MODULE="tagstudio.settings.dev")
    try:
        import django

        django.setup()
        from django.core.management import call_command
        from django.test import Client

        from annotations.actions import queue
        from annotations.queries.dashboard import dashboard

        call_command("migrate", verbosity=0)
        for products in given.products:
            catalogue, people = build(products)
            client = Client(headers={"host": "localhost"})
            client.force_login(people[0])
            page = f"/c/{catalogue.slug}/team/"
            assert client.get(page).status_code == 200
            found = {"page": timed(lambda: client.get(page), 7), "dashboard": timed(lambda: dashboard(catalogue), 3)}  # noqa: B023

            def lease(user: Any) -> None:
                items = queue.lease_next(catalogue=catalogue, user=user)  # noqa: B023
                queue.release(user=user, product_ids=[item.product_id for item in items])

            found["next_for_the_assignee"] = timed(lambda: lease(people[1]), 30)  # noqa: B023
            found["next_for_somebody_else"] = timed(lambda: lease(people[2]), 30)  # noqa: B023
            print(json.dumps({"products": products, **found}), flush=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
