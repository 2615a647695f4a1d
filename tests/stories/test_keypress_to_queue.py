"""A keypress to a new queue: a save in the browser makes a new model and another order, whatever happens meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from annotations.models import Catalogue, Job, ModelVersion, QueueItem, Suggestion
from tests.faults.conftest import Worker, ended, lose_every_message, until
from tests.stories.conftest import Shop, open_shop, stock
from tests.stories.reader import Page, Reader

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True), pytest.mark.long]


@contextmanager
def watched() -> Iterator[dict[str, int]]:
    """The most refits that waited, and that ran, at any one look while the block ran."""
    most = {"queued": 0, "running": 0, "looks": 0}
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            states = list(Job.objects.filter(kind="refit").live().values_list("state", flat=True))
            for state in ("queued", "running"):
                most[state] = max(most[state], states.count(state))
            most["looks"] += 1
            time.sleep(0.01)
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def save(reviewer: Reader, page: Page) -> Page:
    """Enter: what is seen is what is saved. Gives the page with the next product."""
    form = page.form("review/save")
    answer = reviewer.send(form.action, form.with_(input="key"))
    assert answer.status == 200, answer.text
    assert answer.form("review/save").all("product") != form.all("product"), "the next product at once"
    return answer


def order(shop: Shop) -> list[int]:
    waiting = QueueItem.objects.filter(catalogue=shop.catalogue, status=QueueItem.Status.QUEUED)
    return list(waiting.order_by("-priority", "id").values_list("product", flat=True))


def suggested(shop: Shop) -> set[tuple[Any, ...]]:
    found = Suggestion.objects.filter(product__catalogue=shop.catalogue)
    return set(found.values_list("product", "tag", "band", "score"))


def serving(shop: Shop) -> ModelVersion | None:
    return Catalogue.objects.select_related("serving").get(pk=shop.catalogue.pk).serving


def refits() -> Any:
    return Job.objects.filter(kind="refit")


def settled(shop: Shop) -> None:
    """Nothing waits or runs, and the model at work knows every decision."""
    until(lambda: not Job.objects.live().exists(), 120)
    assert not Job.objects.exclude(state=Job.State.DONE).exists(), list(Job.objects.values_list("kind", "error"))
    model = serving(shop)
    shop.catalogue.refresh_from_db()
    assert model is not None and model.decided_seq == shop.catalogue.seq


def test_a_keypress_to_a_new_queue(web: str, worker: Callable[..., Worker], tmp_path: Path) -> None:
    shop = open_shop(web, "keypress")
    stock(shop, tmp_path)
    worker()
    settled(shop)
    before, old_order, old_suggestions = serving(shop), order(shop), suggested(shop)
    assert before is not None and old_suggestions

    reviewer = shop.at_pages("reviewer")
    begun = time.monotonic()
    page = save(reviewer, reviewer.get(shop.page("review/")))
    until(lambda: serving(shop) != before)
    print(f"a save, and {time.monotonic() - begun:.2f} s later a new model")
    begun = time.monotonic()
    with watched() as most:
        for _ in range(10):
            page = save(reviewer, page)
        print(f"ten saves in {time.monotonic() - begun:.2f} s")
        settled(shop)
    print(f"all known after {time.monotonic() - begun:.2f} s, {refits().count()} refits, {most}")
    assert most["queued"] <= 1 and most["running"] <= 1 and most["looks"] > 10
    assert most["queued"] + most["running"] > 0, "the watcher saw something"
    decided = set(old_order) - set(order(shop))
    assert len(decided) == 11
    assert order(shop) != [product for product in old_order if product not in decided], "those that stay moved"
    assert suggested(shop) != old_suggestions
    now = serving(shop)
    assert now is not None and now.number > before.number and now.state == ModelVersion.State.PROMOTED


def caught_at_work(reviewer: Reader, page: Page, one: Worker, another: Callable[..., Worker]) -> tuple[Job, Page]:
    """A refit whose worker was killed in the middle of it. A quick one may end before we strike: then another."""
    for attempt in range(5):
        one = another() if attempt else one
        page = save(reviewer, page)
        until(lambda: refits().filter(state=Job.State.RUNNING).exists() or not refits().live().exists())
        one.kill()
        if job := refits().filter(state=Job.State.RUNNING).first():
            return job, page
    raise AssertionError("five refits ended before their worker could be killed")


def test_what_is_killed_or_lost_is_done_all_the_same(web: str, worker: Callable[..., Worker], tmp_path: Path) -> None:
    shop = open_shop(web, "killed")
    stock(shop, tmp_path)
    first = worker()
    settled(shop)
    before = serving(shop)
    reviewer = shop.at_pages("reviewer")
    job, page = caught_at_work(reviewer, reviewer.get(shop.page("review/")), first, worker)

    # nobody lives; three more saves ring for one job, and the broker loses every bell
    for _ in range(3):
        page = save(reviewer, page)
    waiting = refits().get(state=Job.State.QUEUED)
    print(f"{lose_every_message()} messages lost")
    job.refresh_from_db()
    assert (job.state, job.attempts) == (Job.State.RUNNING, 1)

    worker()
    begun = time.monotonic()
    job, waiting = ended(job), ended(waiting)
    print(f"both done {time.monotonic() - begun:.1f} s after a new worker was there")
    assert (job.state, job.attempts) == (Job.State.DONE, 2), job.error
    assert (waiting.state, waiting.attempts) == (Job.State.DONE, 1), waiting.error
    settled(shop)
    assert serving(shop) != before
