"""Training through the API: what may be asked of runs and models, by whom, and what is said when it cannot be."""

from __future__ import annotations

import pytest
from django.utils import timezone

from annotations.models import Job, ModelVersion
from tests.annotations.api.test_auth import is_problem


@pytest.fixture
def models(world):
    def make(number, tier="full", state="candidate", **more):
        return ModelVersion.objects.create(
            catalogue=world.catalogue, number=number, tier=tier, state=state, path=f"x/{number}", **more
        )

    return [make(1), make(2), make(3, tier="instant", state="promoted"), make(4, state="discarded")]


def test_a_run_is_asked_for_watched_and_stopped(world, admin, viewer):
    asked = admin.post("training-runs/", {"plan": {"epochs": 1}})
    assert asked.status_code == 202
    run = asked.json()
    assert (run["id"], run["plan"], run["job"]["state"]) == (1, {"epochs": 1}, "queued")
    assert admin.post("training-runs/", {}).json()["id"] == 1, "one waits, whatever is asked"
    assert viewer.get("training-runs/1/").json()["job"]["kind"] == "train"
    assert [r["id"] for r in viewer.get("training-runs/").json()["results"]] == [1]
    assert admin.post("training-runs/1/pause/").json()["job"]["state"] == "paused"
    assert admin.post("training-runs/1/resume/").json()["job"]["state"] == "queued"
    assert admin.post("training-runs/1/cancel/").json()["job"]["state"] == "cancelled"
    assert Job.objects.get(kind="train").state == "cancelled"
    is_problem(admin.post("training-runs/9/cancel/"), 404, "not_found")
    is_problem(admin.post("training-runs/", {"plan": "quick"}), 400, "invalid")


def test_promote_and_back(world, admin, viewer, models):
    assert [m["id"] for m in viewer.get("models/").json()["results"]] == [1, 2, 3]
    assert admin.post("models/1/promote/").json()["encoder"]["name"] == "full-1"
    assert admin.post("models/2/promote/").json()["encoder"]["id"] == 2
    is_problem(admin.post("models/2/promote/"), 409, "model_state")
    is_problem(admin.post("models/1/rollback/"), 409, "not_in_use")
    assert admin.post("models/2/rollback/").json()["encoder"]["id"] == 1
    assert admin.post("models/rollback/").json()["encoder"] is None
    is_problem(admin.post("models/rollback/"), 422, "nothing_promoted")
    is_problem(admin.post("models/3/promote/"), 422, "tier")
    is_problem(admin.post("models/4/promote/"), 404, "not_found")


def test_training_needs_its_scope_and_an_admin(world, lead, models):
    from tests.annotations.api.conftest import program

    is_problem(lead.post("training-runs/", {}), 403, "role")
    is_problem(lead.post("models/1/promote/"), 403, "role")
    is_problem(program(world.people["admin"], "review", "import").post("models/1/promote/"), 403, "scope")
    assert not ModelVersion.objects.filter(promoted_at__lte=timezone.now()).exists()
