"""A reader's catalogues at a glance: what is there, what waits, what comes next."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, QuerySet

from annotations.models import Catalogue, Decision, Job, Membership, ModelVersion, QueueItem, Role, Tag, User
from annotations.queries.progress import by_status, midnight

Status = QueueItem.Status


@dataclass(frozen=True, slots=True)
class Overview:
    """``left`` products want a decision, ``decided`` have all theirs; ``today`` are the reader's own since midnight."""

    catalogue: Catalogue
    role: Role
    products: int
    decided: int
    left: int
    conflicts: int
    today: int
    tags: int
    working: int
    model: ModelVersion | None
    candidate: ModelVersion | None

    @property
    def next_step(self) -> str:
        """What this catalogue needs most: products, tags, a model, decisions, or nothing (done)."""
        if not self.products:
            return "products"
        if not self.tags:
            return "tags"
        if not self.left:
            return "done"
        return "review" if self.model else "model"

    @property
    def may_review(self) -> bool:
        return self.role.rank >= Role.REVIEWER.rank

    @property
    def may_lead(self) -> bool:
        return self.role.rank >= Role.LEAD.rank


def overviews(user: User) -> list[Overview]:
    """The user's catalogues by name. The number of queries grows with nothing."""
    memberships = list(
        Membership.objects.filter(user=user)
        .select_related("catalogue__serving", "catalogue__encoder")
        .order_by("catalogue__name", "catalogue_id")
    )
    ids = [m.catalogue_id for m in memberships]
    counts = by_status(ids)
    working = _counts(Job.objects.live().filter(catalogue__in=ids))
    tags = dict(
        Tag.objects.live()
        .filter(facet__catalogue__in=ids, facet__retired_at=None)
        .order_by()
        .values_list("facet__catalogue")
        .annotate(n=Count("id"))
    )
    mine = Decision.objects.filter(catalogue__in=ids, reviewer=user, decided_at__gte=midnight())
    today = dict(
        mine.exclude(verdict="undo").order_by().values_list("catalogue").annotate(n=Count("product", distinct=True))
    )
    candidates: dict[int, ModelVersion] = {}
    waiting = ModelVersion.objects.filter(
        catalogue__in=ids, tier=ModelVersion.Tier.FULL, state=ModelVersion.State.CANDIDATE
    )
    for model in waiting.order_by("number"):
        candidates[model.catalogue_id] = model
    return [
        Overview(
            catalogue=m.catalogue,
            role=Role(m.role),
            products=sum(n for (catalogue, _status), n in counts.items() if catalogue == m.catalogue_id),
            decided=counts.get((m.catalogue_id, Status.DONE), 0),
            left=sum(counts.get((m.catalogue_id, status), 0) for status in QueueItem.WAITING),
            conflicts=counts.get((m.catalogue_id, Status.CONFLICT), 0),
            today=today.get(m.catalogue_id, 0),
            tags=tags.get(m.catalogue_id, 0),
            working=working.get(m.catalogue_id, 0),
            model=m.catalogue.serving or m.catalogue.encoder,
            candidate=candidates.get(m.catalogue_id),
        )
        for m in memberships
    ]


def _counts(rows: QuerySet) -> dict[int, int]:
    return dict(rows.order_by().values_list("catalogue").annotate(n=Count("pk")))
