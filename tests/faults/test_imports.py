"""kill -9 of the worker during an import, at any moment: nothing is doubled, nothing lost, and the counts are exact."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from annotations.actions import uploads
from annotations.actions.catalogues import create_catalogue
from annotations.actions.imports import import_products
from annotations.actions.people import create_user
from annotations.models import Catalogue, ImportBatch, Job, Product, QueueItem
from annotations.queries.imports import problem_lines

from .conftest import Worker, until

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True), pytest.mark.long]
ROWS_FOR_A_KILL = 2500
COUNTED = ("rows", "created", "updated", "unchanged", "archived", "set_aside", "problem_count")


def messy(rows: int) -> bytes:
    """A file with problems among its rows, ids that come twice, and rows that cleaning changes."""
    lines = []
    for n in range(rows):
        row: dict[str, Any] = {"id": f"S{n}", "title": f"Coat {n}", "attributes": {"material": ["Wool"]}}
        if n % 97 == 5:
            row["id"] = f"S{n // 2}"
        if n % 101 == 7:
            del row["id"]
        if n % 7 == 0:
            row["description"] = f"<p>Warm &amp; long {n}</p>"
        lines.append("{broken" if n % 211 == 3 else json.dumps(row))
    return "\n".join(lines).encode()


def facts(batch: ImportBatch) -> dict[str, Any]:
    products = Product.objects.filter(catalogue=batch.catalogue)
    batch.refresh_from_db()
    return {
        "counts": {name: getattr(batch, name) for name in COUNTED},
        "products": list(products.order_by("external_id").values_list("external_id", "row_hash", "revision")),
        "queued": QueueItem.objects.filter(catalogue=batch.catalogue).count(),
        "problems": list(problem_lines(batch)),
    }


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_again_and_again_an_import_counts_exactly(
    kills: int, worker: Callable[..., Worker], tmp_path: Path
) -> None:
    chance = random.Random(kills)
    content = messy((kills + 1) * ROWS_FOR_A_KILL)
    user = create_user(username="lead", password="a long enough phrase")
    killed = create_catalogue(slug="killed")
    upload = ContentFile(content, "products.jsonl")
    batch = uploads.receive(catalogue=killed, user=user, kind="products", table=upload)
    uploads.start(batch=batch, user=user, dry_run=False)
    begun = time.monotonic()
    for _ in range(kills):
        one = worker()
        settled = ImportBatch.objects.get(pk=batch.pk).position + chance.randrange(500, 2000)
        until(lambda settled=settled: going_on(batch).position >= settled, 90)
        time.sleep(chance.random() / 10)
        one.kill()
        standing(batch)
    last = worker()
    until(lambda: going_on(batch).finished_at, 120)
    until(lambda: Job.objects.get(import_batch=batch).state == Job.State.DONE)
    assert last.process.poll() is None
    print(f"killed {kills} times, {time.monotonic() - begun:.0f} s, {len(content.splitlines())} rows")

    whole = tmp_path / "products.jsonl"
    whole.write_bytes(content)
    undisturbed = import_products(catalogue=Catalogue.objects.create(slug="whole"), path=whole)
    assert facts(batch) == facts(undisturbed)
    assert undisturbed.problem_count > kills * 50


def going_on(batch: ImportBatch) -> ImportBatch:
    """The batch as it stands; where its job was given up after the third kill, a person presses the button again."""
    now = ImportBatch.objects.select_related("job", "user").get(pk=batch.pk)
    if now.job is not None and now.job.state == Job.State.FAILED:
        assert "stopped 3 times" in now.job.error
        uploads.start(batch=now, user=now.user, dry_run=False)  # type: ignore[arg-type]
    return now


def standing(batch: ImportBatch) -> None:
    """Whatever was committed is whole: what is counted is what is there."""
    batch.refresh_from_db()
    assert batch.finished_at is None, "killed too late: there is nothing to see"
    made = Product.objects.filter(catalogue=batch.catalogue).count()
    assert made == batch.created == QueueItem.objects.filter(catalogue=batch.catalogue).count()
    assert batch.problems.count() == batch.problem_count  # type: ignore[attr-defined]
