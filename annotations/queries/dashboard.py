"""A lead's view: what was done and how fast, what is left, who agrees with whom, and where suggestions are taken.

Everything is counted by the database over bounded stretches: turns of the last days, and the last ``WINDOW`` decisions,
so that the page costs the same in a large catalogue as in a small one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import TruncHour
from django.utils import timezone

from annotations.models import (
    Answer,
    Band,
    Catalogue,
    Decision,
    Facet,
    GoldItem,
    ModelVersion,
    Suggestion,
    Turn,
    User,
    Verdict,
    Voice,
)
from annotations.queries.progress import left, midnight

WINDOW = 20_000  # decisions looked back on
DAYS = 7  # of turns
COMPARED = 500  # turns of each kind whose suggestions are compared, blind and not
ANSWERS = 20_000
LEAST = 20  # fewer cases than this make no share worth a warning
RUBBER = 0.10  # taking so much more where chips come checked than where nothing is shown looks like waving through


@dataclass(slots=True)
class Share:
    """``good`` of ``all``; ``value`` None where there is nothing."""

    good: int = 0
    all: int = 0

    @property
    def value(self) -> float | None:
        return self.good / self.all if self.all else None

    def add(self, good: int, every: int) -> None:
        self.good += good
        self.all += every


@dataclass(slots=True)
class Reviewer:
    """One person's turns of the last days; ``checked`` and ``blind``: of the suggestions that the model was sure of,
    those they took, where they came checked and where nothing was shown. ``gold``: known answers they gave."""

    user: User
    turns: int = 0
    today: int = 0
    seconds: float = 0.0
    timed: int = 0
    accepted: Share = field(default_factory=Share)
    checked: Share = field(default_factory=Share)
    blind: Share = field(default_factory=Share)
    gold: Share = field(default_factory=Share)
    below: bool = False

    @property
    def pace(self) -> float | None:
        """Seconds a product."""
        return self.seconds / self.timed if self.timed else None

    @property
    def waves_through(self) -> bool:
        if self.checked.all < LEAST or self.blind.all < LEAST:
            return False
        return (self.checked.value or 0.0) - (self.blind.value or 0.0) > RUBBER


@dataclass(frozen=True, slots=True)
class Dashboard:
    """``hours``: (hour, products decided) of the last 24, oldest first. Shares are of suggestions that were shown."""

    today: int
    hours: tuple[tuple[datetime, int], ...]
    left: int
    seconds: float | None
    reviewers: tuple[Reviewer, ...]
    facets: tuple[tuple[Facet, Share], ...]
    suppliers: tuple[tuple[str, Share], ...]
    models: tuple[tuple[str, Share], ...]

    @property
    def seconds_left(self) -> float | None:
        """At the pace of one person."""
        return self.left * self.seconds if self.seconds is not None else None


def dashboard(catalogue: Catalogue) -> Dashboard:
    """A fixed number of queries, each over a bounded stretch of an index."""
    now = timezone.now()
    turns = Turn.objects.filter(catalogue=catalogue, counts=True, decided_at__gte=now - timedelta(days=DAYS))
    people = _people(turns)
    recent = decisions(catalogue)
    by_facet, by_model = _taken(recent, people)
    _compared(catalogue, people)
    _gold(catalogue, people)
    timed = sum(person.timed for person in people.values())
    facets = {facet.pk: facet for facet in catalogue.facets.live()}  # type: ignore[attr-defined]
    return Dashboard(
        today=sum(person.today for person in people.values()),
        hours=_hours(catalogue, now),
        left=left(catalogue),
        seconds=sum(person.seconds for person in people.values()) / timed if timed else None,
        reviewers=tuple(sorted(people.values(), key=lambda p: (-p.turns, p.user.username))),
        facets=tuple((facet, by_facet[pk]) for pk, facet in facets.items() if pk in by_facet),
        suppliers=_suppliers(recent),
        models=_models(by_model),
    )


def decisions(catalogue: Catalogue):  # type: ignore[no-untyped-def]
    """The last decisions that count for themselves: not those that a panel's agreement wrote, none that was undone."""
    return Decision.objects.filter(
        catalogue=catalogue, seq__gt=catalogue.seq - WINDOW, voice__in=(Voice.ALONE, Voice.VOTE), undone_by=None
    ).order_by()


def _hours(catalogue: Catalogue, now: datetime) -> tuple[tuple[datetime, int], ...]:
    first = timezone.localtime(now).replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    turns = Turn.objects.filter(catalogue=catalogue, counts=True, decided_at__gte=first)
    found = dict(turns.order_by().values_list(TruncHour("decided_at")).annotate(n=Count("pk")))
    return tuple((hour, found.get(hour, 0)) for hour in (first + timedelta(hours=n) for n in range(24)))


def _people(turns) -> dict[int, Reviewer]:  # type: ignore[no-untyped-def]
    rows = turns.order_by().values_list("reviewer").annotate(
        n=Count("pk"), today=Count("pk", filter=Q(decided_at__gte=midnight())),
        seconds=Sum("active_seconds"), timed=Count("active_seconds"),
    )  # fmt: skip
    found = list(rows)
    users = User.objects.in_bulk([row[0] for row in found])
    return {
        pk: Reviewer(users[pk], turns=n, today=today, seconds=seconds or 0.0, timed=timed)
        for pk, n, today, seconds, timed in found
    }


def _taken(recent, people: dict[int, Reviewer]) -> tuple[dict[int, Share], dict[int | None, Share]]:  # type: ignore[no-untyped-def]
    """Shares of shown suggestions that were accepted, by facet and by model; those of each person are added to them."""
    by_facet: dict[int, Share] = {}
    by_model: dict[int | None, Share] = {}
    shown = recent.filter(verdict__in=(Verdict.ACCEPT, Verdict.REJECT), score_shown__isnull=False)
    rows = shown.values_list("facet", "model_version", "reviewer").annotate(
        good=Count("pk", filter=Q(verdict=Verdict.ACCEPT)), every=Count("pk")
    )
    for facet, model, reviewer, good, every in rows:
        by_facet.setdefault(facet, Share()).add(good, every)
        by_model.setdefault(model, Share()).add(good, every)
        if reviewer in people:
            people[reviewer].accepted.add(good, every)
    return by_facet, by_model


def _suppliers(recent) -> tuple[tuple[str, Share], ...]:  # type: ignore[no-untyped-def]
    shown = recent.filter(verdict__in=(Verdict.ACCEPT, Verdict.REJECT), score_shown__isnull=False)
    rows = (
        shown.exclude(product__supplier="")
        .values_list(F("product__supplier"))
        .annotate(good=Count("pk", filter=Q(verdict=Verdict.ACCEPT)), every=Count("pk"))
        .order_by("-every")[:12]
    )
    return tuple((supplier, Share(good, every)) for supplier, good, every in rows)


def _models(by_model: dict[int | None, Share]) -> tuple[tuple[str, Share], ...]:
    names = {model.pk: model.name for model in ModelVersion.objects.filter(pk__in=[m for m in by_model if m])}
    last = sorted((pk for pk in by_model if pk in names), reverse=True)[:8]
    return tuple((names[pk], by_model[pk]) for pk in last if pk is not None)


def _compared(catalogue: Catalogue, people: dict[int, Reviewer]) -> None:
    """Suggestions that the model was sure of, on products decided blind and on products decided with chips checked:
    how many of them the reviewer approved."""
    for blind in (True, False):
        turns = Turn.objects.filter(catalogue=catalogue, counts=True, blind=blind, voice__in=(Voice.ALONE, Voice.VOTE))
        last = list(turns.order_by("-decided_at").values_list("batch", "product", "reviewer")[:COMPARED])
        products = {product for _batch, product, _reviewer in last}
        sure: dict[int, set[int]] = {}
        claims = Suggestion.objects.filter(product__in=products, band__in=(Band.STRONG, Band.LIKELY))
        for product, tag in claims.values_list("product_id", "tag_id"):
            sure.setdefault(product, set()).add(tag)
        approved: dict[tuple[object, int], set[int]] = {}
        said = Decision.objects.filter(
            batch__in=[batch for batch, _p, _r in last], verdict__in=(Verdict.ACCEPT, Verdict.ADD)
        ).exclude(voice=Voice.AGREED)
        for batch, product, tag in said.values_list("batch", "product_id", "tag_id"):
            approved.setdefault((batch, product), set()).add(tag)
        for batch, product, reviewer in last:
            if reviewer in people and (claimed := sure.get(product)):
                share = people[reviewer].blind if blind else people[reviewer].checked
                share.add(len(claimed & approved.get((batch, product), set())), len(claimed))


def _gold(catalogue: Catalogue, people: dict[int, Reviewer]) -> None:
    """An answer on a facet is right when it is the known set."""
    given = Answer.objects.filter(catalogue=catalogue, voice=Voice.GOLD).order_by("-pk")
    rows = list(given.values_list("product_id", "facet_id", "reviewer_id", "tags")[:ANSWERS])
    known = dict(
        GoldItem.objects.filter(product__in={product for product, *_rest in rows}).values_list("product_id", "answer")
    )
    for product, facet, reviewer, tags in rows:
        right = known.get(product, {}).get(str(facet))
        if right is not None and reviewer in people:
            people[reviewer].gold.add(int(sorted(tags) == sorted(right)), 1)
    for person in people.values():
        share = person.gold
        person.below = share.all >= 5 and (share.value or 0.0) < catalogue.gold_threshold


def answer_units(catalogue: Catalogue) -> dict[int, list[dict[int, frozenset[int]]]]:
    """Facet to the answers of each product that several gave one on: reviewer to the tags. The latest ones."""
    rows = Answer.objects.filter(catalogue=catalogue, voice=Voice.VOTE).order_by("-pk")
    units: dict[int, dict[int, dict[int, frozenset[int]]]] = {}
    for facet, product, reviewer, tags in rows.values_list("facet_id", "product_id", "reviewer_id", "tags")[:ANSWERS]:
        units.setdefault(facet, {}).setdefault(product, {})[reviewer] = frozenset(tags)
    return {facet: [unit for unit in products.values() if len(unit) > 1] for facet, products in sorted(units.items())}


def right_so_far(catalogue: Catalogue) -> dict[int, list[bool]]:
    """Facet to whether each suggestion that came checked was accepted, oldest first, of the last decisions."""
    shown = decisions(catalogue).filter(verdict__in=(Verdict.ACCEPT, Verdict.REJECT), blind=False)
    sure = shown.filter(
        Q(tag__threshold__isnull=False, score_shown__gte=F("tag__threshold"))
        | Q(tag__threshold__isnull=True, score_shown__gte=0.5)
    )
    found: dict[int, list[bool]] = {}
    for facet, verdict in sure.order_by("seq").values_list("facet_id", "verdict"):
        found.setdefault(facet, []).append(verdict == Verdict.ACCEPT)
    return found


def names_of(users: Iterable[int]) -> dict[int, str]:
    return {user.pk: user.username for user in User.objects.filter(pk__in=set(users))}
