"""What plans of facets and tags would do, counted without writing anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from annotations.actions.tag_plans import FacetPlan, TagPlan, is_another
from annotations.models import Catalogue, Facet, Tag
from annotations.queries.taxonomy import Names, key_of, tag_key

SHOWN = 12


@dataclass(slots=True)
class Foreseen:
    """``facets`` and ``tags`` of the plans; how many of them are new; ``labels``: language to names that would be added,
    on new rows and on those that are there; ``some``: the facets with the most new tags, as labels by language, whether
    the facet is new, tags, and how many of these are new."""

    facets: int = 0
    tags: int = 0
    new_facets: int = 0
    new_tags: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    some: list[tuple[dict[str, str], bool, int, int]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def foresee(*, catalogue: Catalogue, plans: Sequence[FacetPlan]) -> Foreseen:
    """Two queries, whatever the plans. Counts as ``apply_plans`` would make it, where nobody changes anything meanwhile;
    what was undone or retired before counts as new."""
    names = Names.of(catalogue)
    labels: Counter[str] = Counter()
    rows: dict[str, _Placed] = {}
    named = {key_of(plan.name) for plan in plans}
    for plan in plans:
        spellings = (plan.name, *plan.labels.values())
        facets = (f for s in spellings if (f := names.facet(s)))
        facet = next((f for f in facets if not is_another((f.slug, *f.labels.values()), plan, named)), None)
        before = (rows[key_of(s)] for s in spellings if key_of(s) in rows)
        placed = next((p for p in before if not is_another(p.names, plan, named)), None) or _Placed(plan, facet)
        for spelling in (*spellings, *((facet.slug,) if facet else ())):
            rows.setdefault(key_of(spelling), placed)
        labels.update(code for code in plan.labels if facet is None or code not in facet.labels)
        for tag in plan.tags:
            labels.update(placed.take(tag, names, by_name=plan.labels_repeat))
    every = list({id(placed): placed for placed in rows.values()}.values())
    found = Foreseen(
        facets=len(every),
        tags=sum(len(placed.seen) for placed in every),
        new_facets=sum(placed.facet is None for placed in every),
        new_tags=sum(placed.new for placed in every),
        labels=dict(labels.most_common()),
    )
    most = sorted(every, key=lambda placed: (-placed.new, -len(placed.seen)))[:SHOWN]
    found.some = [(p.labels, p.facet is None, len(p.seen), p.new) for p in most]
    return found


class _Placed:
    """One facet and what its plans bring."""

    def __init__(self, plan: FacetPlan, facet: Facet | None) -> None:
        self.plan, self.facet = plan, facet
        self.as_facet = facet or Facet(kind=plan.kind or Facet.Kind.MULTI, unit=plan.unit or "", labels=plan.labels)
        self.keys: dict[str, int] = {}
        self.seen: set[int] = set()
        self.new = 0

    @property
    def names(self) -> tuple[str, ...]:
        facet = self.facet
        return (facet.slug, *facet.labels.values()) if facet else (self.plan.name, *self.plan.labels.values())

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.facet.labels if self.facet else self.plan.labels) or {"": self.plan.name}

    def take(self, tag: TagPlan, names: Names, *, by_name: bool) -> list[str]:
        """Counts the tag once; returns the languages in which it brings a name that is not there."""
        spellings = (tag.name,) if by_name else (tag.name, *tag.labels.values())
        keys = [tag_key(self.as_facet, s) for s in spellings]
        if any(key in self.keys for key in keys):
            return []
        there: Tag | None = next((t for s in spellings if self.facet and (t := names.tag(self.facet, s))), None)
        place = there.pk if there is not None else -len(self.seen) - 1
        self.keys |= dict.fromkeys(keys, place)
        self.seen.add(place)
        self.new += there is None
        return [code for code in tag.labels if there is None or code not in there.labels]
