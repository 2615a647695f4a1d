"""The training page: who may start what, what a report says, how a curve is drawn."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotations.actions import jobs
from annotations.models import Job, ModelVersion, TrainingRun
from annotations.queries.training_estimate import estimate
from annotations.queries.training_report import Drawing, curve_points, drawing, report_of
from annotations.templatetags import figures
from tests.annotations.conftest import World

POSTS = (
    "training_start",
    "training_cancel",
    "training_pause",
    "training_resume",
    "model_promote",
    "model_discard",
    "model_rollback",
)


def measure(value: float, spread: float = 0.03) -> dict[str, float]:
    return {"value": value, "low": value - spread, "high": value + spread}


def side(f1: float) -> dict[str, Any]:
    return {"precision": measure(f1 + 0.02), "recall": measure(f1 - 0.02), "f1": measure(f1)}


def facet(name: str, current: float, candidate: float, spread: float = 0.03) -> dict[str, Any]:
    return {
        "facet": name, "decided": 120, "approved": 60, "current": side(current), "candidate": side(candidate),
        "f1_gain": measure(candidate - current, spread),
    }  # fmt: skip


def a_report(world: World) -> dict[str, Any]:
    flip = {"current_score": 0.7, "candidate_score": 0.2, "current": True, "candidate": False, "approved": True}
    return {
        "measured_on": "held_out",
        "metrics": {"primary": 0.8, "micro_f1": 0.8, "products": 40},
        "comparison": {
            "products": 40, "families": 31, "overall": facet("overall", 0.75, 0.8),
            "facets": [facet("colour", 0.7, 0.82, 0.05), facet("material", 0.79, 0.77)],
            "macro": {"tags": 6, **{k: v for k, v in facet("", 0.5, 0.6).items() if k != "facet"}},
            "blind": {"products": 9, "families": 8, "overall": facet("overall", 0.7, 0.71), "flips": []},
            "tags": [
                {"facet": "colour", "tag": "black", "decided": 30, "approved": 12, "f1_gain": measure(-0.02),
                 **{side: {"precision": 0.9, "recall": 0.8, "f1": 0.847} for side in ("current", "candidate")}},
            ],
            "calibration": {
                **{side: {"ece": measure(0.05), "brier": measure(0.1)} for side in ("current", "candidate")},
                "ece_change": {"value": -0.02, "low": -0.03, "high": -0.01}, "brier_change": measure(0.0),
            },
            "latency_ms": {"current": 8.2, "candidate": 9.1}, "bytes": {"current": 90e6, "candidate": 91e6},
            "outputs": [{"product": "P-0", "current": [["colour", "red"]], "candidate": [["colour", "black"]]}],
            "wins": {"colour": 5}, "losses": {"material": 2},
            "flips": [
                {"product": "P-0", "facet": "material", "tag": "wool", "right": False, **flip},
                {"product": "gone", "facet": "colour", "tag": "teal", "right": True, **flip, "approved": False},
            ],
        },
    }  # fmt: skip


def a_run(world: World, state: str = "done", **more: Any) -> TrainingRun:
    number = TrainingRun.objects.count() + 1
    job = Job.objects.create(
        kind="train", queue="ml", catalogue=world.catalogue, state=state, log="21:04:11 data\n21:05:02 epoch 1",
        step="tags: epoch 2 of 12", done_count=40, total_count=120, rate=2.0,
    )  # fmt: skip
    return TrainingRun.objects.create(
        catalogue=world.catalogue, job=job, number=number, user=world.people["admin"], decision_count=48,
        product_count=20, decided_seq=99, plan={"preset": "quick", "base": "packaged-minilm"}, **more,
    )  # fmt: skip


def a_model(world: World, state: str = "candidate") -> ModelVersion:
    number = ModelVersion.objects.count() + 1
    return ModelVersion.objects.create(
        catalogue=world.catalogue, number=number, tier="full", state=state, path=f"full/{number}",
        metrics={"primary": 0.8},
    )  # fmt: skip


CURVE = [
    {"stage": "tags", "step": 10 * n, "epoch": n, "loss": 0.5 / n, **({"val": {"primary": 0.5 + 0.03 * n}} if n % 2 else {})}
    for n in range(1, 9)
]  # fmt: skip


def as_(world: World, name: str = "admin") -> Client:
    client = Client()
    client.force_login(world.people[name])
    return client


def url(name: str, *more: Any) -> str:
    return reverse(name, args=["shop", *more])


def test_a_curve_is_drawn_inside_its_box() -> None:
    drawn = drawing(curve_points(CURVE))
    assert drawn is not None
    for line in (drawn.loss, drawn.val):
        spots = [tuple(map(float, spot.split(","))) for spot in line.points.split()]
        assert all(Drawing.LEFT <= x <= Drawing.RIGHT and Drawing.TOP <= y <= Drawing.BOTTOM for x, y in spots)
    assert (drawn.loss.first, drawn.loss.last) == (0.5, 0.0625)
    assert len(drawn.val.points.split()) == 4, "validations only where there were any"


def test_a_curve_of_one_point_or_of_nonsense_is_not_drawn() -> None:
    assert drawing([]) is None
    assert drawing(curve_points([{"step": 1, "loss": 1.0}])) is None
    assert drawing(curve_points([{"step": 1, "loss": None}, {"step": 2, "loss": float("nan")}])).loss is None


def test_numbers_as_people_read_them() -> None:
    assert [figures.duration(s) for s in (0, 40, 89, 700, 12000)] == ["0 s", "40 s", "89 s", "12 min", "3 h 20 min"]
    assert [figures.pace(r) for r in (0, 12.5, 0.125, 0.01)] == ["", "12.5 steps/s", "8 s a step", "2 min a step"]
    assert (figures.percent(0.8), figures.percent(None), figures.percent("")) == ("80.0", "–", "–")


def test_stages_are_not_drawn_into_one_another() -> None:
    pretrained = [{"stage": "pretrain", "step": n, "loss": 9.0} for n in range(1, 4)]
    drawn = drawing(curve_points(pretrained + CURVE))
    assert (drawn.stage, drawn.loss.first) == ("tags", 0.5)


def test_a_report_names_what_may_be_worse(world: World) -> None:
    report = report_of(a_run(world, report=a_report(world)))
    assert report.worse == ["Material"]
    assert [(f.label, f.tone, f.right, f.wrong) for f in report.facets] == [
        ("Colour", "up", 5, 0),
        ("Material", "", 0, 2),
    ]
    assert report.lost == 1
    assert report.flips[0].product == world.products[0]
    assert (report.flips[1].product, report.flips[1].tag) == (None, "teal"), "what is gone is named as it was"


def test_a_facet_with_nothing_to_find_has_no_score_and_comes_last(world: World) -> None:
    said = a_report(world)
    said["comparison"]["facets"].insert(0, {"facet": "fit", "decided": 40, "approved": 0, **side(0.0), "current": side(0.0), "candidate": side(0.0)})  # fmt: skip
    report = report_of(a_run(world, report=said))
    assert [f.label for f in report.facets] == ["Colour", "Material", "fit"]
    last = report.facets[-1]
    assert (last.precision, last.recall, last.f1, last.gain, last.tone) == (None, None, None, None, "")


def test_a_first_report_has_nothing_to_compare_with(world: World) -> None:
    said = {
        "metrics": {"micro_f1": 0.7, "micro_f1_interval": [0.6, 0.8], "micro_precision": 0.8, "micro_recall": 0.6, "products": 9},
        "facets": [{"facet": "colour", "decided": 9, "approved": 5, **side(0.7)}],
    }  # fmt: skip
    report = report_of(a_run(world, report=said))
    assert not report.compared
    assert (report.overall.f1.low, report.overall.f1.high) == (0.6, 0.8)
    assert report.facets[0].gain is None


def test_the_page_shows_run_report_and_models(world: World) -> None:
    model = a_model(world)
    a_run(world, report=a_report(world), curve=CURVE, model_version=model)
    html = as_(world).get(url("training")).content.decode()
    assert "<polyline" in html
    assert "+12.0 (7.0 to 17.0)" in html
    assert "−2.0 (−5.0 to 1.0)" in html
    assert "Material may be worse." in html
    assert "1 approved tag would be missed." in html
    assert reverse("model_promote", args=["shop", model.number]) in html
    assert " style=" not in html


def test_viewers_look_and_do_not_touch(world: World) -> None:
    a_run(world, report=a_report(world), model_version=a_model(world))
    html = as_(world, "viewer").get(url("training")).content.decode()
    assert "Run 1" in html
    assert '<form method="post" action="/c/' not in html


def test_a_started_run_waits_for_a_worker(world: World) -> None:
    world.decide(world.products[0], black="accept")
    page = as_(world)
    answer = page.post(url("training_start"), {"base": "packaged-minilm", "preset": "quick", "epochs": "3"})
    run = TrainingRun.objects.get()
    assert answer["Location"] == url("training_run", run.number)
    assert run.plan == {"preset": "quick", "base": "packaged-minilm", "epochs": 3}
    html = page.get(answer["Location"]).content.decode()
    assert url("training_live", run.number) in html
    assert "waiting" in html
    page.post(url("training_cancel", run.number))
    run.job.refresh_from_db()
    assert run.job.state == "cancelled"


def test_what_it_computes_on_and_from_what_is_shown(world: World) -> None:
    device = {"device": "cpu", "name": "Abacus 3", "threads": 2, "precision": "fp32", "peak": 2**30, "memory": 2**33}
    a_run(world, "running", data_hash="0123456789abcdef", device=device, reason="decisions")
    html = as_(world, "viewer").get(url("training")).content.decode()
    for words in ("0123456789ab<", "Abacus 3", "2 threads", "1.0\xa0GB", "of 8.0\xa0GB", "after so many new decisions"):
        assert words in html, words


def test_a_run_that_waits_says_for_what(world: World) -> None:
    waiting = a_run(world, "queued")
    Job.objects.filter(pk=waiting.job_id).update(needs="train", coalesce_key="train:1")
    page = as_(world, "viewer")

    def shown() -> str:
        return str(page.get(url("training_run", waiting.number)).content.decode())

    assert "no worker for learning is alive" in shown()
    jobs.beat(name="a", queues=["ml"])
    assert "no worker that is alive trains" in shown()
    jobs.beat(name="a", queues=["ml"], slots=["box/gpu0"])
    assert "waiting for the worker" in shown()
    other = a_run(world, "running")
    Job.objects.filter(pk=other.job_id).update(slot="box/gpu0")
    assert "everything to train on is busy" in shown()
    Job.objects.filter(pk=other.job_id).update(coalesce_key="train:1")
    assert f"until run {other.number} has ended" in shown()


def test_how_long_it_would_take_is_judged_by_a_run_like_it(world: World) -> None:
    plan = {"base": "packaged-minilm", "freeze": "embeddings", "tuning": "full", "max_length": 128}
    begun = timezone.now()
    run = a_run(
        world, report={"plan": plan, "data": {"train": 100}, "validations": [{"epoch": 11}]},
        device={"name": "Abacus", "stages": {"tags": {"rate": 12.0, "tokens_per_s": 300.0}}},
    )  # fmt: skip
    Job.objects.filter(pk=run.job_id).update(attempts=1, started_at=begun, finished_at=begun + timedelta(seconds=130))
    wanted = {**plan, "epochs": 10, "heldout_share": 0.2, "validation_share": 0.25, "pretrain_steps": 0}
    found = estimate(world.catalogue, wanted, 200)
    # 120 to train on, ten times, 12 a second; and the 30 s that the other took around its 1200 products
    assert found is not None and (found.seconds, found.number) == (pytest.approx(100 + 30), run.number)
    assert estimate(world.catalogue, {**wanted, "freeze": "none"}, 200) is None, "another speed"
    assert estimate(world.catalogue, {**wanted, "pretrain_steps": 5}, 200) is None
    world.decide(world.products[0], black="accept")
    assert "going by run 1 (Abacus)" in as_(world).get(url("training")).content.decode()


def test_a_run_is_paused_and_resumed_from_its_page(world: World) -> None:
    run, page = a_run(world, "queued"), as_(world)

    def shown() -> str:
        return str(page.get(url("training_run", run.number)).content.decode())

    assert url("training_pause", run.number) in shown() and url("training_resume", run.number) not in shown()
    page.post(url("training_pause", run.number))
    html = shown()
    assert url("training_resume", run.number) in html and "It rests" in html
    assert url("training_live", run.number) not in html, "nothing happens, so nothing is asked for"
    page.post(url("training_resume", run.number))
    run.job.refresh_from_db()
    assert run.job.state == "queued" and url("training_pause", run.number) in shown()


@pytest.mark.parametrize(
    ("sent", "plan"),
    [
        ({"base": "catalogue", "preset": "quick"}, {"preset": "quick", "base": "catalogue", "pretrain_steps": 600, "freeze": "none"}),
        (
            {"base": "catalogue", "preset": "pretrain-first", "device": "cpu", "tuning": "full", "patience": "0"},
            {"preset": "pretrain-first", "base": "catalogue", "device": "cpu", "patience": 0},
        ),
        ({"base": "path", "path": " /m/bert ", "preset": "thorough"}, {"preset": "thorough", "base": "/m/bert"}),
    ],
)  # fmt: skip
def test_choices_become_a_plan(world: World, sent: dict[str, str], plan: dict[str, Any]) -> None:
    as_(world).post(url("training_start"), sent)
    assert TrainingRun.objects.get().plan == plan


@pytest.mark.parametrize("bad", [{"base": "path"}, {"epochs": "-1"}, {"preset": "magic"}, {"learning_rate": "fast"}])
def test_a_wrong_choice_is_said_where_it_is(world: World, bad: dict[str, str]) -> None:
    answer = as_(world).post(url("training_start"), {"base": "packaged-minilm", "preset": "quick", **bad})
    assert answer.status_code == 422
    assert "errorlist" in answer.content.decode()
    assert not TrainingRun.objects.exists()


def test_the_watched_fragment_ends_with_a_reload(world: World) -> None:
    run = a_run(world, "running", curve=CURVE)
    page = as_(world, "viewer")
    answer = page.get(url("training_live", run.number))
    assert "HX-Refresh" not in answer
    assert "tags: epoch 2 of 12 · 33 %" in answer.content.decode()
    Job.objects.filter(pk=run.job_id).update(state="failed", error="Not enough memory.")
    answer = page.get(url("training_live", run.number))
    assert answer["HX-Refresh"] == "true"
    assert "Not enough memory." in answer.content.decode()


def test_promote_roll_back_discard(world: World) -> None:
    first, second = a_model(world), a_model(world)
    page = as_(world)
    page.post(url("model_promote", first.number))
    world.catalogue.refresh_from_db()
    assert world.catalogue.encoder == first
    page.post(url("model_promote", second.number))
    page.post(url("model_rollback"))
    world.catalogue.refresh_from_db()
    assert world.catalogue.encoder == first
    page.post(url("model_discard", second.number))
    second.refresh_from_db()
    assert second.state == "discarded"
    assert page.post(url("model_promote", second.number)).status_code == 409


@pytest.mark.parametrize("name", POSTS)
def test_only_admins_act(world: World, name: str) -> None:
    run, model = a_run(world, "queued"), a_model(world)
    runs = {name: [run.number] for name in ("training_cancel", "training_pause", "training_resume")}
    number = {**runs, "model_promote": [model.number], "model_discard": [model.number]}
    target = url(name, *number.get(name, []))
    assert as_(world, "lead").post(target).status_code == 403
    assert as_(world).get(target).status_code == 405
    assert Client().post(target).status_code == 302


def test_the_page_costs_the_same_queries_however_many_runs(world: World, django_assert_max_num_queries: Any) -> None:
    page = as_(world)
    for _ in range(6):
        a_run(world, report=a_report(world), model_version=a_model(world, "retired"))
    with django_assert_max_num_queries(32):
        page.get(url("training"))


def test_a_report_has_means_blind_products_tags_calibration_latency_and_size(world: World) -> None:
    run = a_run(world, report=a_report(world))
    report = report_of(run)
    assert report is not None and report.macro is not None and report.blind is not None
    assert (report.macro.f1.value, report.blind.f1.value, report.blind_products) == (0.6, 0.71, 9)
    assert [(t.label, t.decided) for t in report.tags] == [("Colour: Black", 30)]
    assert [(t.unit, t.tone) for t in report.traits] == [("share", "up"), ("share", ""), ("ms", ""), ("bytes", "")]
    page = as_(world, "reviewer").get(url("training_run", run.number)).content.decode()
    for words in ("mean over tags", "the 9 blind products", "Brier score", "9.1 ms", "Colour: Black", "Judge outputs"):
        assert words in page, words
    assert "Judge outputs" not in as_(world, "viewer").get(url("training_run", run.number)).content.decode()
