"""Decisions from outside: good lines go in, bad ones are problems with their line, and the log names who decided."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from annotations.actions.attribute_tags import tags_from_attributes
from annotations.actions.decide_lines import decide_lines
from annotations.actions.facets import add_facet
from annotations.actions.imports import import_products
from annotations.models import AuditEvent, Catalogue, Decision, Event, Membership, QueueItem, User
from annotations.queries.standing import differences
from tests.annotations.conftest import World


def line(product: str = "P-0", **more: Any) -> dict[str, Any]:
    return {"product": product, "reviewer": "reviewer", **more}


def verdict(tag: str, said: str = "accept", facet: str = "material", **more: Any) -> dict[str, Any]:
    return line(facet=facet, tag=tag, verdict=said, **more)


def test_lines_of_a_product_are_one_card(world: World) -> None:
    lines = [
        json.dumps(verdict("wool")),
        verdict("Cotton", "reject"),
        verdict("黑色", facet="Colour"),
        "",
        line(complete=True),
        line("P-1", complete=["Material"]),
    ]
    decided = decide_lines(catalogue=world.catalogue, lines=lines)
    assert (decided.decisions, decided.problems, decided.seq) == (6, 0, 6)
    assert world.standing(world.products[0]) == {"wool": "approved", "cotton": "rejected", "black": "approved"}
    assert QueueItem.objects.get(product=world.products[0]).status == "done"
    assert QueueItem.objects.get(product=world.products[1]).status == "queued"
    assert set(Decision.objects.values_list("reviewer__username", "role", "input")) == {
        ("reviewer", "reviewer", "bulk")
    }
    assert differences(world.catalogue) == []


def test_bad_lines_stay_out_by_line_and_good_ones_go_in(world: World) -> None:
    lines: list[Any] = [
        "{not json",
        "[1]",
        {"product": "P-0", "facet": "material", "tag": "wool", "verdict": "accept"},
        line("no-such", complete=True),
        verdict("wool", facet="mood"),
        verdict("felt"),
        verdict("wool", "maybe"),
        verdict("wool", reason="because"),
        line(complete="yes"),
        line(complete=["material", "mood"]),
        verdict("wool"),
    ]
    decided = decide_lines(catalogue=world.catalogue, lines=lines)
    assert [(p.line, p.code) for p in decided.problem_list] == [
        (1, "broken-json"),
        (2, "not-an-object"),
        (3, "no-reviewer"),
        (4, "unknown-product"),
        (5, "unknown-facet"),
        (6, "unknown-tag"),
        (7, "verdict"),
        (8, "reason"),
        (9, "complete"),
        (10, "unknown-facet"),
    ]
    assert decided.problems == 10
    assert decided.decisions == 2  # material complete, wool accepted
    assert world.standing(world.products[0]) == {"wool": "approved"}


def test_two_values_of_a_single_choice_keep_only_their_own_card_out(world: World) -> None:
    lines = [
        verdict("wool"),
        {**verdict("black", facet="colour"), "product": "P-1"},
        {**verdict("red", facet="colour"), "product": "P-1"},
        {**verdict("cotton"), "product": "P-2"},
    ]
    decided = decide_lines(catalogue=world.catalogue, lines=lines)
    assert [(p.line, p.code, p.value) for p in decided.problem_list] == [(2, "single_choice", "P-1")]
    assert decided.decisions == Decision.objects.count() == 2
    assert [world.standing(p) for p in world.products[:3]] == [{"wool": "approved"}, {}, {"cotton": "approved"}]


def test_the_last_word_on_a_tag_wins_and_a_repeated_line_counts_once(world: World) -> None:
    lines = [verdict("wool"), verdict("wool"), verdict("wool", "reject"), verdict("cotton"), verdict("wool")]
    decided = decide_lines(catalogue=world.catalogue, lines=lines)
    assert decided.problems == 0
    assert list(Decision.objects.order_by("seq").values_list("tag__slug", "verdict")) == [
        ("wool", "accept"),
        ("wool", "reject"),
        ("cotton", "accept"),
        ("wool", "accept"),
    ]
    assert differences(world.catalogue) == []


def test_a_reviewer_without_an_account_gets_one_that_cannot_sign_in(world: World) -> None:
    decide_lines(catalogue=world.catalogue, lines=[{**verdict("wool"), "reviewer": "oracle"}])
    oracle = User.objects.get(username="oracle")
    assert (oracle.is_active, oracle.has_usable_password()) == (False, False)
    assert Membership.objects.get(user=oracle).role == "reviewer"
    assert AuditEvent.objects.get(word=Event.USER_CREATED).data["signs_in"] is False
    # a second catalogue may name the same oracle
    other = Catalogue.objects.create(slug="other", name="Other")
    assert decide_lines(catalogue=other, lines=[line("x", complete=True)]).problems == 1
    assert User.objects.filter(username="oracle").count() == 1


def test_somebody_with_an_account_who_is_no_member_decides_nothing(world: World) -> None:
    User.objects.create_user(username="stranger", password="a long enough phrase")
    decided = decide_lines(catalogue=world.catalogue, lines=[{**verdict("wool"), "reviewer": "stranger"}])
    assert [(p.line, p.code) for p in decided.problem_list] == [(1, "no-member")]
    assert not Decision.objects.exists()
    assert not Membership.objects.filter(user__username="stranger").exists()


def test_products_of_another_catalogue_are_unknown(world: World) -> None:
    other = Catalogue.objects.create(slug="other", name="Other")
    decided = decide_lines(catalogue=other, lines=[line(complete=True)])
    assert [p.code for p in decided.problem_list] == ["unknown-product"]


def test_values_that_a_facet_takes_become_tags_as_they_are_decided_on(world: World) -> None:
    weight = add_facet(catalogue=world.catalogue, labels={"en": "Weight"}, kind="numeric", unit="kg", user=None)
    add_facet(catalogue=world.catalogue, labels={"en": "Brand"}, kind="open", user=None)

    def said(facet: str, tag: str, word: str = "accept") -> dict[str, Any]:
        return {**line(), "facet": facet, "tag": tag, "verdict": word}

    decided = decide_lines(
        catalogue=world.catalogue,
        lines=[said("weight", "1500 g"), said("brand", "Acme"), said("brand", "Other", "reject"), said("weight", "5 litres"),
               said("material", "Linen")],
    )  # fmt: skip
    assert world.standing(world.products[0]) == {"1p5-kg": "approved", "acme": "approved"}
    assert weight.tags.get().number == 1.5
    assert [(p.line, p.code) for p in decided.problem_list] == [(3, "unknown-tag"), (4, "unit"), (5, "unknown-tag")]


@pytest.mark.long
@pytest.mark.shared
def test_an_oracle_decides_on_150_real_products(db: None, shared: Path) -> None:
    catalogue = Catalogue.objects.create(slug="day", name="Day", languages=["en", "zh-hans"])
    file = shared / "magento_luma_en" / "products.jsonl.gz"
    import_products(catalogue=catalogue, path=file)
    tags_from_attributes(catalogue=catalogue, user=None)
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        rows = [json.loads(text) for text in stream][:150]
    lines: list[dict[str, Any]] = []
    for row in rows:
        lines += [
            {"product": row["id"], "facet": facet, "tag": value, "verdict": "accept", "reviewer": "oracle"}
            for facet, values in row["attributes"].items()
            for value in values
        ]
        lines.append({"product": row["id"], "complete": True, "reviewer": "oracle"})
    decided = decide_lines(catalogue=catalogue, lines=lines)
    verdicts = sum("tag" in row for row in lines)
    assert (decided.problems, decided.decisions) == (0, verdicts + 150 * 16)
    catalogue.refresh_from_db()
    assert decided.seq == catalogue.seq == decided.decisions + 1, "one number went to the tags that were made"
    assert QueueItem.objects.filter(catalogue=catalogue, status="done").count() == 150
    assert differences(catalogue) == []
