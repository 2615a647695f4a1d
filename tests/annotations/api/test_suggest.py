"""Suggestions on demand, from a real model that was just refitted."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command

from annotations.models import Decision, Product, Suggestion
from tests.annotations.api.test_auth import is_problem

ASKED = {"id": "x", "title": "Black wool coat", "description": "Warm."}


@pytest.fixture
def trained(world, settings, tmp_path, monkeypatch):
    """As on a machine without the packaged sentence encoder, whose first export takes a minute."""
    settings.MODELS_ROOT, settings.JOBS_ROOT = tmp_path / "models", tmp_path / "jobs"
    for n in range(24):
        colour = ("black", "red", "white")[n % 3]
        product = Product.objects.create(
            catalogue=world.catalogue, external_id=f"T-{n}", title=f"{colour} coat number {n}", category="Fashion",
        )  # fmt: skip
        product.queue_item = type(world.products[0].queue_item).objects.create(
            product=product, catalogue=world.catalogue
        )
        world.decide(product, **{colour: "accept"}, complete="colour")
    call_command("train", "shop", "--tier", "instant", "--wait", "--json")
    return world


def test_suggest_answers_and_stores_nothing(trained, reviewer):
    before = (Suggestion.objects.count(), Product.objects.count(), Decision.objects.count())
    rows = [{**ASKED, "id": "a"}, {"id": "b", "title": "red coat", "colour of the box": 7}, {"id": "c"}]
    answer = reviewer.post("suggest/", rows)
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert [row["id"] for row in told] == ["a", "b", "c"]
    black = told[0]["suggestions"]["colour"]
    assert max(black, key=lambda s: s["score"])["tag"] == "black"
    assert {s["label"] for s in black} <= {"Black", "Red", "White"}
    for suggestion in black:
        assert 0 <= suggestion["score"] <= 1
        assert suggestion["band"] in ("strong", "likely", "unsure")
        assert all(0 <= s["start"] < s["end"] <= len(rows[0][s["field"]]) for s in suggestion["spans"])
    assert (Suggestion.objects.count(), Product.objects.count(), Decision.objects.count()) == before


def test_no_model_yet(world, reviewer):
    is_problem(reviewer.post("suggest/", [ASKED]), 409, "no_model")


@pytest.mark.parametrize(
    "body",
    [{}, "x", [1], [[]], [{"title": {}}], [{"attributes": [1]}], [{"attributes": {"a": "b"}}], [{"id": "x" * 300}]],
)
def test_what_is_no_product(world, reviewer, body):
    is_problem(reviewer.post("suggest/", json.dumps(body)), 400, "invalid")


def test_too_many_at_once(world, reviewer):
    is_problem(reviewer.post("suggest/", [ASKED] * 201), 422, "too_many")
