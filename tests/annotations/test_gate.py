"""The gate: what it lets through, what it holds back and why, and the reason with which a person goes past it."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from annotations.actions import training
from annotations.actions.errors import Refused
from annotations.models import AuditEvent, Catalogue, Event, Job, ModelVersion, TrainingRun
from annotations.queries.gate import Gate, judged, objections_to
from ml.evaluation.compare import Answers, compare
from ml.examples import targets
from tests.ml.tiny import examples, schema

from .conftest import World, build_world
from .test_registry import at


def comparison(low: float = -0.005, facet: float = 0.0, took: float | None = 20.0, **more: Any) -> dict[str, Any]:
    gain = {"value": 0.01, "low": low, "high": 0.04}
    facets = [{"facet": "colour", "f1_gain": {"value": facet, "low": facet - 0.1, "high": facet + 0.1}}]
    return {"overall": {"f1_gain": gain}, "facets": facets, "latency_ms": {"current": 9.0, "candidate": took}, **more}


def blind(low: float, high: float, families: int) -> dict[str, Any]:
    gain = {"value": (low + high) / 2, "low": low, "high": high}
    return {"overall": {"f1_gain": gain}, "products": 2 * families, "families": families}


@pytest.mark.parametrize(
    ("told", "codes"),
    [
        (comparison(blind=None), []),
        (comparison(blind=blind(-0.3, 0.2, 12)), []),  # few: it can't be told whether it is worse
        (comparison(blind=blind(-0.3, -0.01, 12)), ["blind"]),  # few, and worse all the same
        (comparison(blind=blind(-0.011, 0.2, 100)), ["blind"]),  # many: not shown to be not worse
        (comparison(blind=blind(-0.009, -0.001, 100)), []),  # many, and within the margin
        (comparison(low=-0.2, blind=blind(-0.3, -0.1, 12)), ["overall", "blind"]),
        (comparison(), []),
        (comparison(low=-0.0101), ["overall"]),
        (comparison(facet=-0.0201), ["facet"]),
        (comparison(facet=-0.02), []),
        (comparison(regressed=[{"facet": "colour", "tag": "red", "lost": 9, "won": 0, "p": 0.01}]), ["tag"]),
        (comparison(took=100.1), ["latency"]),
        (comparison(took=None), []),
        (comparison(low=-0.2, facet=-0.3, took=900.0), ["overall", "facet", "latency"]),
        (None, ["not_compared"]),
        ({"products": 5}, ["not_compared"]),
    ],
)
def test_what_it_objects_to(told: dict[str, Any] | None, codes: list[str]) -> None:
    found = judged(told, Gate(), {"colour": "Farbe"})
    assert [o.code for o in found] == codes
    assert all("Farbe" in o.message for o in found if o.code in ("facet", "tag"))


def candidate(world: World, told: dict[str, Any] | None) -> ModelVersion:
    model = ModelVersion.objects.create(
        catalogue=world.catalogue, number=ModelVersion.objects.count() + 1, tier="full", path="m"
    )
    job = Job.objects.create(kind="train", queue="ml", catalogue=world.catalogue, state=Job.State.DONE)
    TrainingRun.objects.create(
        catalogue=world.catalogue, job=job, number=model.number, report={"comparison": told}, model_version=model
    )
    return model


@pytest.mark.django_db
def test_a_held_candidate_needs_a_reason_and_the_reason_is_kept() -> None:
    world = build_world()
    world.catalogue.gate = {}
    world.catalogue.save()
    admin = world.people["admin"]
    model = candidate(world, comparison(low=-0.3))
    with pytest.raises(Refused) as refused:
        training.promote(catalogue=world.catalogue, model=model, user=admin, override="  ")
    assert (refused.value.code, refused.value.details["objections"]) == ("gate", ["overall"])
    model.refresh_from_db()
    assert model.state == "candidate"
    training.promote(catalogue=world.catalogue, model=model, user=admin, override="Christmas words matter more")
    said = AuditEvent.objects.get(word=Event.MODEL_PROMOTED).data
    assert said["override"] == "Christmas words matter more" and "worse" in said["objections"][0]

    better = candidate(world, comparison())
    training.promote(catalogue=world.catalogue, model=better, user=admin)
    assert "override" not in AuditEvent.objects.filter(word=Event.MODEL_PROMOTED).first().data  # type: ignore[union-attr]
    model.refresh_from_db()
    assert model.state == "retired" and objections_to(model) == [], "what has served may serve again"
    training.promote(catalogue=world.catalogue, model=model, user=admin)


@pytest.mark.django_db
def test_the_gate_is_set_noted_and_may_be_opened() -> None:
    world = build_world()
    admin = world.people["admin"]
    model = candidate(world, comparison(low=-0.3))
    training.set_gate(catalogue=world.catalogue, user=admin, gate=Gate(margin=0.5))
    assert objections_to(ModelVersion.objects.get(pk=model.pk)) == []
    training.set_gate(catalogue=world.catalogue, user=admin, gate=Gate())
    assert [o.code for o in objections_to(ModelVersion.objects.get(pk=model.pk))] == ["overall"]
    training.set_gate(catalogue=world.catalogue, user=admin, gate=Gate(on=False))
    assert objections_to(ModelVersion.objects.get(pk=model.pk)) == []
    before = AuditEvent.objects.count()
    training.set_gate(catalogue=world.catalogue, user=admin, gate=Gate(on=False))
    assert AuditEvent.objects.count() == before, "nothing changed, nothing noted"
    with pytest.raises(Refused):
        training.set_gate(catalogue=world.catalogue, user=admin, gate=Gate(latency_ms=0))


def test_a_candidate_that_only_pleases_where_models_were_asked_is_held_back() -> None:
    """Better over all held-out products and worse on the random ones of them: the comparison's own words, judged. The
    control, which does not look at these apart, lets it through."""
    decided = examples(400)
    y, known = targets(schema(), decided)
    random = [n for n, e in enumerate(decided) if int(e.group[1:]) % 8 == 0]
    # what is in use is wrong in half of the families that it was asked about; the candidate where nobody asked
    wrong = {side: [n for n in range(400) if (n in random) == (side == "candidate") and n // 2 % 2 == 0] for side in
             ("current", "candidate")}  # fmt: skip

    def answers(side: str) -> Answers:
        scores = y.astype(float)
        scores[wrong[side]] = 0.0
        return Answers(scores, scores >= 0.5)

    def compared(rows: list[int]) -> dict[str, Any]:
        sides = [Answers(a.scores[rows], a.chosen[rows]) for a in (answers("current"), answers("candidate"))]
        some = [decided[n] for n in rows]
        names = {"ids": [e.id for e in some], "families": [e.family for e in some]}
        return compare(schema(), y[rows], known[rows], *sides, draws=200, **names).to_json()

    told = compared(list(range(400)))
    assert told["overall"]["f1_gain"]["low"] > 0
    told = {**told, "regressed": (), "blind": compared(random)}
    assert told["blind"]["overall"]["f1_gain"]["high"] < 0
    assert [o.code for o in judged(told, Gate(), {})] == ["blind"]
    assert judged({**told, "blind": None}, Gate(), {}) == [], "the control"


@pytest.mark.django_db
def test_an_admin_says_from_how_many_blind_families_on() -> None:
    world = build_world()
    admin, address = at(world, "admin"), reverse("training_gate", args=["shop"])
    given = {"on": "on", "margin": "1", "facet_drop": "2", "latency_ms": "100", "blind_families": "30"}
    assert admin.post(address, given).status_code == 302
    assert Gate.of(Catalogue.objects.get()) == Gate(blind_families=30)
    assert 'name="blind_families" inputmode="numeric" required value="30"' in (
        admin.get(reverse("training", args=["shop"])).content.decode()
    )
    assert admin.post(address, {**given, "blind_families": "0"}).status_code == 422
