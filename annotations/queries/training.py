"""Training runs and models, as pages and the API show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from annotations.models import Catalogue, ModelVersion, TrainingRun
from annotations.queries.jobs import JobStatus, job_status


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run with what its job says now."""

    run: TrainingRun
    job: JobStatus
    model: ModelVersion | None

    @property
    def started_at(self) -> datetime:
        return self.run.created_at


def run_rows(catalogue: Catalogue) -> list[RunRow]:
    """Newest first."""
    runs = catalogue.training_runs.select_related("job", "user", "model_version")  # type: ignore[attr-defined]
    return [run_row(run) for run in runs]


def run_row(run: TrainingRun) -> RunRow:
    return RunRow(run, job_status(run.job), run.model_version)


def models(catalogue: Catalogue, tier: str = ModelVersion.Tier.FULL) -> QuerySet[ModelVersion]:
    """Newest first; not those that were thrown away."""
    found: QuerySet[ModelVersion] = ModelVersion.objects.filter(catalogue=catalogue, tier=tier)
    return found.exclude(state=ModelVersion.State.DISCARDED).select_related("training_run")


def models_of(catalogue: Catalogue) -> QuerySet[ModelVersion]:
    """Of both tiers, in no order yet; not those that were thrown away."""
    found = ModelVersion.objects.filter(catalogue=catalogue).exclude(state=ModelVersion.State.DISCARDED)
    return found.select_related("encoder")


def model_numbered(catalogue: Catalogue, number: int) -> ModelVersion | None:
    return models_of(catalogue).filter(number=number).first()


def runs_of(catalogue: Catalogue) -> QuerySet[TrainingRun]:
    """In no order yet."""
    return TrainingRun.objects.filter(catalogue=catalogue).select_related("job", "model_version")


def run_numbered(catalogue: Catalogue, number: int) -> TrainingRun | None:
    return runs_of(catalogue).filter(number=number).first()


def in_use(catalogue: Catalogue) -> dict[str, ModelVersion | None]:
    """``serving``: the instant head that suggests; ``encoder``: the full model under it, none for the packaged ones."""
    fresh = Catalogue.objects.select_related("serving", "encoder").get(pk=catalogue.pk)
    return {"serving": fresh.serving, "encoder": fresh.encoder}
