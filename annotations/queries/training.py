"""Training runs and models, as pages and the API show them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
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


def folders_here(catalogue: Catalogue) -> list[tuple[str, Path]]:
    """Name and folder of each full model whose files lie on this machine, newest first: a plan names such a folder."""
    named = ((model.name, Path(settings.MODELS_ROOT) / model.path) for model in models(catalogue) if model.path)
    return [(name, folder) for name, folder in named if folder.is_dir()]


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


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Where a model comes from and what it is made of. ``size`` in bytes; 0 when its files are gone."""

    data_hash: str
    decisions: int
    products: int
    base: str
    licence: str
    seed: int | None
    libraries: dict[str, str]
    plan: dict[str, Any]
    size: int
    heads: int


def model_card(model: ModelVersion) -> ModelCard:
    """From the row, its run, and the sizes that its bundle states. Two queries."""
    run = TrainingRun.objects.filter(model_version=model).first()
    told = model.card
    return ModelCard(
        data_hash=str((run.data_hash if run else "") or told.get("data", "")),
        decisions=run.decision_count if run else 0,
        products=run.product_count if run else 0,
        base=str(told.get("base", "")),
        licence=str(told.get("licence", "")),
        seed=told.get("seed"),
        libraries=dict(told.get("libraries") or {}),
        plan=dict(told.get("plan") or {}),
        size=_bundle_bytes(Path(settings.MODELS_ROOT) / model.path) if model.path else 0,
        heads=model.heads.count(),  # type: ignore[attr-defined]
    )


def _bundle_bytes(folder: Path) -> int:
    try:
        files = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))["files"]
        return sum(int(file["bytes"]) for file in files.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0
