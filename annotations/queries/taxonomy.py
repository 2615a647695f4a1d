"""Questions about facets and tags: by any of their names, as a tree with counts, and as somebody types."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, QuerySet
from django.utils import timezone

from annotations.formats import quantities
from annotations.models import Catalogue, Facet, ProductTag, Tag, TagRequest
from annotations.queries import tag_words

_GAP = re.compile(r"[\s_\-‐-―]+")


def key_of(name: str) -> str:
    """What two spellings of one name have in common: case, width, how its words are joined, and whether a sign is
    written as an entity (``Lycra&reg;``) make no difference."""
    if "&" in name:
        name = html.unescape(name)
    return _GAP.sub(" ", unicodedata.normalize("NFKC", name).casefold()).strip()


def words_of(thing: Facet | Tag) -> Iterable[str]:
    return thing.words if isinstance(thing, Tag) else thing.labels.values()


class Names:
    """Facets and tags of one catalogue by slug, label or synonym in any language; retired ones are not found.

    A slug beats a label, and a label beats a synonym. A merged tag's names lead to the tag it went into. In a facet of
    numbers every writing of a quantity leads to its tag: "1500 g" to 1.5 kg.
    """

    def __init__(self, facets: Sequence[Facet], tags: Sequence[Tag]) -> None:
        self.facets = list(facets)
        self._facets: dict[str, Facet] = {}
        self._tags: dict[int, dict[str, Tag]] = {facet.id: {} for facet in facets}
        for facet in facets:
            self._facets[facet.slug] = facet
        for facet in facets:
            for name in (facet.slug, *facet.labels.values()):
                self._facets.setdefault(key_of(name), facet)
        by_id = {tag.id: tag for tag in tags}
        facet_by_id = {facet.id: facet for facet in facets}
        for tag in tags:
            tag.facet = facet_by_id[tag.facet_id]
        live = [tag for tag in tags if tag.retired_at is None]
        for names in (lambda t: (t.slug,), lambda t: (key_of(t.slug), *map(key_of, t.labels.values())), _folded_words):
            for tag in live:
                for name in names(tag):
                    self._tags[tag.facet_id].setdefault(name, tag)
        for tag in tags:
            if tag.merged_into_id and (target := _end_of(tag, by_id)):
                for name in (tag.slug, *_folded_words(tag)):
                    self._tags[target.facet_id].setdefault(name, target)
        self._numbers: dict[int, dict[float, Tag]] = {f.id: {} for f in facets if f.kind == Facet.Kind.NUMERIC}
        for tag in tags:
            leads = _end_of(tag, by_id) if tag.merged_into_id else tag if tag.retired_at is None else None
            number = number_said(tag.facet, tag) if tag.facet_id in self._numbers else None
            if leads and number is not None and leads.facet_id in self._numbers:
                self._numbers[leads.facet_id].setdefault(number, leads)

    @classmethod
    def of(cls, catalogue: Catalogue, facet: Facet | None = None) -> Names:
        """Two queries, whatever the size. With a facet, tags of that one alone are known."""
        facets = list(Facet.objects.live().filter(catalogue=catalogue))
        tags = Tag.objects.filter(facet__catalogue=catalogue, facet__retired_at=None)
        if facet is not None:
            tags = Tag.objects.filter(facet=facet)
            facets = facets if any(f.pk == facet.pk for f in facets) else [*facets, facet]
        return cls(facets, list(tags))

    @classmethod
    def facets_of(cls, catalogue: Catalogue) -> Names:
        """Facets alone."""
        return cls(list(Facet.objects.live().filter(catalogue=catalogue)), [])

    def facet(self, name: str) -> Facet | None:
        return self._facets.get(name) or self._facets.get(key_of(name))

    def tag(self, facet: Facet, name: str) -> Tag | None:
        names = self._tags[facet.id]
        if (number := number_of(facet, name)) is not None:  # -5 and 5 differ, though folded names do not
            return self._numbers[facet.id].get(number)
        return names.get(name) or names.get(key_of(name))

    def learn(self, tag: Tag) -> None:
        """A tag that was made since."""
        for name in (tag.slug, *_folded_words(tag)):
            self._tags[tag.facet_id].setdefault(name, tag)
        if tag.number is not None and tag.facet_id in self._numbers:
            self._numbers[tag.facet_id].setdefault(tag.number, tag)


def number_of(facet: Facet, text: str) -> float | None:
    """What a text counts in the unit of a numeric facet; None where it is no such quantity, or the facet has no
    numbers."""
    if facet.kind != Facet.Kind.NUMERIC:
        return None
    try:
        return quantities.in_unit(text, facet.unit)
    except (quantities.NotANumber, quantities.UnknownUnit):
        return None


def tag_key(facet: Facet, text: str) -> str:
    """What the spellings of one tag have in common: their ``key_of``, in a facet of numbers the quantity."""
    number = number_of(facet, text)
    return key_of(text) if number is None else repr(number)


def number_said(facet: Facet, tag: Tag) -> float | None:
    """The number of a numeric facet's tag: what it was given, or what one of its words says."""
    if tag.number is not None:
        return tag.number
    return next((n for word in tag.words if (n := number_of(facet, word)) is not None), None)


def _folded_words(tag: Tag) -> list[str]:
    return [key_of(word) for word in (tag.slug, *tag.words)]


def _end_of(tag: Tag, by_id: dict[int, Tag]) -> Tag | None:
    """Where a chain of merges ends; None when that is retired or the chain bites its tail."""
    seen = set()
    while tag.merged_into_id and tag.id not in seen:
        seen.add(tag.id)
        if tag.merged_into_id not in by_id:
            return None
        tag = by_id[tag.merged_into_id]
    return tag if tag.retired_at is None else None


@dataclass(frozen=True, slots=True)
class TagNode:
    """``depth`` below the facet, 0 for the top; ``approved`` counts the products of which it stands."""

    tag: Tag
    depth: int
    approved: int


@dataclass(frozen=True, slots=True)
class FacetNode:
    facet: Facet
    tags: tuple[TagNode, ...]
    approved: int
    requests: tuple[TagRequest, ...] = ()


def tree(catalogue: Catalogue, *, retired: bool = False) -> list[FacetNode]:
    """Facets with their tags, parents before children, and how many products each stands for. Four queries."""
    asked = Facet.objects.filter(catalogue=catalogue)
    facets: list[Facet] = list(asked if retired else asked.live())
    tags: dict[int, list[Tag]] = {facet.id: [] for facet in facets}
    known = Tag.objects.filter(facet__in=list(tags))
    for tag in (known if retired else known.live()).order_by("position", "id"):
        tags[tag.facet_id].append(tag)
    counts: dict[int, int] = dict(
        ProductTag.objects.filter(tag__facet__in=list(tags), state=ProductTag.State.APPROVED)
        .values_list("tag")
        .annotate(n=Count("id"))
    )
    requests: dict[int, list[TagRequest]] = {facet.id: [] for facet in facets}
    for request in open_requests(catalogue).filter(facet__in=list(tags)):
        requests[request.facet_id].append(request)
    return [
        FacetNode(
            facet=facet,
            tags=tuple(TagNode(tag, depth, counts.get(tag.id, 0)) for tag, depth in _nested(tags[facet.id])),
            approved=sum(counts.get(tag.id, 0) for tag in tags[facet.id]),
            requests=tuple(requests[facet.id]),
        )
        for facet in facets
    ]


def approved_counts(catalogue: Catalogue) -> dict[int, int]:
    """Tag to the products of which it stands approved."""
    rows = ProductTag.objects.filter(tag__facet__catalogue=catalogue, state=ProductTag.State.APPROVED)
    return dict(rows.values_list("tag").annotate(n=Count("id")))


TAGS_OF_A_PAGE = 100


@dataclass(frozen=True, slots=True)
class FacetPage:
    """Some of a facet's tags, parents before children: ``start`` of ``total``; ``text`` where only some were asked for."""

    facet: Facet
    tags: tuple[TagNode, ...]
    total: int
    start: int = 0
    text: str = ""

    @property
    def last(self) -> int:
        return self.start + len(self.tags)

    @property
    def before(self) -> int | None:
        return max(0, self.start - TAGS_OF_A_PAGE) if self.start else None

    @property
    def after(self) -> int | None:
        return self.start + len(self.tags) if not self.text and self.start + len(self.tags) < self.total else None


def facet_page(
    catalogue: Catalogue, facet: Facet, *, text: str = "", start: int = 0, retired: bool = False
) -> FacetPage:
    """A page of a facet that may have thousands of tags, or those that a text means. Three queries and no tag more than
    is shown."""
    known = Tag.objects.filter(facet=facet)
    if text:
        found = search_tags(catalogue, text, facet=facet, limit=TAGS_OF_A_PAGE)
        order = [(tag.pk, 0) for tag in found]
        total = len(order)
    else:
        light = known if retired else known.live()
        nested = _nested(list(light.only("pk", "parent_id").order_by("position", "pk")))
        total = len(nested)
        start = min(start, max(0, total - 1))
        order = [(tag.pk, depth) for tag, depth in nested[start : start + TAGS_OF_A_PAGE]]
    tags = known.select_related("parent").in_bulk([pk for pk, _depth in order])
    counts = dict(
        ProductTag.objects.filter(tag__in=tags, state=ProductTag.State.APPROVED)
        .values_list("tag")
        .annotate(n=Count("id"))
    )
    rows = tuple(TagNode(tags[pk], depth, counts.get(pk, 0)) for pk, depth in order if pk in tags)
    return FacetPage(facet, rows, total, start, text)


def open_requests(catalogue: Catalogue):  # type: ignore[no-untyped-def]  # a queryset that doors may slice
    """Values that reviewers missed and nobody has answered yet, oldest first."""
    return (
        TagRequest.objects.filter(facet__catalogue=catalogue, resolved_at=None)
        .select_related("facet", "product", "user")
        .order_by("id")
    )


NEWS = timedelta(days=30)
"""How long a value that came by itself is shown to the taxonomy's owner as new."""


def new_values(catalogue: Catalogue):  # type: ignore[no-untyped-def]  # a queryset that doors may slice
    """Values of open facets and of those of numbers that became tags by themselves of late, the newest first."""
    return (
        TagRequest.objects.filter(facet__catalogue=catalogue, answer=TagRequest.Answer.GRANTED)
        .filter(facet__kind__in=(Facet.Kind.OPEN, Facet.Kind.NUMERIC))  # in the others a person granted it
        .filter(tag__retired_at=None, tag__isnull=False, resolved_at__gt=timezone.now() - NEWS)
        .select_related("facet", "tag", "product", "user")
        .order_by("-id")
    )


def _nested(tags: Sequence[Tag]) -> list[tuple[Tag, int]]:
    """Parents before their children, each with its depth. A child whose parent is not there stands at the top."""
    there = {tag.id for tag in tags}
    children: dict[int | None, list[Tag]] = {}
    for tag in tags:
        children.setdefault(tag.parent_id if tag.parent_id in there else None, []).append(tag)
    nested: list[tuple[Tag, int]] = []
    stack = [(tag, 0) for tag in reversed(children.get(None, []))]
    while stack:
        tag, depth = stack.pop()
        nested.append((tag, depth))
        stack += [(child, depth + 1) for child in reversed(children.get(tag.id, []))]
    return nested


def search_tags(catalogue: Catalogue, text: str, *, facet: Facet | None = None, limit: int = 20) -> list[Tag]:
    """Live tags that a typed text may mean, best first: in every language, by label, synonym, slug or path."""
    return tag_words.find(catalogue, text, facet=facet, limit=limit)


def facets_of(catalogue: Catalogue, *, retired: bool = False) -> QuerySet[Facet]:
    """In no order yet; retired ones only when asked for."""
    found = Facet.objects.filter(catalogue=catalogue)
    return found if retired else found.filter(retired_at=None)


def facet_named(catalogue: Catalogue, slug: str) -> Facet | None:
    return Facet.objects.select_related("catalogue").filter(catalogue=catalogue, slug=slug).first()


def tags_of(catalogue: Catalogue, *, facet: str = "", retired: bool = False) -> QuerySet[Tag]:
    """In no order yet, with facet, parent and the tag each was merged into."""
    found = Tag.objects.filter(facet__catalogue=catalogue).select_related("facet", "parent", "merged_into")
    found = found.prefetch_related("not_with__facet")
    if facet:
        found = found.filter(facet__slug=facet)
    return found if retired else found.filter(retired_at=None, facet__retired_at=None)


def tag_named(catalogue: Catalogue, facet: str, slug: str) -> Tag | None:
    """By slugs; a slug is unique within its facet."""
    found = Tag.objects.filter(facet__catalogue=catalogue, facet__slug=facet, slug=slug)
    return found.select_related("facet__catalogue", "parent", "merged_into").first()
