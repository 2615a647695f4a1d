"""The gate: what it lets through, what it holds back and why, and the reason with which a person goes past it."""

from __future__ import annotations

from typing import Any

import pytest

from annotations.actions import training
from annotations.actions.errors import Refused
from annotations.models import AuditEvent, Event, Job, ModelVersion, TrainingRun
from annotations.queries.gate import Gate, judged, objections_to

from .conftest import World, build_world


def comparison(low: float = -0.005, facet: float = 0.0, took: float | None = 20.0, **more: Any) -> dict[str, Any]:
    gain = {"value": 0.01, "low": low, "high": 0.04}
    facets = [{"facet": "colour", "f1_gain": {"value": facet, "low": facet - 0.1, "high": facet + 0.1}}]
    return {"overall": {"f1_gain": gain}, "facets": facets, "latency_ms": {"current": 9.0, "candidate": took}, **more}


@pytest.mark.parametrize(
    ("told", "codes"),
    [
        (comparison(), []),
        (comparison(low=-0.0101), ["overall"]),
        (comparison(facet=-0.0201), ["facet"]),
        (comparison(facet=-0.02), []),
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
    assert all("Farbe" in o.message for o in found if o.code == "facet")


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
