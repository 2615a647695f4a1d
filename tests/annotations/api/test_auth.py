"""Who comes in: tokens as they are made, used, and ended."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from annotations.actions import people
from annotations.actions.errors import Refused
from annotations.models import ApiToken, Membership
from tests.annotations.api.conftest import program

HERE = "/api/v1/catalogues/shop/"


def is_problem(answer, status, code):
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["title"]
    assert body["detail"]
    assert body["type"] == "about:blank"
    return body


def test_only_the_digest_is_kept(world):
    made = people.create_token(user=world.people["viewer"], scopes=["export"])
    kept = ApiToken.objects.values().get()
    assert kept["digest"] == hashlib.sha256(made.secret.encode()).hexdigest()
    assert made.secret not in str(kept)
    assert made.secret.startswith(kept["prefix"])
    assert len(kept["prefix"]) <= 8


@pytest.mark.parametrize(
    "header",
    [None, "", "Token", "Token ", "Token wrong", "Token a b", "Bearer {secret}", "Basic {secret}", "Token {secret}x",
     "Token \xff\xfe", "{secret}", "Token {digest}"],
)  # fmt: skip
def test_other_headers_do_not_open(world, header):
    made = people.create_token(user=world.people["admin"], scopes=["export"])
    headers = {} if header is None else {
        "Authorization": header.format(secret=made.secret, digest=made.token.digest)
    }  # fmt: skip
    answer = Client().get(HERE, headers=headers)
    assert is_problem(answer, 401, answer.json()["code"])["code"] in ("not_authenticated", "authentication_failed")
    assert answer["WWW-Authenticate"] == "Token"


def test_the_control_the_right_header_opens(world):
    made = people.create_token(user=world.people["admin"], scopes=["export"])
    for word in ("Token", "token", "TOKEN"):
        assert Client().get(HERE, headers={"Authorization": f"{word} {made.secret}"}).status_code == 200


def expire(made):
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def change_role(made):
    people.set_role(user=made.user, catalogue=made.user.memberships.get().catalogue, role="lead")


ENDINGS = {
    "revoked": lambda token: people.revoke_token(token=token),
    "expired": expire,
    "disabled": lambda token: people.set_active(user=token.user, active=False),
    "password changed": lambda token: people.set_password(user=token.user, password="another long phrase"),
    "role changed": change_role,
}


@pytest.mark.parametrize("how", ENDINGS)
def test_a_token_ends(world, how):
    asker = program(world.people["reviewer"], "review")
    assert asker.get("").status_code == 200
    ENDINGS[how](asker.token)
    is_problem(asker.get(""), 401, "authentication_failed")


def test_what_ended_does_not_come_back(world):
    asker = program(world.people["reviewer"], "review")
    people.set_active(user=world.people["reviewer"], active=False)
    people.set_active(user=world.people["reviewer"], active=True)
    assert asker.get("").status_code == 401


def test_the_same_role_again_ends_nothing(world):
    asker = program(world.people["reviewer"], "review")
    people.set_role(user=world.people["reviewer"], catalogue=world.catalogue, role="reviewer")
    assert asker.get("").status_code == 200


def test_a_member_who_left_is_a_stranger(world):
    people.remove_member(user=world.people["reviewer"], catalogue=world.catalogue)
    is_problem(program(world.people["reviewer"], "review").get(""), 404, "not_found")


def test_scope_before_role(world):
    is_problem(program(world.people["admin"], "review").post("exports/", {"format": "jsonl"}), 403, "scope")
    is_problem(program(world.people["viewer"], "review").get("review/next/"), 403, "role")


def test_use_is_noted_once_a_minute(world, django_assert_num_queries):
    asker = program(world.people["viewer"], "export")
    asker.get("")
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    with django_assert_num_queries(2):  # the token with its user, the membership with its catalogue
        asker.get("")
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
    asker.get("")
    assert ApiToken.objects.get().last_used_at > first


def test_too_many_requests_wait(world, settings):
    cache.clear()
    settings.API_REQUESTS_PER_MINUTE = 3
    asker, other = program(world.people["viewer"], "export"), program(world.people["viewer"], "export")
    answers = [asker.get("") for _ in range(8)]  # a window may end once in between
    limited = [a for a in answers if a.status_code == 429]
    assert limited, "the limit holds"
    is_problem(limited[0], 429, "throttled")
    assert 1 <= int(limited[0]["Retry-After"]) <= 61
    assert other.get("").status_code == 200, "each token has its own count"


def test_a_catalogue_keeps_an_admin(world):
    with pytest.raises(Refused, match="needs an admin"):
        people.set_role(user=world.people["admin"], catalogue=world.catalogue, role="viewer")
    with pytest.raises(Refused, match="needs an admin"):
        people.remove_member(user=world.people["admin"], catalogue=world.catalogue)
    people.set_role(user=world.people["lead"], catalogue=world.catalogue, role="admin")
    people.remove_member(user=world.people["admin"], catalogue=world.catalogue)
    assert Membership.objects.filter(role="admin").count() == 1


@pytest.mark.parametrize("scopes", [[], ["everything"], ["review", "root"], [""]])
def test_scopes_are_known_ones(world, scopes):
    with pytest.raises(Refused):
        people.create_token(user=world.people["admin"], scopes=scopes)


@pytest.mark.parametrize("days", [0, -1, 10**6])
def test_a_token_expires(world, days):
    with pytest.raises(Refused):
        people.create_token(user=world.people["admin"], scopes=["export"], days=days)


def test_errors_are_problems_everywhere(world, viewer):
    is_problem(viewer.get("/api/v1/nonsense"), 404, "not_found")
    is_problem(viewer.get("/api/v1/catalogues/other/"), 404, "not_found")
    is_problem(viewer.call("delete", ""), 405, "method_not_allowed")
    body = is_problem(viewer.get("?limt=5"), 400, "invalid")
    assert "limt" in body["errors"]
    is_problem(viewer.get("changes/?after=1&after=2"), 400, "invalid")
    for text in ("{", "[1,", "\ufffd", '{"a": NaN}', "[" * 100_000):
        answer = viewer.client.post(
            HERE + "exports/", text, content_type="application/json",
            headers={"Authorization": f"Token {viewer.secret}"},
        )  # fmt: skip
        is_problem(answer, 400, "parse_error")
    answer = viewer.client.post(
        HERE + "exports/", "a=b", content_type="text/plain", headers={"Authorization": f"Token {viewer.secret}"}
    )
    is_problem(answer, 415, "unsupported_media_type")
    is_problem(viewer.post("exports/", ["a", "list"]), 400, "invalid")
    body = is_problem(viewer.post("exports/", {"format": "jsonl", "colour": 1}), 400, "invalid")
    assert "colour" in body["errors"]


def test_a_body_beyond_the_limit_is_not_read(world, viewer, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    is_problem(viewer.post("exports/", {"format": "x" * 2000}), 413, "too_large")


def test_the_schema_and_its_page_are_open_and_the_rest_is_not(db, client):
    assert client.get("/api/v1/schema/").status_code == 200
    assert client.get("/api/v1/docs/").status_code == 200
    assert client.get("/api/v1/").status_code == 401
    assert client.get("/api/v1/catalogues/").status_code == 401


def test_a_session_is_no_token(world, client):
    client.force_login(world.people["admin"])
    assert client.get(HERE).status_code == 401
