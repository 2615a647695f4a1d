"""With the packaged encoder wanted, the first refit exports it and suggests with it. Other tests do without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from annotations import bridge
from annotations.actions import learning
from annotations.models import Job
from annotations.tasks.run import run_now
from ml.encoders import packaged
from tests.annotations.conftest import World

pytestmark = [pytest.mark.slow, pytest.mark.torch]


def encoders_after_a_refit(world: World) -> list[Any]:
    """A refit, and what it leaves to the background: exporting the encoder, reading the products, refitting."""
    learning.request_refit(catalogue=world.catalogue)
    while job := Job.objects.live().first():
        job = run_now(job)
        assert job.state == "done", job.error
    world.catalogue.refresh_from_db()
    served = bridge.serving(world.catalogue)
    assert served is not None
    return list(served.model.encoders)


def test_the_packaged_encoder_is_taken_where_it_is_wanted(world: World, settings: Any, tmp_path: Path) -> None:
    if not packaged.is_installed():
        pytest.skip("the extra offline-encoder is not installed")
    settings.MODELS_ROOT = tmp_path
    world.decide(world.products[0], black="accept", wool="accept", complete="colour material")
    assert len(encoders_after_a_refit(world)) == 1
    settings.PACKAGED_ENCODER = True
    assert len(encoders_after_a_refit(world)) == 2
    assert packaged.exported_folder(bridge.encoders_root()).is_dir()
