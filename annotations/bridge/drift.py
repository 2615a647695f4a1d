"""Drift over a catalogue: the tests of ``ml.evaluation.drift`` on its suppliers and facets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from annotations.bridge.rows import Examples, schema_of
from annotations.models import Catalogue, DriftAlert
from annotations.queries import drift as questions
from annotations.queries import examples as facts
from annotations.queries.drift import Marks, Taken
from ml.evaluation.drift import Shift, alarms, draws_for, shift
from ml.evaluation.drift_words import risen
from ml.evaluation.yardstick import EMBEDDING, Yardstick
from ml.examples import Example
from ml.text import render

LEAST = 12  # families on each side of a test
RECENT = 1500  # products of one supplier that are compared
LESS = 0.05  # share by which fewer suggestions are taken before anybody is told
FAR = {"prior": 0.1, "embedding": 0.1, "words": 0.1}  # distances below which a difference helps nobody
Kind = DriftAlert.Kind


@dataclass(frozen=True, slots=True)
class Finding:
    """``facet`` by primary key. ``told``: beyond chance with all other findings, and far enough to matter."""

    kind: str
    facet: int | None
    supplier: str
    before: float | None
    now: float
    p: float
    families: int
    words: list[str] = field(default_factory=list)
    told: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """All that was compared, and how far the next look begins."""

    findings: list[Finding]
    marks: Marks


def look_for_drift(catalogue: Catalogue, step: Callable[[int, int], None] = lambda done, total: None) -> Look:
    """Compare what came since the last look with what was there. The first look only remembers where it was.

    All findings of a look together are wrong at most once in a hundred looks (Holm). ``step`` may raise.
    """
    last, here = questions.last_marks(catalogue), questions.newest(catalogue)
    if last is None:
        return Look([], here)
    found: list[Finding] = []
    marks = last
    if questions.enough_decided(catalogue, last):
        found += _acceptance(questions.taken(catalogue, last))
        marks = Marks(marks.product, here.seq)
    if questions.enough_new(catalogue, last):
        found += _products(catalogue, last, step)
        marks = Marks(here.product, marks.seq)
    told = alarms([f.p for f in found])
    return Look([_settled(f, t) for f, t in zip(found, told, strict=True)], marks)


def _settled(finding: Finding, beyond: bool) -> Finding:
    if finding.kind == Kind.ACCEPTANCE:
        matters = finding.before is not None and finding.before - finding.now >= LESS
    else:
        matters = finding.now >= FAR[finding.kind]
    return Finding(
        finding.kind, finding.facet, finding.supplier, finding.before, finding.now, finding.p, finding.families,
        finding.words, beyond and matters,
    )  # fmt: skip


def _tested(before: np.ndarray, recent: np.ndarray, families: tuple[Sequence[str], Sequence[str]]) -> Shift | None:
    """None with fewer than ``LEAST`` families on a side."""
    late = set(families[1])
    if len(late) < LEAST or len(set(families[0]) - late) < LEAST:
        return None
    return shift(before, recent, *families)


def _acceptance(rows: Sequence[Taken]) -> list[Finding]:
    """Of each facet, and of each supplier: is a smaller share taken than before? A row is one product's."""
    groups: dict[tuple[int | None, str], list[Taken]] = {}
    for row in rows:
        groups.setdefault((row.facet, ""), []).append(row)
        if row.supplier:
            groups.setdefault((None, row.supplier), []).append(row)
    found = []
    for (facet, supplier), some in groups.items():
        old, new = ([r for r in some if r.recent is late] for late in (False, True))
        if not old or not new:
            continue
        shares = [np.array([[r.taken / r.shown] for r in side]) for side in (old, new)]
        said = _tested(shares[0], shares[1], ([r.family for r in old], [r.family for r in new]))
        if said is not None:
            before, now = float(shares[0].mean()), float(shares[1].mean())
            found.append(Finding(Kind.ACCEPTANCE, facet, supplier, before, now, said.p, said.recent))
    return found


def _products(catalogue: Catalogue, last: Marks, step: Callable[[int, int], None]) -> list[Finding]:
    """By supplier: other words; and other products (embeddings) or other tags, facet by facet, through a yardstick that
    has learned from neither side. A supplier that is new, or has few products, is compared with the whole catalogue."""
    fresh = questions.products_since(catalogue, last)
    schema = schema_of(catalogue)
    reader, facets = Examples(schema), dict(catalogue.facets.live().values_list("slug", "pk"))  # type: ignore[attr-defined]
    every = reader.all(facts.facts_of(catalogue, questions.products_before(catalogue, last, None)))
    yardstick = Yardstick.fit(schema, every)
    most = draws_for(len(fresh) * (len(facets) + 2))
    found: list[Finding] = []
    for done, (supplier, keys) in enumerate(fresh.items()):
        step(done, len(fresh))
        recent = reader.all(facts.bare_facts(catalogue, keys[-RECENT:]))
        own = questions.products_before(catalogue, last, supplier)
        before = reader.all(facts.bare_facts(catalogue, own))
        if len({e.family for e in before}) < 2 * LEAST:
            before = every
        if len({e.family for e in recent}) >= LEAST:
            found += _of_supplier(supplier, before, recent, yardstick, facets, most)
    return found


def _of_supplier(
    supplier: str,
    before: Sequence[Example],
    recent: Sequence[Example],
    yardstick: Yardstick | None,
    facets: dict[str, int],
    most: int,
) -> list[Finding]:
    families = [e.family for e in before], [e.family for e in recent]
    late = set(families[1])
    if len(set(families[0]) - late) < LEAST:
        return []
    words = risen([render(e).text for e in before], [render(e).text for e in recent], *families)
    found = [Finding(Kind.WORDS, None, supplier, None, words.rise, words.p, words.recent, list(words.words))]
    for facet, one in (yardstick.shifts(before, recent, most=most) if yardstick else {}).items():
        kind = Kind.EMBEDDING if facet == EMBEDDING else Kind.PRIOR
        found.append(Finding(kind, facets.get(facet), supplier, None, one.distance, one.p, one.recent))
    return found
