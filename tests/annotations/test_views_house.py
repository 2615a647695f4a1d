"""Home, language, pictures, the frame around every page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from annotations.models import Catalogue, Membership, Picture, Product, User
from annotations.queries.overview import overviews
from tests.annotations.conftest import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", password="correct horse battery")


@pytest.fixture
def page(ada: User) -> Client:
    client = Client()
    client.force_login(ada)
    return client


def test_home_needs_somebody(client: Client, settings) -> None:
    settings.LOGIN_URL = "/login/"
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer["Location"] == "/login/?next=/"


def test_nothing_is_inline(page: Client) -> None:
    html = page.get("/").content.decode()
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", html)
    assert not re.search(r'<script(?![^>]*(\bsrc=|type="application/json"))', html)


def test_language_is_kept_for_the_reader(page: Client, ada: User) -> None:
    answer = page.post("/language/", {"language": "zh-hans", "next": "/"})
    assert answer["Location"] == "/"
    ada.refresh_from_db()
    assert ada.language == "zh-hans"
    assert 'lang="zh-hans"' in page.get("/").content.decode()


def test_language_leads_nowhere_else(page: Client) -> None:
    assert page.post("/language/", {"language": "xx", "next": "https://evil.example/"})["Location"] == "/"


def test_pictures_are_for_members(page: Client, ada: User, settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    sha = "ab" * 32
    (tmp_path / "p.png").write_bytes(b"\x89PNG not really")
    Picture.objects.create(sha256=sha, file="p.png", width=1, height=1)
    catalogue = Catalogue.objects.create(slug="shop", name="Shop")
    product = Product.objects.create(catalogue=catalogue, external_id="1", pictures=[sha])
    url = f"/media/small/{product.pk}/{sha}"
    assert page.get(url).status_code == 404, "a stranger"
    Membership.objects.create(catalogue=catalogue, user=ada, role="viewer")
    answer = page.get(url)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "image/png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["Cache-Control"].startswith("private")
    assert page.get(url, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    other = Product.objects.create(catalogue=catalogue, external_id="2")
    assert page.get(f"/media/small/{other.pk}/{sha}").status_code == 404, "a product that does not show it"
    assert page.get(f"/media/huge/{product.pk}/{sha}").status_code == 404
    Picture.objects.filter(sha256=sha).update(file="../../etc/passwd.png")
    assert page.get(url).status_code == 404, "nothing outside MEDIA_ROOT"


def test_home_says_what_comes_next(world: World, django_assert_max_num_queries: Any) -> None:
    page = Client()
    page.force_login(world.people["admin"])
    html = page.get("/").content.decode()
    assert "Review 4" in html
    assert "no worker is alive" in html
    world.decide(world.products[0], black="accept", complete="colour material", role="admin")
    Product.objects.filter(pk=world.products[1].pk).update(archived_at=timezone.now())
    view = overviews(world.people["admin"])[0]
    assert (view.products, view.decided, view.left, view.today, view.next_step) == (3, 1, 2, 1, "model")
    for n in range(5):
        more = Catalogue.objects.create(slug=f"more-{n}", name=f"More {n}")
        Membership.objects.create(catalogue=more, user=world.people["admin"], role="admin")
    with django_assert_max_num_queries(16):
        html = page.get("/").content.decode()
    assert html.count("No products yet") == 5


def test_home_without_a_catalogue_says_whom_to_ask(page: Client) -> None:
    assert "Ask its admin to add you" in page.get("/").content.decode()
