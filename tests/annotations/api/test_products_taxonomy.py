"""What goes in through the API: products pushed and mended, facets and tags kept in order."""

from __future__ import annotations

import json

import pytest

from annotations.models import Catalogue, Product, ProductTag, Tag
from annotations.queries.standing import differences
from tests.annotations.api.test_auth import is_problem


# -- products ----------------------------------------------------------------------------------------------------
def test_pages_by_id_without_gaps(world, viewer):
    seen, after = [], ""
    while after is not None:
        part = viewer.get(f"products/?limit=3&after={after}").json()
        seen += [row["id"] for row in part["results"]]
        after = part["next"]
    assert seen == ["P-0", "P-1", "P-2", "P-3"]


def test_filters_are_the_named_ones(world, viewer):
    def ids(query):
        return [row["id"] for row in viewer.get(f"products/?{query}").json()["results"]]

    world.decide(world.products[0], black="accept", complete="colour material")
    assert ids("status=done") == ["P-0"]
    assert ids("family=F1") == ["P-2", "P-3"]
    assert len(ids("category=Fashion")) == 4
    assert ids("category=Fash") == []
    assert ids("archived=true") == []
    for query in ("title=x", "catalogue=1", "status=gone", "order=title", "queue_item__status=done", "limit=501"):
        is_problem(viewer.get(f"products/?{query}"), 400, "invalid")


def test_one_product_and_what_stands(world, viewer):
    world.decide(world.products[0], black="accept", wool="reject", complete="colour")
    one = viewer.get("products/P-0/").json()
    assert (one["id"], one["version"], one["status"]) == ("P-0", 1, "queued")
    assert one["facets"][0] == {"facet": "colour", "complete": True, "approved": ["black"], "rejected": []}
    is_problem(viewer.get("products/nothing/"), 404, "not_found")


def test_an_id_may_be_anything_that_a_shop_thinks_of(world, lead):
    odd = "中文/a b?c#d%e"
    assert lead.post("products/bulk/", [{"id": odd, "title": "Odd"}]).json()[0]["status"] == "created"
    from urllib.parse import quote

    assert lead.get(f"products/{quote(odd, safe='')}/").json()["title"] == "Odd"
    is_problem(lead.get("products/a%00b/"), 404, "not_found")


def test_bulk_answers_for_each_row(world, lead):
    rows = [
        {"id": "N-1", "title": "New", "attributes": {"Colour": ["Black"]}, "supplier": "Acme"},
        {"title": "no id"},
        {"id": "P-0", "title": "Black wool coat 0", "description": "Changed."},
        {"id": "N-1", "title": "twice"},
    ]
    answers = lead.post("products/bulk/", rows).json()
    assert [(a["id"], a["status"]) for a in answers] == [
        ("N-1", "created"), ("", "refused"), ("P-0", "updated"), ("N-1", "refused"),
    ]  # fmt: skip
    assert answers[1]["problems"][0]["code"]
    made = Product.objects.get(external_id="N-1")
    assert (made.title, made.extra) == ("New", {"supplier": "Acme"})
    again = lead.post("products/bulk/", rows[:1]).json()
    assert again[0]["status"] == "unchanged"


@pytest.mark.parametrize("body", [{}, {"id": "x"}, [1], ["x"], "x", [[]], None, [None]])
def test_bulk_takes_lists_of_products(world, lead, body):
    is_problem(lead.call("post", "products/bulk/", json.dumps(body)), 400, "invalid")


HOSTILE = [
    {"id": "h", "title": "a\u0000b"},
    {"id": "h", "title": "\ud800"},
    {"id": "\ud800", "title": "x"},
    {"id": "h", "extra": "\udfff"},
    {"id": "h", "\ud800": "x"},
    {"id": "h", "title": {"deep": [[[[]]]]}},
    {"id": "h", "title": 10**400},
    {"id": "h", "title": 1.5e300, "attributes": "x"},
    {"id": "h", "attributes": {"a": {"b": "c"}}},
    {"id": "h", "attributes": [1, 2]},
    {"id": "h", "category": "c" * 10_000},
    {"id": "h" * 1000},
    {"id": None},
    {"id": []},
    {"id": True},
    {"id": "h", "spans": [{"start": -5}], "images": {"x": 1}},
]


@pytest.mark.parametrize("row", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_row_is_answered_and_hurts_no_other(world, lead, row):
    answer = lead.post("products/bulk/", json.dumps([row, {"id": "fine", "title": "Fine"}]))
    assert answer.status_code in (200, 400), answer.content
    if answer.status_code == 200:
        assert answer.json()[1]["status"] == "created"
    assert lead.get("products/?limit=500").status_code == 200


def test_too_many_at_once(world, lead):
    is_problem(lead.post("products/bulk/", [{"id": str(n)} for n in range(1001)]), 422, "too_many")


def test_attributes_may_be_approved_tags(world, lead):
    rows = [{"id": "A-1", "title": "x", "attributes": {"colour": ["red"]}}]
    assert lead.post("products/bulk/?attributes=approved", rows).json()[0]["status"] == "created"
    assert ProductTag.objects.get(product__external_id="A-1").tag.slug == "red"
    is_problem(lead.post("products/bulk/?attributes=truth", rows), 400, "invalid")


def test_mending_one_leaves_the_rest(world, lead):
    lead.post("products/bulk/", [{"id": "M", "title": "Old", "description": "Stays.", "supplier": "Acme"}])
    changed = lead.patch("products/M/", {"title": "New", "attributes": {"Colour": ["Black"]}}).json()
    assert (changed["title"], changed["description"], changed["extra"]) == ("New", "Stays.", {"supplier": "Acme"})
    assert changed["attributes"] == {"Colour": ["Black"]}
    assert changed["revision"] == 2
    is_problem(lead.patch("products/M/", {"external_id": "other"}), 400, "invalid")
    is_problem(lead.patch("products/none/", {"title": "x"}), 404, "not_found")


# -- taxonomy ----------------------------------------------------------------------------------------------------
def test_facets_and_tags_are_read(world, viewer):
    facets = viewer.get("facets/").json()["results"]
    assert [(f["slug"], f["kind"], f["retired"]) for f in facets] == [
        ("colour", "single", False), ("material", "multi", False),
    ]  # fmt: skip
    tags = viewer.get("tags/?facet=material").json()["results"]
    assert [(t["facet"], t["slug"], t["label"]) for t in tags] == [
        ("material", "cotton", "Cotton"), ("material", "wool", "Wool"), ("material", "leather", "Leather"),
    ]  # fmt: skip
    assert viewer.get("tags/colour/black/").json()["labels"]["zh-hans"] == "黑色"
    is_problem(viewer.get("tags/colour/wool/"), 404, "not_found")
    is_problem(viewer.get("facets/mood/"), 404, "not_found")


def test_a_tag_from_birth_to_retirement(world, lead):
    made = lead.post("tags/", {"facet": "material", "labels": {"en": "Merino wool"}, "parent": "wool"})
    assert made.status_code == 201
    tag = made.json()
    assert (tag["slug"], tag["parent"]) == ("merino-wool", "wool")
    renamed = lead.post("tags/material/merino-wool/rename/", {"label": "Merino"}).json()
    assert (renamed["label"], renamed["slug"], renamed["synonyms"]) == (
        "Merino",
        "merino-wool",
        {"en": ["Merino wool"]},
    )
    assert lead.post("tags/material/merino-wool/move/", {"parent": None}).json()["parent"] is None
    changed = lead.patch("tags/material/merino-wool/", {"definitions": {"en": "Fine wool."}}).json()
    assert changed["definitions"] == {"en": "Fine wool."}
    assert lead.post("tags/material/merino-wool/retire/").json()["retired"] is True
    assert "merino-wool" not in [t["slug"] for t in lead.get("tags/").json()["results"]]
    assert "merino-wool" in [t["slug"] for t in lead.get("tags/?retired=true").json()["results"]]


def test_merging_moves_what_stands_and_the_feed_tells(world, lead):
    world.decide(world.products[0], wool="accept")
    merged = lead.post("tags/material/wool/merge/", {"into": "cotton"}).json()
    assert (merged["products"], merged["tag"]["merged_into"]) == (1, "cotton")
    assert world.standing(world.products[0]) == {"cotton": "approved"}
    lines = lead.get("changes/").json()["changes"]
    assert (lines[1]["event"], lines[1]["tag"], lines[1]["into"]) == ("tag merged", "wool", "cotton")
    told = [(c["tag"], c["state"]) for c in lines]
    assert sorted(told[2:]) == [("cotton", "approved"), ("wool", "removed")]
    assert differences(world.catalogue) == []


def test_a_facet(world, lead):
    made = lead.post("facets/", {"labels": {"en": "Occasion"}, "kind": "multi", "categories": ["Fashion"]})
    assert made.status_code == 201
    assert lead.patch("facets/occasion/", {"kind": "single"}).json()["kind"] == "single"
    assert lead.post("facets/occasion/retire/").json()["retired"] is True


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("facets/", {"labels": {}}, 422),
        ("facets/", {"labels": {"en": "Colour"}}, 422),
        ("facets/", {"labels": "Colour"}, 400),
        ("facets/", {"labels": {"en": "x"}, "kind": "tree"}, 400),
        ("facets/", {"labels": {"en": "\ud800"}}, 400),
        ("facets/", {"labels": {"en": "a\0"}}, 400),
        ("tags/", {"facet": "mood", "labels": {"en": "x"}}, 422),
        ("tags/", {"facet": "colour", "labels": {"en": "Black"}}, 422),
        ("tags/", {"facet": "colour", "labels": {"en": "x"}, "parent": "wool"}, 422),
        ("tags/", {"facet": "colour", "labels": {"en": "x"}, "synonyms": {"en": "not a list"}}, 400),
        ("tags/colour/black/rename/", {"label": ""}, 400),
        ("tags/colour/black/rename/", {"label": "x", "force": True}, 400),
        ("tags/colour/black/move/", {"parent": "black"}, 422),
        ("tags/colour/black/move/", {"parent": "nothing"}, 422),
        ("tags/colour/black/move/", {}, 400),
        ("tags/colour/black/merge/", {"into": "black"}, 422),
        ("tags/colour/black/merge/", {"into": "wool"}, 422),
    ],
)
def test_what_a_taxonomy_refuses(world, lead, path, body, status):
    before = list(Tag.objects.order_by("id").values())
    answer = lead.post(path, json.dumps(body))
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert list(Tag.objects.order_by("id").values()) == before


def test_the_language_codes_of_labels_are_text_too(world, lead):
    answer = lead.post("facets/", '{"labels": {"\\ud800": "x"}}')
    assert answer.status_code in (400, 422), answer.content


# -- catalogues --------------------------------------------------------------------------------------------------
def test_catalogues_are_those_of_the_user(world, admin, viewer):
    Catalogue.objects.create(slug="other", name="Other")
    assert [c["slug"] for c in viewer.get("/api/v1/catalogues/").json()["results"]] == ["shop"]
    made = admin.post("/api/v1/catalogues/", {"slug": "new", "languages": ["en", "de"]})
    assert made.status_code == 201
    assert admin.get("/api/v1/catalogues/new/").json()["languages"] == ["en", "de"]
    is_problem(viewer.get("/api/v1/catalogues/new/"), 404, "not_found")
    is_problem(admin.post("/api/v1/catalogues/", {"slug": "new"}), 409, "catalogue_exists")
    is_problem(admin.post("/api/v1/catalogues/", {"slug": "two words"}), 400, "invalid")


def test_settings_through_the_api(world, admin, lead):
    assert admin.patch("", {"blind_share": 0.1}).json()["blind_share"] == 0.1
    is_problem(lead.patch("", {"blind_share": 0.1}), 403, "role")
    for wrong in ({"blind_share": "nan"}, {"blind_share": 2}, {"slug": "x"}, {"lease_minutes": 0}, {"languages": []}):
        is_problem(admin.patch("", wrong), 400, "invalid")
    is_problem(admin.patch("", {"languages": ["English!"]}), 422, "language")
