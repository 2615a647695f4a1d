"""The feed: nothing missing, nothing twice, in commit order, under writers who hurry; and what stood as of a number."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter

import pytest
from django.db import connections

from annotations.actions import undo
from annotations.actions.decide import Card, Choice, Circumstances, save_card
from annotations.models import Catalogue, Change, Decision, Product
from annotations.queries.feed import all_changes, changes, last_seq, rows_as_of
from tests.annotations.conftest import build_world

WRITERS, CARDS = 8, 8


def replay(lines):
    standing = {}
    for line in lines:
        standing[line["product"], line["facet"], line["tag"]] = line["state"]
    return {key: state for key, state in standing.items() if state != "removed"}


def rows(catalogue, as_of):
    return {
        (row.product_id, facet, tag.slug): tag.state
        for row in rows_as_of(catalogue, as_of)
        for facet, tags in row.tags.items()
        for tag in tags
    }


def test_a_line_says_what_contract_promises(world):
    saved = world.decide(world.products[0], black="accept", wool="reject", complete="colour")
    lines = changes(world.catalogue)
    assert [(x["product"], x["facet"], x["tag"], x["state"]) for x in lines] == [
        ("P-0", "colour", "black", "approved"), ("P-0", "material", "wool", "rejected"),
    ]  # fmt: skip
    assert set(lines[0]) == {
        "seq", "product", "facet", "tag", "state", "score", "source", "model_version", "decided_by", "decided_at",
    }  # fmt: skip
    assert lines[0]["decided_by"] == "reviewer"
    assert lines[-1]["seq"] <= saved.seq
    assert changes(world.catalogue, after=lines[0]["seq"]) == lines[1:]
    assert changes(world.catalogue, limit=1) == lines[:1]


def test_removals_and_undos_are_changes(world):
    product = world.products[0]
    world.decide(product, black="accept")
    world.decide(product, red="accept")  # one value: black makes room
    undo.undo(catalogue=world.catalogue, by=world.by())
    told = [(x["tag"], x["state"]) for x in changes(world.catalogue)]
    assert told[0] == ("black", "approved")
    assert Counter(told[1:]) == Counter(
        [("red", "approved"), ("black", "removed"), ("red", "removed"), ("black", "approved")]
    )
    assert replay(changes(world.catalogue)) == {("P-0", "colour", "black"): "approved"}


def test_what_stood_then_is_what_the_feed_says_of_then(world):
    history = [(0, {})]
    for number, product in enumerate(world.products * 3):
        if number % 4 == 3:
            undo.undo(catalogue=world.catalogue, by=world.by())
        else:
            colour = ["black", "red", "white"][number % 3]
            world.decide(product, **{colour: "accept", "wool": ["accept", "reject", "remove"][number % 3]})
        history.append((last_seq(world.catalogue), replay(all_changes(world.catalogue))))
    for as_of, then in history:
        assert rows(world.catalogue, as_of) == then
    assert len(history[-1][1]) == 3


def test_rows_come_by_external_id_in_any_size(world, monkeypatch):
    monkeypatch.setattr("annotations.queries.feed.PRODUCTS_AT_ONCE", 2)
    for product in reversed(world.products):
        world.decide(product, black="accept")
    assert [row.product_id for row in rows_as_of(world.catalogue, last_seq(world.catalogue))] == [
        "P-0", "P-1", "P-2", "P-3",
    ]  # fmt: skip


def test_another_catalogue_is_not_told(world):
    world.decide(world.products[0], black="accept")
    other = Catalogue.objects.create(slug="other", name="Other", seq=99)
    assert changes(other) == []
    assert list(rows_as_of(other, 99)) == []


# -- under writers -----------------------------------------------------------------------------------------------
class Reader(threading.Thread):
    """Follows a feed the way a shop's program does: goes on from the last cursor it has seen."""

    def __init__(self, read):
        super().__init__(daemon=True)
        self.read, self.seen, self.stop = read, [], threading.Event()

    def run(self):
        cursor = None
        try:
            while True:
                last = self.stop.is_set()
                while part := self.read(cursor):
                    self.seen += [key for key, _cursor in part]
                    cursor = part[-1][1]
                if last:
                    return
                time.sleep(0.001)
        finally:
            connections.close_all()


def by_seq(catalogue):
    def read(cursor):
        return [(line["seq"], line["seq"]) for line in changes(catalogue, after=cursor or 0, limit=7)]

    return read


def hurry(write, writers=WRITERS):
    """Run ``write(n)`` in as many threads; raises what any of them raised."""
    errors = []

    def work(n):
        try:
            write(n)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def promise_kept(seen, stored):
    """What the promise says, as a list of broken parts; empty: kept."""
    broken = []
    if missing := set(stored) - set(seen):
        broken.append(f"{len(missing)} missing")
    if len(seen) != len(set(seen)):
        broken.append("doubled")
    if seen != sorted(seen):
        broken.append("out of order")
    return broken


def follow(read, write):
    reader = Reader(read)
    reader.start()
    try:
        hurry(write)
    finally:
        reader.stop.set()
        reader.join(30)
    return reader.seen


def writers_of(world, before=lambda: None):
    """What each writer does: CARDS cards of two decisions each, on products of its own."""
    tags = list(world.tags.values())

    def write(n):
        for number in range(CARDS):
            product = Product.objects.get(pk=world.products[n * CARDS + number].pk)
            card = Card(product, (Choice(tags[number % 3], "accept"), Choice(tags[3 + number % 3], "reject")))
            before()
            save_card(card=card, version=0, by=Circumstances(world.people["reviewer"], "reviewer"))

    return write


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_eight_writers_and_a_reader():
    world = build_world(products=WRITERS * CARDS)
    seen = follow(by_seq(world.catalogue), writers_of(world))
    stored = list(Change.objects.order_by("seq").values_list("seq", flat=True))
    assert len(stored) == WRITERS * CARDS * 2
    assert promise_kept(seen, stored) == []
    numbers = list(Decision.objects.order_by("seq").values_list("seq", flat=True))
    assert numbers == list(range(1, len(numbers) + 1)), "no gap either"


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_the_control_numbers_taken_early_are_caught(monkeypatch):
    """The same writers, reader and check, but each takes its numbers first and commits later, as a database sequence
    or an id would have it. If the check kept quiet here, the test above would prove nothing."""
    world = build_world(products=WRITERS * CARDS)
    counter, mine = itertools.count(1), threading.local()

    def reserve():
        mine.numbers = [next(counter), next(counter)]
        time.sleep(0.003 * (mine.numbers[0] % 5))

    monkeypatch.setattr("annotations.actions.decide.take_seq", lambda catalogue, count: mine.numbers[count - 1])
    seen = follow(by_seq(world.catalogue), writers_of(world, reserve))
    stored = list(Change.objects.values_list("seq", flat=True))
    assert len(stored) == WRITERS * CARDS * 2
    assert any("missing" in part for part in promise_kept(seen, stored))
