"""Which files of full models, runs and searches are no longer kept."""

from __future__ import annotations

from annotations.models import Catalogue, Job, ModelVersion, PlanSearch, TrainingRun

State = ModelVersion.State


def will_go(catalogue: Catalogue, kept: int | None = None) -> list[ModelVersion]:
    """Full models beyond the newest ``kept`` (the catalogue's own number), oldest first.

    Never the one in use, the one that a rollback would go to, one that a head in use (or one that a rollback brings
    back) sits on, nor one whose run has not ended.
    """
    fresh = Catalogue.objects.select_related("encoder__replaced", "serving").get(pk=catalogue.pk)
    full = ModelVersion.objects.filter(catalogue=catalogue, tier=ModelVersion.Tier.FULL)
    there = full.filter(state__in=(State.CANDIDATE, State.RETIRED)).order_by("-number")
    spared = {fresh.encoder_id, former_id(fresh)}
    for head in (fresh.serving, fresh.encoder.replaced if fresh.encoder else None):
        spared.add(head.encoder_id if head else None)
    old = [model for model in there if model.pk not in spared][fresh.models_kept if kept is None else kept :]
    return old[::-1]


def former_id(catalogue: Catalogue) -> int | None:
    """The full model that a rollback would go to."""
    now = catalogue.encoder
    if now is None:
        return None
    before = ModelVersion.objects.filter(
        catalogue=catalogue, tier=ModelVersion.Tier.FULL, state=State.RETIRED, promoted_at__lt=now.promoted_at
    )
    return before.order_by("-promoted_at").values_list("pk", flat=True).first()


def runs_not_kept(catalogue: Catalogue) -> list[TrainingRun]:
    """Runs whose snapshot and log nobody needs: ended, beyond the newest of the catalogue's number, and their model, where
    one came of them, is no longer kept either."""
    ended = TrainingRun.objects.filter(catalogue=catalogue).exclude(job__state__in=Job.LIVE).order_by("-number")
    rows = ended.select_related("model_version")[_kept(catalogue) :]
    return [run for run in rows if run.model_version is None or run.model_version.state == State.DISCARDED]


def searches_not_kept(catalogue: Catalogue) -> list[PlanSearch]:
    """Searches of which no trial waits, runs or rests any more, beyond the newest of the catalogue's number. What they
    found is in their rows; the folder has only what they learned from."""
    live = Job.objects.live().filter(search_trial__search__catalogue=catalogue)
    ended = PlanSearch.objects.filter(catalogue=catalogue).exclude(trials__job__in=live).order_by("-number")
    return list(ended[_kept(catalogue) :])


def jobs_that_ended(keys: set[str]) -> set[str]:
    """Those of these jobs, by primary key, that are live no more, or are gone."""
    return keys - {str(pk) for pk in Job.objects.live().filter(pk__in=keys).values_list("pk", flat=True)}


def _kept(catalogue: Catalogue) -> int:
    return Catalogue.objects.values_list("models_kept", flat=True).get(pk=catalogue.pk)
