"""Decisions that were made elsewhere, read line by line and stored with the verbs of the review screen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from annotations.actions import audit, new_values
from annotations.actions.decide import Card, Choice, Circumstances, save_cards
from annotations.actions.errors import Refused
from annotations.models import Catalogue, Event, Facet, Input, Membership, Product, Reason, Role, User, Verdict
from annotations.queries.taxonomy import Names

BLOCK = 2000
"""Lines that are looked up together."""
PROBLEMS_LISTED = 1000
VERDICTS = (Verdict.ACCEPT, Verdict.REJECT, Verdict.ADD, Verdict.REMOVE)


@dataclass(frozen=True, slots=True)
class LineProblem:
    line: int
    code: str
    message: str
    value: str = ""


@dataclass(slots=True)
class Decided:
    """How many decisions were stored, the last one's ``seq``, and the lines that were not taken."""

    decisions: int = 0
    seq: int = 0
    problems: int = 0
    problem_list: list[LineProblem] = field(default_factory=list)

    def say(self, line: int, code: str, message: str, value: object = "") -> None:
        self.problems += 1
        if len(self.problem_list) < PROBLEMS_LISTED:
            self.problem_list.append(LineProblem(line, code, message, str(value)[:80]))


@dataclass(slots=True)
class _Draft:
    """A card in the making: verdicts by tag, and the line it began on."""

    product: Product
    reviewer: str
    line: int
    choices: dict[int, Choice] = field(default_factory=dict)
    complete: dict[int, Facet] = field(default_factory=dict)


def decide_lines(
    *, catalogue: Catalogue, lines: Iterable[str | Mapping[str, Any]], user: User | None = None
) -> Decided:
    """Store ``{product, facet, tag, verdict, reviewer}`` and ``{product, complete: true | [facets], reviewer}`` lines.

    Lines about one product are saved as one card, in their order. A bad line is a problem and the others go in.
    A value that an open facet or one of numbers does not have yet becomes its tag. A reviewer without an account gets
    one that cannot sign in, so that the log names them.
    """
    report = Decided(seq=catalogue.seq)
    names = Names.of(catalogue)
    people: dict[str, Circumstances] = {}
    numbered = enumerate(lines, start=1)
    while block := list(islice(numbered, BLOCK)):
        parsed = [(n, row) for n, line in block if (row := _parse(n, line, report)) is not None]
        products = {
            p.external_id: p
            for p in Product.objects.filter(
                catalogue=catalogue, external_id__in={str(row["product"]) for _n, row in parsed}
            )
        }
        for product in products.values():
            product.catalogue = catalogue
        new_values.take_values(catalogue=catalogue, values=_said(parsed, products, names), user=user, names=names)
        for drafts in _rounds(_drafts(parsed, products, names, report)):
            by_reviewer: dict[str, list[_Draft]] = {}
            for draft in drafts:
                by_reviewer.setdefault(draft.reviewer, []).append(draft)
            for reviewer, theirs in by_reviewer.items():
                try:
                    by = people.get(reviewer) or people.setdefault(
                        reviewer, reviewer_named(catalogue=catalogue, name=reviewer, user=user)
                    )
                except Refused as refused:
                    for draft in theirs:
                        report.say(draft.line, refused.code, refused.message, reviewer)
                    continue
                _save(catalogue, theirs, by, report)
    return report


def _parse(number: int, line: str | Mapping[str, Any], report: Decided) -> Mapping[str, Any] | None:
    if isinstance(line, str):
        if not line.strip():
            return None
        try:
            line = json.loads(line)
        except (ValueError, RecursionError):
            report.say(number, "broken-json", _("This line is not valid JSON."), line)
            return None
    if not isinstance(line, Mapping):
        report.say(number, "not-an-object", _("This line is no JSON object."), line)
        return None
    for name in ("product", "reviewer"):
        if not isinstance(line.get(name), str | int) or not str(line[name]).strip():
            report.say(number, f"no-{name}", _("This line names no “%(name)s”.") % {"name": name}, line.get(name, ""))
            return None
    return line


def _said(
    parsed: Iterable[tuple[int, Mapping[str, Any]]], products: Mapping[str, Product], names: Names
) -> Iterator[tuple[Facet, str, Product]]:
    """Values that a line gives a product in a facet which takes new ones: those without a tag get it at once."""
    for _number, row in parsed:
        product, facet = products.get(str(row["product"])), names.facet(str(row.get("facet") or ""))
        if product and facet and facet.takes_new_values and row.get("verdict") in (Verdict.ACCEPT, Verdict.ADD):
            yield facet, str(row.get("tag") or ""), product


def _drafts(
    parsed: Iterable[tuple[int, Mapping[str, Any]]], products: Mapping[str, Product], names: Names, report: Decided
) -> Iterator[_Draft]:
    """Cards in the order they were begun. A tag that is decided on a second time begins the product's next card."""
    open_drafts: dict[tuple[str, str], _Draft] = {}
    for number, row in parsed:
        product = products.get(str(row["product"]))
        if product is None:
            report.say(number, "unknown-product", _("No product has this id."), row["product"])
            continue
        key = (product.external_id, str(row["reviewer"]).strip())
        draft = open_drafts.get(key) or open_drafts.setdefault(key, _Draft(product, key[1], number))
        if "complete" in row and row.get("tag") is None:
            draft.complete |= {f.id: f for f in _completed(number, row["complete"], product, names, report)}
            continue
        choice = _choice(number, row, names, report)
        if choice is None:
            continue
        known = draft.choices.get(choice.tag.id)
        if known is None:
            draft.choices[choice.tag.id] = choice
        elif known.verdict != choice.verdict:
            yield draft
            open_drafts[key] = _Draft(product, key[1], number, {choice.tag.id: choice})
    yield from open_drafts.values()


def _completed(number: int, complete: object, product: Product, names: Names, report: Decided) -> Iterator[Facet]:
    if complete is True:
        yield from (facet for facet in names.facets if facet.applies(product.category))
    elif isinstance(complete, list):
        for name in complete:
            if facet := names.facet(str(name)):
                yield facet
            else:
                report.say(number, "unknown-facet", _("No facet has this name."), name)
    else:
        report.say(number, "complete", _("“complete” is neither true nor a list of facets."), complete)


def _choice(number: int, row: Mapping[str, Any], names: Names, report: Decided) -> Choice | None:
    facet = names.facet(str(row.get("facet") or ""))
    if facet is None:
        report.say(number, "unknown-facet", _("No facet has this name."), row.get("facet", ""))
        return None
    tag = names.tag(facet, str(row.get("tag") or ""))
    if tag is None:
        report.say(number, *_no_tag(facet, str(row.get("tag") or "")), row.get("tag", ""))
        return None
    if row.get("verdict") not in VERDICTS:
        message = _("The verdict is none of accept, reject, add, remove.")
        report.say(number, "verdict", message, row.get("verdict", ""))
        return None
    reason = str(row.get("reason") or "")
    if reason and reason not in Reason.values:
        report.say(number, "reason", _("This reason is not known."), reason)
        return None
    return Choice(tag, str(row["verdict"]), reason=reason)


def _no_tag(facet: Facet, text: str) -> tuple[str, str]:
    """Code and message: why the facet has no such tag."""
    if facet.kind == Facet.Kind.NUMERIC:
        try:
            new_values.checked(facet, text)
        except Refused as no:
            return no.code, no.message
    return "unknown-tag", _("“%(facet)s” has no tag of this name.") % {"facet": facet.label}


def _rounds(drafts: Iterable[_Draft]) -> Iterator[list[_Draft]]:
    """The first card of every product, then the second of those that have one, and so on: a product's cards stay in
    order, and no batch holds two of them."""
    rounds: list[list[_Draft]] = []
    turn: dict[int, int] = {}
    for draft in drafts:
        if not draft.choices and not draft.complete:
            continue
        place = turn.get(draft.product.id, 0)
        turn[draft.product.id] = place + 1
        if place == len(rounds):
            rounds.append([])
        rounds[place].append(draft)
    yield from rounds


def _save(catalogue: Catalogue, drafts: list[_Draft], by: Circumstances, report: Decided) -> None:
    """All at once; where one card is refused, one by one, so that only that one stays out."""
    cards = [Card(d.product, tuple(d.choices.values()), tuple(d.complete.values())) for d in drafts]
    try:
        saved = save_cards(catalogue=catalogue, cards=cards, by=by)
    except Refused as refused:
        if len(drafts) == 1:
            report.say(drafts[0].line, refused.code, refused.message, drafts[0].product.external_id)
            return
        middle = len(drafts) // 2
        _save(catalogue, drafts[:middle], by, report)
        _save(catalogue, drafts[middle:], by, report)
    else:
        report.decisions += saved.decisions
        report.seq = max(report.seq, saved.seq)


def reviewer_named(*, catalogue: Catalogue, name: str, user: User | None = None) -> Circumstances:
    """Who is named, and their role here; one without an account gets one that cannot sign in.

    Raises Refused for somebody with an account who is no member.
    """
    person = User.objects.filter(username=name).first()
    membership = Membership.objects.filter(catalogue=catalogue, user=person).first() if person else None
    if membership is not None and person is not None:
        return Circumstances(person, membership.role, Input.BULK)
    if person is not None and person.has_usable_password():
        raise Refused(_("“%(name)s” is no member of this catalogue.") % {"name": name}, "no-member")
    if len(name) > User._meta.get_field("username").max_length:  # type: ignore[operator]
        raise Refused(_("This name is too long."), "long-name")
    with transaction.atomic():
        if person is None:
            person = User(username=name, is_active=False)
            person.set_unusable_password()
            person.save()
            data = {"signs_in": False, "why": "named as the one who decided outside of the review screen"}
            audit.record(word=Event.USER_CREATED, catalogue=catalogue, user=user, target=name, data=data)
        Membership.objects.create(catalogue=catalogue, user=person, role=Role.REVIEWER)
        data = {"role": Role.REVIEWER}
        audit.record(word=Event.MEMBER_ADDED, catalogue=catalogue, user=user, target=name, data=data)
    return Circumstances(person, Role.REVIEWER, Input.BULK)
