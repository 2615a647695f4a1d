"""Relations between tags that the decisions speak for and the taxonomy does not state yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from annotations.models import Catalogue, DeclinedProposal, Job, Tag
from annotations.queries.proposals import digest_of

KIND = "relations"
IMPLIES, EXCLUDES, CATEGORY, TOGETHER = "implies", "excludes", "category", "together"
SHOWN = 60


@dataclass(frozen=True, slots=True)
class RelationProposal:
    """``first`` implies ``second`` (which becomes the tag above it), excludes it, often comes with it (told, nothing to
    accept), or stands in ``categories`` alone. ``both`` of ``n`` products; ``expected``: by chance."""

    kind: str
    first: Tag
    second: Tag | None
    categories: tuple[str, ...]
    both: int
    n: int
    expected: float

    @property
    def key(self) -> str:
        """What a form sends back."""
        return f"{self.kind}:{self.first.pk}:{self.second.pk if self.second else ''}"

    @property
    def text(self) -> str:
        return f"{self.kind} {self.second.pk if self.second else '/'.join(self.categories)}"

    @property
    def digest(self) -> str:
        return digest_of("relation", self.text, tag=self.first)


def last_look(catalogue: Catalogue) -> Job | None:
    return Job.objects.filter(catalogue=catalogue, kind=KIND).order_by("-created_at").first()


def relation_proposals(catalogue: Catalogue) -> list[RelationProposal]:
    """Of the last look that ended, those that can be accepted and are not stated or declined, and those to know of."""
    done = Job.objects.filter(catalogue=catalogue, kind=KIND, state=Job.State.DONE).order_by("-finished_at").first()
    if done is None:
        return []
    tags: dict[tuple[str, str], Tag] = {
        (tag.facet.slug, tag.slug): tag
        for tag in Tag.objects.live().filter(facet__catalogue=catalogue, facet__retired_at=None).select_related(
            "facet__catalogue"
        )
    }  # fmt: skip
    declined = set(DeclinedProposal.objects.filter(catalogue=catalogue).values_list("digest", flat=True))
    stated = _stated(catalogue)
    found = []
    for row in done.result.get("relations", []):
        proposal = _proposal(row, tags)
        if proposal is not None and proposal.digest not in declined and not _known(proposal, stated):
            found.append(proposal)
    return found[:SHOWN]


def _proposal(row: dict[str, Any], tags: dict[tuple[str, str], Tag]) -> RelationProposal | None:
    first = tags.get(tuple(row["first"]))  # type: ignore[arg-type]
    second = tags.get(tuple(row["second"])) if row["second"] else None  # type: ignore[arg-type]
    if first is None or (row["second"] and second is None):
        return None
    return RelationProposal(
        row["kind"], first, second, tuple(row["categories"]), row["both"], row["n"], row["expected"]
    )


def _stated(catalogue: Catalogue) -> set[tuple[int, int]]:
    through = Tag.not_with.through.objects.filter(from_tag__facet__catalogue=catalogue)  # type: ignore[attr-defined]
    return set(through.values_list("from_tag", "to_tag"))


def _known(proposal: RelationProposal, apart: set[tuple[int, int]]) -> bool:
    """Whether the taxonomy says so already, or has no way of saying it."""
    first, second = proposal.first, proposal.second
    if proposal.kind == CATEGORY:
        return bool(first.categories or first.facet.categories)
    assert second is not None
    if proposal.kind == EXCLUDES:
        alone = first.facet_id == second.facet_id and (first.exclusive or second.exclusive or first.facet.one_value)
        return alone or (first.pk, second.pk) in apart
    if proposal.kind == IMPLIES:
        same = first.facet_id == second.facet_id and first.facet.implied_parents
        return not same or first.parent_id is not None or second.parent_id == first.pk
    return False


def relation_named(catalogue: Catalogue, key: str) -> RelationProposal | None:
    return next((p for p in relation_proposals(catalogue) if p.key == key), None)
