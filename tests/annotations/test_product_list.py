"""The product list: every filter by itself and together, the same through the API, saved views, a fixed query count."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotations.actions.people import create_token
from annotations.actions.tag_words import index_catalogue
from annotations.models import Product, QueueItem, RowChange, SavedFilter
from annotations.queries.products import Filters, NoSuchName, counted, matching
from tests.annotations.conftest import World, build_world

PAGE = "/c/shop/products/"


@pytest.fixture
def shop(world: World) -> World:
    """Eight products, each with something of its own."""
    changes: list[dict[str, Any]] = [
        {"title": "Red silk scarf", "category": "Fashion/Scarves", "supplier": "Acme"},
        {"title": "黑色羊毛大衣", "language": "zh-hans", "supplier": "Acme"},
        {"category": "", "description": "", "language": "zh"},
        {"archived_at": timezone.now(), "set_aside": "placeholder"},
    ]
    for product, fields in zip(world.products, changes, strict=True):
        Product.objects.filter(pk=product.pk).update(**fields)
    for n in range(4, 8):
        product = Product.objects.create(catalogue=world.catalogue, external_id=f"P-{n}", title=f"Lamp {n}" if n != 6 else "Lampe mit Ärmel",
                                         description="x", category="Home/Lamps", language="en", family="L")  # fmt: skip
        QueueItem.objects.create(product=product, catalogue=world.catalogue, status="queued")
        world.products.append(product)
    world.decide(world.products[0], red="accept", complete="colour")
    world.decide(world.products[1], black="accept", wool="accept", complete="colour material")
    index_catalogue(catalogue=world.catalogue)
    QueueItem.objects.filter(product=world.products[4]).update(flagged="odd")
    RowChange.objects.create(product=world.products[4], revision=2, reopened=[{"tag": "x"}], reopens=True)
    RowChange.objects.create(product=world.products[1], revision=2, reopened=[{"tag": "x"}], reopens=True)  # settled
    Product.objects.filter(pk=world.products[5].pk).update(archived_at=timezone.now())
    return world


ASKED: list[tuple[dict[str, str], list[int]]] = [
    ({}, [0, 1, 2, 4, 6, 7]),
    ({"search": "SILK"}, [0]),
    ({"search": "大衣"}, [1]),
    ({"search": "p-4"}, [4]),
    ({"search": "ÄRMEL"}, [6]),
    ({"search": "Fashion_Coats"}, []),
    ({"search": "%"}, []),
    ({"status": "done"}, [1]),
    ({"status": "flagged"}, [4]),
    ({"status": "archived"}, [3, 5]),
    ({"category": "Fashion"}, [0, 1]),
    ({"category": "Fashion/Coats"}, [1]),
    ({"category": "Fash"}, []),
    ({"supplier": "Acme"}, [0, 1]),
    ({"language": "zh"}, [1, 2]),
    ({"language": "zh-hans"}, [1, 2]),
    ({"tag": "colour:black"}, [1]),
    ({"tag": "羊毛"}, [1]),
    ({"missing": "colour"}, [2, 4, 6, 7]),
    ({"problem": "junk"}, [3]),
    ({"problem": "reopened"}, [4]),
    ({"problem": "no_category"}, [2]),
    ({"problem": "no_text"}, [2]),
    ({"family": "L"}, [4, 6, 7]),
    ({"supplier": "Acme", "missing": "material"}, [0]),
]


@pytest.mark.parametrize(("asked", "wanted"), ASKED)
def test_a_filter(shop: World, asked: dict[str, str], wanted: list[int]) -> None:
    found = matching(shop.catalogue, Filters.of(asked)).order_by("pk").values_list("pk", flat=True)
    assert list(found) == [shop.products[n].pk for n in wanted]


def test_names_that_are_not_there_are_said(shop: World, client: Client) -> None:
    for asked in ({"missing": "nope"}, {"tag": "colour:nope"}):
        with pytest.raises(NoSuchName):
            matching(shop.catalogue, Filters.of(asked))
    client.force_login(shop.people["viewer"])
    answer = client.get(PAGE, {"missing": "nope"})
    assert answer.status_code == 200 and "there is no facet “nope”" in answer.content.decode()


def test_a_count_stops_early(shop: World) -> None:
    assert counted(matching(shop.catalogue, Filters()), most=3) == 4
    assert counted(matching(shop.catalogue, Filters()), most=10) == 6


def test_the_api_narrows_by_the_same_filters_and_refuses_others(shop: World, client: Client) -> None:
    token = create_token(user=shop.people["viewer"], scopes=["export"]).secret
    head = {"HTTP_AUTHORIZATION": f"Token {token}"}
    url = "/api/v1/catalogues/shop/products/"
    for asked, wanted in ASKED:
        if asked.get("search") != "%":
            ids = [row["id"] for row in client.get(url, asked, **head).json()["results"]]
            assert ids == [f"P-{n}" for n in wanted], asked
    for asked in ({"colour": "red"}, {"status": "nope"}, {"problem": "nope"}, {"missing": "nope"}, {"tag": "no:no"}):
        answer = client.get(url, asked, **head)
        assert answer.status_code == 400, asked
        assert next(iter(asked)) in answer.content.decode()
    first = client.get(url, {"limit": 2}, **head).json()
    second = client.get(url, {"limit": 2, "after": first["next"]}, **head).json()
    assert [r["id"] for r in first["results"] + second["results"]] == ["P-0", "P-1", "P-2", "P-4"]


def test_the_page_costs_the_same_whatever_it_shows(client: Client, transactional_db: None) -> None:
    small = build_world(products=2)
    Product.objects.update(supplier="x")
    client.force_login(small.people["lead"])
    client.get(PAGE)

    def queries(asked: dict[str, str]) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(PAGE, asked).status_code == 200
        return len(seen)

    every = {"search": "coat", "status": "queued", "category": "Fashion", "language": "en", "missing": "material",
             "supplier": "x", "family": "F0"}  # fmt: skip
    few = [queries({}), queries(every)]
    for n in range(60):
        product = Product.objects.create(catalogue=small.catalogue, external_id=f"Q-{n}", title="Coat", supplier="x",
                                         category="Fashion", family="F0", language="en")  # fmt: skip
        QueueItem.objects.create(product=product, catalogue=small.catalogue, status="queued")
    assert [queries({}), queries(every)] == few
    assert few == [10, 14]  # what the fields offer is kept for some minutes


def test_views_are_kept_by_name_and_per_person(shop: World, client: Client) -> None:
    client.force_login(shop.people["viewer"])
    kept = client.post(
        f"{PAGE}filters/", {"name": "  Acme   open ", "supplier": "Acme", "missing": "material", "junk": "1"}
    )
    assert kept["Location"] == f"{PAGE}?missing=material&supplier=Acme"
    one = SavedFilter.objects.get()
    assert (one.name, one.query, one.user) == (
        "Acme open",
        {"supplier": "Acme", "missing": "material"},
        shop.people["viewer"],
    )
    client.post(f"{PAGE}filters/", {"name": "Acme open", "supplier": "Acme"})
    assert SavedFilter.objects.get().query == {"supplier": "Acme"}
    page = client.get(PAGE, {"supplier": "Acme"}).content.decode()
    assert 'aria-current="true">Acme open</a>' in page
    client.post(f"{PAGE}filters/", {"name": "", "supplier": "Acme"})
    client.post(f"{PAGE}filters/", {"name": "all"})
    assert SavedFilter.objects.count() == 1
    client.force_login(shop.people["reviewer"])
    assert "Acme open" not in client.get(PAGE).content.decode()
    assert client.post(f"{PAGE}filters/{one.pk}/drop/").status_code == 404
    client.force_login(shop.people["viewer"])
    assert client.post(f"{PAGE}filters/{one.pk}/drop/").status_code == 302 and not SavedFilter.objects.exists()
