"""What the catalogue itself proposes for its taxonomy: values, synonyms and words that no tag has yet.

``mine`` reads a sample of the products once (``SAMPLE`` at most), in a fixed number of queries: a job does, which keeps
what it found (``actions/proposals.py``). What became a tag or was declined since then is left out each time it is asked
for.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, QuerySet

from annotations.models import (
    Catalogue,
    ChosenEvidence,
    DeclinedProposal,
    Facet,
    FoundProposals,
    Product,
    ProductTag,
    Tag,
    Verdict,
)
from annotations.queries.frequent_words import Clusters, covered_by
from annotations.queries.safety import words_of
from annotations.queries.tag_words import folded
from annotations.queries.taxonomy import Names, key_of

SAMPLE = 20_000
"""Products looked at; of a larger catalogue every second, third ... one."""
CORRECTIONS = 20_000
"""Chosen pieces of evidence looked at, the latest first."""
LEAST = 3
"""Products that a value stands in before it is proposed."""
LEAST_DECIDED = 3
"""Decided products before a value is proposed as a synonym; two of chosen words, which a person pointed at."""
SHARE = 0.8
"""Of the decided products of a value, those with one and the same tag: from here on it is another word for the tag."""
LIFT = 1.5
"""How much more often the tag stands with the value than without it, or a tag that stands everywhere has every word."""
LONGEST = 60
"""Characters of a value; a longer one is a sentence."""
READ = 2_000
"""Products in whose texts a promoted model reads values; some twenty seconds on one core."""
EXAMPLES = 4
TOLD_EVERY = 1000
OF_A_KIND = 1000
"""Proposals of one kind that a look finds at most, the most frequent."""

VALUE, SYNONYM, WORDS = "value", "synonym", "words"


@dataclass(frozen=True, slots=True)
class Proposal:
    """``text`` is to be a new tag of ``facet`` (kinds ``value`` and ``words``; for words a person says which facet), or
    another word for ``tag`` (kind ``synonym``).

    ``count`` products speak for it, of ``of`` that could have; ``words`` are others of its cluster with their counts,
    the most frequent first; ``products`` are (primary key, title) of some.
    """

    kind: str
    text: str
    count: int
    of: int
    facet: Facet | None = None
    tag: Tag | None = None
    words: tuple[tuple[str, int], ...] = ()
    products: tuple[tuple[int, str], ...] = ()

    @property
    def digest(self) -> str:
        return digest_of(self.kind, self.text, facet=self.facet, tag=self.tag)

    def to_json(self) -> list[Any]:
        facet, tag = self.facet.pk if self.facet else None, self.tag.pk if self.tag else None
        return [self.kind, self.text, self.count, self.of, facet, tag, list(self.words), list(self.products)]


def digest_of(kind: str, text: str, *, facet: Facet | None = None, tag: Tag | None = None) -> str:
    """The name of a proposal: the same words for the same place have one, however they are spelt."""
    said = (kind, str(facet.pk if facet else ""), str(tag.pk if tag else ""), key_of(text))
    return hashlib.sha256("\x1f".join(said).encode()).hexdigest()


class Known:
    """The facets and every name that a tag of theirs has or had. Two queries."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.facets = list(Facet.objects.live().filter(catalogue=catalogue))
        self.by_pk = {facet.pk: facet for facet in self.facets}
        tags = list(Tag.objects.filter(facet__catalogue=catalogue, facet__retired_at=None))
        self.names = Names(self.facets, tags)
        self.tags = {tag.pk: tag for tag in tags}
        self._of: dict[int, set[str]] = defaultdict(set)
        for tag in tags:
            self._of[tag.facet_id] |= {folded(word) for word in (tag.slug, *tag.words)}
        self.all = {name for names in self._of.values() for name in names}
        self.all |= {folded(word) for facet in self.facets for word in (facet.slug, *facet.labels.values())}

    def has(self, facet: Facet, text: str) -> bool:
        """Whether a tag has the name, also a retired one: that was somebody's decision."""
        return folded(text) in self._of[facet.pk] or self.names.tag(facet, text) is not None


def proposals(catalogue: Catalogue) -> list[Proposal]:
    """What to decide on now, of what the last look found: synonyms, then values, then words, the most frequent first.
    Five queries."""
    known = Known(catalogue)
    declined = set(DeclinedProposal.objects.filter(catalogue=catalogue).values_list("digest", flat=True))
    rows = FoundProposals.objects.filter(catalogue=catalogue).values_list("found", flat=True).first() or ()
    found = [p for row in rows if (p := _from_json(row, known)) is not None]
    words = words_of(catalogue)
    mined = [p for p in found if p.digest not in declined and _open(p, known) and not words.find(p.text)]
    synonyms = {(p.facet.pk, key_of(p.text)) for p in mined if p.kind == SYNONYM and p.facet}
    return [p for p in mined if p.kind != VALUE or not p.facet or (p.facet.pk, key_of(p.text)) not in synonyms]


def last_look(catalogue: Catalogue) -> FoundProposals | None:
    """When it was looked last, and through how many products."""
    return FoundProposals.objects.filter(catalogue=catalogue).defer("found").first()


def declined_proposals(catalogue: Catalogue) -> QuerySet[DeclinedProposal]:
    """What was declined, latest first."""
    return DeclinedProposal.objects.filter(catalogue=catalogue).select_related("facet", "tag", "user").order_by("-id")


def _from_json(row: list[Any], known: Known) -> Proposal | None:
    """None where its facet or tag is gone."""
    kind, text, count, of, facet, tag, words, products = row
    found = Proposal(
        kind, text, count, of, known.by_pk.get(facet), known.tags.get(tag), tuple((w, n) for w, n in words),
        tuple((pk, title) for pk, title in products),
    )  # fmt: skip
    return None if (facet and found.facet is None) or (tag and found.tag is None) else found


def _open(proposal: Proposal, known: Known) -> bool:
    if proposal.tag and ((now := known.tags.get(proposal.tag.pk)) is None or now.retired_at):
        return False
    if proposal.facet:
        there = any(facet.pk == proposal.facet.pk for facet in known.facets)
        return there and not known.has(proposal.facet, proposal.text)
    return not covered_by(known.all)(proposal.text)


def mine(
    catalogue: Catalogue, known: Known, tell: Callable[[int, int], object] = lambda n, of: None,
    read: Callable[[list[int]], Iterable[tuple[int, str, str]]] = lambda products: (),
) -> Mined:  # fmt: skip
    """Everything that the products and the corrections speak for. Six queries. ``tell(read, of)`` as products are
    read; what it raises ends it. ``read(products)`` says ``(product, facet slug, value)`` of what a model finds in their
    texts: such a value is proposed as one of an attribute is."""
    products = _sample(catalogue)
    of = products.count()
    rows = products.values_list("pk", "title", "supplier", "attributes").order_by("pk")
    values: dict[tuple[int, str], _Seen] = {}
    clusters = Clusters(covered_by(known.all))
    titles: dict[int, str] = {}
    for pk, title, supplier, attributes in rows[:SAMPLE].iterator(chunk_size=2000):
        if len(titles) % TOLD_EVERY == 0:
            tell(len(titles), of)
        titles[pk] = title
        clusters.add(pk, title, supplier)
        for name, listed in attributes.items():
            if not (facet := known.names.facet(name)):
                continue
            for value in {str(v).strip() for v in listed}:
                if value and len(value) <= LONGEST and not known.has(facet, value):
                    values.setdefault((facet.pk, key_of(value)), _Seen(facet)).add(pk, value)
    for pk, name, value in read(list(titles)[:: -(-len(titles) // READ) or 1]):
        facet = known.names.facet(name)
        if facet and pk in titles and len(value) <= LONGEST and not known.has(facet, value):
            values.setdefault((facet.pk, key_of(value)), _Seen(facet)).add(pk, value)
    standing = _standing(products, known)
    found = [*_chosen(catalogue, known), *_synonyms(values.values(), standing, known, titles)]
    best = {p.digest: p for p in sorted(found, key=lambda p: p.count)}
    by_count = sorted(best.values(), key=lambda p: (-p.count, p.text))
    kinds = by_count, _values(values.values(), len(titles), titles), _words(clusters, len(titles), titles)
    return Mined(len(titles), [one for kind in kinds for one in kind[:OF_A_KIND]])


@dataclass(frozen=True, slots=True)
class Mined:
    """``products`` that were looked at, and what they speak for."""

    products: int
    found: list[Proposal]


def _sample(catalogue: Catalogue) -> QuerySet[Product]:
    live = Product.objects.filter(catalogue=catalogue, archived_at=None)
    step = -(-live.count() // SAMPLE)
    return live.annotate(place=F("pk") % step).filter(place=0) if step > 1 else live


@dataclass(slots=True)
class _Seen:
    """A value of a facet's attribute: how it is spelt, and in which products it stands."""

    facet: Facet
    spellings: Counter[str] = field(default_factory=Counter)
    products: set[int] = field(default_factory=set)

    def add(self, product: int, value: str) -> None:
        self.spellings[value] += 1
        self.products.add(product)

    @property
    def text(self) -> str:
        return min(self.spellings, key=lambda s: (-self.spellings[s], s))


def _examples(products: Iterable[int], titles: dict[int, str]) -> tuple[tuple[int, str], ...]:
    return tuple((pk, titles[pk]) for pk in sorted(products)[:EXAMPLES])


def _values(seen: Iterable[_Seen], total: int, titles: dict[int, str]) -> list[Proposal]:
    takes = [s for s in seen if s.facet.kind not in (Facet.Kind.BOOLEAN, Facet.Kind.NUMERIC)]
    frequent = sorted((s for s in takes if len(s.products) >= LEAST), key=lambda s: (-len(s.products), s.text))
    return [
        Proposal(VALUE, s.text, len(s.products), total, s.facet, products=_examples(s.products, titles))
        for s in frequent
    ]


def _standing(products: QuerySet[Product], known: Known) -> dict[int, dict[int, set[int]]]:
    """Facet to product to the tags approved there."""
    found: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    approved = ProductTag.objects.filter(product__in=products.values("pk"), state=ProductTag.State.APPROVED)
    for product, tag in approved.values_list("product", "tag").iterator(chunk_size=5000):
        if (there := known.tags.get(tag)) is not None and there.retired_at is None:
            found[there.facet_id][product].add(tag)
    return found


def _synonyms(
    seen: Iterable[_Seen], standing: dict[int, dict[int, set[int]]], known: Known, titles: dict[int, str]
) -> list[Proposal]:
    """Values whose decided products nearly all have one and the same tag: charcoal, Grey, 14 of 15."""
    overall = {facet: Counter(t for tags in rows.values() for t in tags) for facet, rows in standing.items()}
    found = []
    for value in seen:
        rows = standing.get(value.facet.pk, {})
        decided = [pk for pk in value.products if pk in rows]
        if len(decided) < LEAST_DECIDED:
            continue
        tag, n = min(Counter(t for pk in decided for t in rows[pk]).items(), key=lambda pair: (-pair[1], pair[0]))
        others = len(rows) - len(decided)
        without = (overall[value.facet.pk][tag] - n) / others if others else 0.0
        if n >= SHARE * len(decided) and n / len(decided) >= LIFT * without:
            having = (pk for pk in decided if tag in rows[pk])
            shown = _examples(having, titles)
            found.append(Proposal(SYNONYM, value.text, n, len(decided), value.facet, known.tags[tag], products=shown))
    return found


def _chosen(catalogue: Catalogue, known: Known) -> list[Proposal]:
    """Words that reviewers pointed at when they gave a tag that still stands. One query."""
    rows = ChosenEvidence.objects.filter(
        decision__catalogue=catalogue, decision__verdict__in=(Verdict.ACCEPT, Verdict.ADD),
        decision__product__standing_tags__tag=F("decision__tag"),
        decision__product__standing_tags__state=ProductTag.State.APPROVED,
    ).order_by("-decision__seq")  # fmt: skip
    names = ("decision__tag", "decision__product", "decision__product__title", "decision__product__description")
    said: dict[tuple[int, str], dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    spelt: dict[tuple[int, str], str] = {}
    titles: dict[int, str] = {}
    for tag, product, title, description, spans in rows.values_list(*names, "spans")[:CORRECTIONS]:
        there = known.tags.get(tag)
        if there is None or there.retired_at:
            continue
        titles[product] = title
        for span in spans:
            text = {"title": title, "description": description}.get(span.get("field"), "")
            words = " ".join(text[int(span.get("start", 0)) : int(span.get("end", 0))].split())
            if folded(words) and len(words) <= LONGEST and not known.has(there.facet, words):
                place = (there.facet_id, key_of(words))
                said[place][tag].add(product)
                spelt.setdefault(place, words)
    found = []
    for place, tags in said.items():
        tag, products = max(tags.items(), key=lambda pair: (len(pair[1]), -pair[0]))
        of = len(set().union(*tags.values()))
        if len(products) >= 2 and len(products) >= SHARE * of:
            there, shown = known.tags[tag], _examples(products, titles)
            found.append(Proposal(SYNONYM, spelt[place], len(products), of, there.facet, there, products=shown))
    return found


def _words(clusters: Clusters, total: int, titles: dict[int, str]) -> list[Proposal]:
    return [
        Proposal(WORDS, c.text, len(c.products), total, words=c.words, products=_examples(c.products, titles))
        for c in clusters.found()
    ]
