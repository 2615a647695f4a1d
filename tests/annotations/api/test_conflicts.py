"""Settling by program."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client

from annotations.actions.people import create_token
from annotations.models import Catalogue
from tests.annotations.conftest import World, build_world


@pytest.fixture
def torn(db: None) -> World:
    world = build_world(2)
    Catalogue.objects.update(reviewers=2)
    world.catalogue.refresh_from_db()
    for product in world.products:
        product.catalogue = world.catalogue
        world.decide(product, black="accept", wool="accept", complete="colour material")
        world.decide(product, role="second", red="accept", wool="accept", complete="colour material")
    return world


def ask(world: World, method: str, path: str, body: object = None, role: str = "lead"):
    secret = create_token(user=world.people[role], scopes=["review"]).secret
    headers = {"Authorization": f"Token {secret}"}
    where = f"/api/v1/catalogues/shop/{path}"
    if method == "get":
        return Client().get(where, headers=headers)
    return Client().post(where, body, content_type="application/json", headers=headers)


def test_both_sides_and_the_last_word(torn: World) -> None:
    found = ask(torn, "get", "conflicts/?limit=1").json()
    assert found["total"] == 2 and len(found["results"]) == 1
    first = found["results"][0]
    assert first["facets"] == [
        {
            "facet": "colour",
            "sides": [{"reviewer": "reviewer", "tags": ["black"]}, {"reviewer": "second", "tags": ["red"]}],
        }
    ]
    body = {"id": str(uuid.uuid4()), "product": "P-0", "version": first["version"],
            "answers": [{"facet": "colour", "tags": ["red"]}]}  # fmt: skip
    said = ask(torn, "post", "conflicts/settle/", body)
    assert said.status_code == 200 and not said.json()["replayed"]
    assert ask(torn, "post", "conflicts/settle/", body).json() == {**said.json(), "replayed": True}
    assert torn.standing(torn.products[0]) == {"wool": "approved", "red": "approved", "black": "rejected"}
    late = ask(torn, "post", "conflicts/settle/", {**body, "id": str(uuid.uuid4())})
    assert late.status_code == 409 and late.json()["code"] == "stale_version"


def test_asking_again_and_what_is_refused(torn: World) -> None:
    version = torn.version(torn.products[1])
    assert ask(torn, "post", "conflicts/again/", {"product": "P-1", "version": version}, "reviewer").status_code == 403
    said = ask(torn, "post", "conflicts/again/", {"product": "P-1", "version": version})
    assert said.status_code == 200 and said.json()["undone"] == 4
    assert ask(torn, "post", "conflicts/again/", {"product": "P-1", "version": version}).status_code == 409
    for answers in ([{"facet": "nothing", "tags": []}], [{"facet": "colour", "tags": ["mauve"]}],
                    [{"facet": "colour", "tags": ["red", "black"]}]):  # fmt: skip
        body = {
            "id": str(uuid.uuid4()),
            "product": "P-0",
            "version": torn.version(torn.products[0]),
            "answers": answers,
        }
        assert ask(torn, "post", "conflicts/settle/", body).status_code == 422
    assert ask(torn, "post", "conflicts/again/", {"product": "none", "version": 0}).status_code == 404
