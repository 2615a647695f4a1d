"""What follows from decisions: the instant head is refitted and the queue re-ordered, soon and once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from annotations.actions import jobs
from annotations.actions.numbering import create_next
from annotations.models import Catalogue, Job, ModelVersion, Tag, User
from annotations.queries import asking

PROOF_EVERY = 20  # products looked at between two looks at what the order brings
PROOF_LEAST = 12  # blind ones among them, fewer say nothing
READ_AGAIN = timedelta(hours=1)  # after reading failed


def after_decisions(*, catalogue: Catalogue) -> None:
    """At most one refit runs and one waits; a save that finds one waiting adds nothing."""
    if not jobs.touch_waiting(coalesce_key=_refit_key(catalogue)):
        request_refit(catalogue=catalogue)


def anything_to_learn(*, catalogue: Catalogue) -> bool:
    """Whether there is a tag to suggest."""
    return Tag.objects.live().filter(facet__catalogue=catalogue, facet__retired_at=None).exists()


def request_refit(*, catalogue: Catalogue, user: User | None = None) -> Job:
    return jobs.enqueue(kind="refit", queue="ml", catalogue=catalogue, user=user, coalesce_key=_refit_key(catalogue))


def _refit_key(catalogue: Catalogue) -> str:
    return f"refit:{catalogue.pk}"


def request_calibration(*, catalogue: Catalogue) -> Job:
    """Calibrate anew in the background: at most one runs and one waits."""
    return jobs.enqueue(kind="calibrate", queue="ml", catalogue=catalogue, coalesce_key=f"calibrate:{catalogue.pk}")


def request_reading(*, catalogue: Catalogue) -> Job | None:
    """Have the encoders read what they have not; None after a failure, which is not tried again at every decision."""
    key = f"read:{catalogue.pk}"
    failed = Job.objects.filter(coalesce_key=key, state=Job.State.FAILED, finished_at__gt=timezone.now() - READ_AGAIN)
    if failed.exists():
        return None
    return jobs.enqueue(kind="read", queue="ml", catalogue=catalogue, coalesce_key=key)


def request_proof(*, catalogue: Catalogue, user: User | None = None) -> Job:
    """Measure what the order of the queue has brought."""
    params = {"seen": asking.decided_counts(catalogue)[0]}
    key = f"proof:{catalogue.pk}"
    return jobs.enqueue(kind="proof", queue="ml", catalogue=catalogue, user=user, params=params, coalesce_key=key)


def request_second_look(*, catalogue: Catalogue, user: User | None = None) -> Job:
    """List the decisions that the model finds unlikely."""
    key = f"second_look:{catalogue.pk}"
    return jobs.enqueue(kind="second_look", queue="ml", catalogue=catalogue, user=user, coalesce_key=key)


def proof_when_due(*, catalogue: Catalogue) -> Job | None:
    """Measure anew when PROOF_EVERY more products, or a twentieth, were looked at since the last time."""
    seen, blind = asking.decided_counts(catalogue)
    last = asking.latest_proof(catalogue)
    before = int(last.params.get("seen", 0)) if last else 0
    due = blind >= PROOF_LEAST and seen - before >= max(PROOF_EVERY, seen // 20)
    return request_proof(catalogue=catalogue) if due else None


def request_score(*, catalogue: Catalogue, everything: bool = False, user: User | None = None) -> Job:
    """Store fresh suggestions for what waits, or for every product."""
    key = f"score:{catalogue.pk}:{'all' if everything else 'waiting'}"
    params = {"everything": everything}
    return jobs.enqueue(kind="score", queue="ml", catalogue=catalogue, user=user, params=params, coalesce_key=key)


def new_version(*, catalogue: Catalogue, tier: str, **fields: Any) -> ModelVersion:
    """The catalogue's next model."""
    return create_next(ModelVersion, catalogue=catalogue, tier=tier, **fields)


def adopt_instant(
    *,
    catalogue: Catalogue,
    path: str,
    sha256: str,
    metrics: dict[str, Any],
    card: dict[str, Any],
    decided_seq: int,
    encoder: ModelVersion | None,
    promoted: int | None,
) -> ModelVersion | None:
    """Make a refitted head the one that suggests. Call inside the transaction that fences the job.

    promoted: the full model that was promoted when the fit began; where it is another one now, nothing is done: None
    """
    now = timezone.now()
    fresh = Catalogue.objects.only("encoder", "serving").get(pk=catalogue.pk)
    if fresh.encoder_id != promoted:
        return None
    catalogue.serving_id = fresh.serving_id
    ModelVersion.objects.filter(pk=catalogue.serving_id or 0, state=ModelVersion.State.PROMOTED).update(
        state=ModelVersion.State.RETIRED
    )
    model = new_version(
        catalogue=catalogue, tier=ModelVersion.Tier.INSTANT, state=ModelVersion.State.PROMOTED, path=path,
        sha256=sha256, metrics=metrics, card=card, decided_seq=decided_seq, encoder=encoder, promoted_at=now,
    )  # fmt: skip
    Catalogue.objects.filter(pk=catalogue.pk).update(serving=model)
    catalogue.serving = model
    return model
