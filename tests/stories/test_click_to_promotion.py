"""A click to a promotion: a full model is trained, stopped, killed, compared, promoted and taken back, at the pages."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.conf import settings

from annotations import sample
from annotations.models import Job, ModelVersion, TrainingRun
from tests.faults.conftest import Worker, ended, until
from tests.stories.conftest import Shop, open_shop, stock
from tests.stories.reader import Page, Reader
from tests.stories.test_keypress_to_queue import serving, settled

pytest.importorskip("torch")
pytestmark = [pytest.mark.worker, pytest.mark.torch, pytest.mark.django_db(transaction=True), pytest.mark.long]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of width 32 as anybody would bring it: made with transformers, random weights, the sample's words."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("checkpoint")
    words = BertWordPieceTokenizer(lowercase=True)
    words.train_from_iterator(
        (f"{row['title']} {row['description']}" for row in sample.products()), vocab_size=1500, show_progress=False
    )
    words.save(str(folder / "tokenizer.json"))
    config = BertConfig(
        vocab_size=words.get_vocab_size(), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


def press(admin: Reader, page: Page, part: str, **changes: str) -> Page:
    """A button of the page: its form, sent."""
    form = page.form(part)
    answer = admin.send(form.action, form.with_(**changes))
    assert answer.status == 200, answer.text
    return answer


def start(shop: Shop, admin: Reader, **plan: str) -> tuple[TrainingRun, Page]:
    page = press(admin, admin.get(shop.page("training/")), "training/start", **plan)
    number = int(re.search(r"/training/(\d+)/$", page.url)[1])  # type: ignore[index]
    return TrainingRun.objects.select_related("job").get(catalogue=shop.catalogue, number=number), page


def child_of(run: TrainingRun) -> psutil.Process:
    file = Path(settings.JOBS_ROOT) / f"train-{run.job_id}" / "child.pid"
    until(file.is_file, 60)
    return psutil.Process(int(file.read_text()))


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def steps_seen(shop: Shop, run: TrainingRun) -> Callable[[], bool]:
    """Whether a program that watches the job sees it go on."""
    program = shop.program("admin", "train")

    def seen() -> bool:
        told = program.get(f"/api/v1/jobs/{run.job_id}/").json
        assert told["state"] in ("queued", "running"), told
        return bool(told["done_count"] > 0 and told["share"] and told["step"])

    return seen


def is_cancelled_at_once(shop: Shop, admin: Reader) -> None:
    run, page = start(shop, admin, base="catalogue", preset="thorough")
    child = child_of(run)
    until(steps_seen(shop, run), 120)
    begun = time.monotonic()
    press(admin, page, "/cancel/")
    job = ended(run.job, 30)
    print(f"cancelled in {time.monotonic() - begun:.1f} s")
    assert job.state == Job.State.CANCELLED
    assert gone(child), "nobody goes on training"
    assert not TrainingRun.objects.get(pk=run.pk).model_version


def is_killed_and_ends(shop: Shop, admin: Reader, checkpoint: Path) -> TrainingRun:
    """kill -9 in the middle: the run goes on by itself, to its end."""
    run, _page = start(shop, admin, base="path", path=str(checkpoint), epochs="2", batch_size="8", max_length="48")
    child = child_of(run)
    begun = time.monotonic()
    os.kill(child.pid, signal.SIGKILL)
    until(lambda: gone(child), 10)
    job = ended(run.job, 240)
    print(f"killed, and done {time.monotonic() - begun:.1f} s later: {job.state}, attempt {job.attempts}")
    assert (job.state, job.attempts) == (Job.State.DONE, 2), job.error
    live = admin.get(shop.page(f"training/{run.number}/live/"))
    assert live.status == 200
    run.refresh_from_db()
    return run


def suggestions_of(shop: Shop) -> list[dict[str, Any]]:
    program = shop.program("reviewer", "review")
    asked = [
        {"id": row["id"], "title": row["title"], "description": row["description"], "category": row["category"]}
        for row, _n in zip(sample.products(), range(20), strict=False)
    ]
    answer = program.post("suggest/", asked)
    assert answer.status == 200, answer.text
    found: list[dict[str, Any]] = answer.json
    assert len(found) == 20 and any(row["suggestions"] for row in found)
    return found


def test_a_click_to_a_promotion(web: str, worker: Callable[..., Worker], tmp_path: Path, checkpoint: Path) -> None:
    shop = open_shop(web, "click")
    stock(shop, tmp_path, decided=44)
    worker(OMP_NUM_THREADS="2")
    settled(shop)
    admin = shop.at_pages("admin")
    is_cancelled_at_once(shop, admin)
    run = is_killed_and_ends(shop, admin, checkpoint)

    model = run.model_version
    assert model is not None and model.state == ModelVersion.State.CANDIDATE
    assert run.report["comparison"]["products"] > 0, "compared with what is in use"
    page = admin.get(shop.page(f"training/{run.number}/"))
    assert "F1 in use" in page.text and "<polyline" in page.text
    before, old = serving(shop), suggestions_of(shop)

    begun = time.monotonic()
    # random weights: where the gate holds it back, a person says why not
    page = press(admin, page, "/promote/", run=str(run.number), override="to see it serve")
    assert model.name in page.text
    until(lambda: serving(shop) != before, 90)
    print(f"a head on the promoted model after {time.monotonic() - begun:.1f} s")
    until(lambda: not Job.objects.live().exists(), 120)
    promoted = serving(shop)
    assert promoted is not None and promoted.encoder == model
    new = suggestions_of(shop)
    assert new != old, "what the API answers comes from it"

    begun = time.monotonic()
    press(admin, page, "/rollback/")
    until(lambda: serving(shop) != promoted, 90)
    print(f"back after {time.monotonic() - begun:.1f} s")
    until(lambda: not Job.objects.live().exists(), 120)
    back = serving(shop)
    assert back is not None and back.encoder is None
    assert suggestions_of(shop) == old, "the former answers as before"
    states = set(Job.objects.exclude(state=Job.State.DONE).values_list("kind", "state"))
    assert states == {("train", "cancelled")}
