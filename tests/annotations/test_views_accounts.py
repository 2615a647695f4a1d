"""Doors of people: signing in with a limit on guessing, passwords, tokens, catalogues and members, exports."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connections
from django.test import Client
from django.utils import timezone

from annotations.actions import people, sign_in
from annotations.actions.errors import Refused
from annotations.actions.exports import write_export
from annotations.models import ApiToken, AuditEvent, Catalogue, ExportBatch, LoginAttempt, Membership, User

PASSWORD = "a long enough phrase"


def enter(client, name="reviewer", password=PASSWORD, **more):
    return client.post("/login/", {"name": name, "password": password, **more})


def inside(client):
    return client.get("/tokens/").status_code == 200


@pytest.fixture
def as_(world, client):
    def sign(role):
        client.force_login(world.people[role])
        return client

    return sign


# -- signing in --------------------------------------------------------------------------------------------------
def test_in_and_out(world, client):
    assert client.get("/login/").status_code == 200
    answer = enter(client)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert inside(client)
    assert client.get("/login/").status_code == 302, "who is in need not sign in"
    assert client.get("/logout/").status_code == 405, "a link cannot sign anybody out"
    assert inside(client)
    client.post("/logout/")
    assert not inside(client)
    assert list(AuditEvent.objects.values_list("word", flat=True)) == ["signed_in"]


@pytest.mark.parametrize(
    ("wanted", "goes_to"),
    [("/c/shop/exports/", "/c/shop/exports/"), ("https://elsewhere.example/", "/"), ("//elsewhere.example", "/"),
     ("javascript:alert(1)", "/"), ("\\\\elsewhere.example", "/"), ("", "/")],
)  # fmt: skip
def test_one_comes_back_to_where_one_was_and_never_elsewhere(world, client, wanted, goes_to):
    assert enter(client, next=wanted)["Location"] == goes_to


@pytest.mark.parametrize(
    ("name", "password"), [("reviewer", "wrong"), ("nobody", PASSWORD), ("reviewer", PASSWORD + " "), ("REVIEWER", "x")]
)
def test_the_words_are_the_same_whatever_was_wrong(world, client, name, password):
    User.objects.filter(username="lead").update(is_active=False)
    answer, inactive = enter(client, name, password), enter(Client(), "lead")
    assert (answer.status_code, inactive.status_code) == (422, 422)
    for page in (answer, inactive):
        assert "Name and password do not fit" in page.content.decode()
    assert not inside(client)


def test_what_is_typed_for_a_name_is_not_kept(world, client):
    enter(client, name="my secret passphrase", password="x")
    assert "my secret passphrase" not in str(list(AuditEvent.objects.values()) + list(LoginAttempt.objects.values()))


def test_guessing_ends(world, client, settings):
    for _ in range(settings.LOGIN_FAILURES_PER_NAME):
        assert enter(client, password="guess").status_code == 422
    answer = enter(client)
    assert answer.status_code == 429, "the right password does not help now, else it would tell"
    assert "Try again in 15 minutes" in answer.content.decode()
    assert 880 <= int(answer["Retry-After"]) <= 901
    assert enter(Client(), "second").status_code == 302, "another name may"
    LoginAttempt.objects.update(window_start=timezone.now() - timedelta(minutes=15, seconds=1))
    assert enter(client).status_code == 302


def test_one_address_cannot_try_every_name(world, client, settings):
    settings.LOGIN_FAILURES_PER_ADDRESS = 5
    for n in range(5):
        assert enter(client, f"name{n}", "guess").status_code == 422
    assert enter(client, "reviewer").status_code == 429
    elsewhere = Client(REMOTE_ADDR="203.0.113.9")
    assert enter(elsewhere).status_code == 302


def test_signing_in_costs_nothing_of_the_allowance(world, settings):
    for _ in range(settings.LOGIN_FAILURES_PER_NAME + 3):
        assert enter(Client()).status_code == 302


def test_an_address_cannot_be_made_up(world, client, settings):
    settings.LOGIN_FAILURES_PER_ADDRESS = 3
    for n in range(3):
        client.post("/login/", {"name": f"n{n}", "password": "x"}, headers={"X-Forwarded-For": f"198.51.100.{n}"})
    assert enter(client).status_code == 429, "without a proxy of ours the header is anybody's word"
    settings.BEHIND_PROXY = True
    answer = client.post(
        "/login/", {"name": "reviewer", "password": PASSWORD}, headers={"X-Forwarded-For": "1.1.1.1, 203.0.113.7"}
    )
    assert answer.status_code == 302


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("2001:db8::1", "2001:db8::ffff", True), ("2001:db8::1", "2001:db8:0:1::1", False),
     ("::ffff:203.0.113.9", "203.0.113.9", True), ("203.0.113.9", "203.0.113.8", False), ("", "rubbish", True)],
)  # fmt: skip
def test_a_network_is_what_one_customer_has(one, other, same):
    assert (sign_in.network_of(one) == sign_in.network_of(other)) is same


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_fifty_guesses_at_once_are_counted_one_by_one(settings):
    User.objects.create_user(username="reviewer", password=PASSWORD)
    settings.LOGIN_FAILURES_PER_NAME = 5
    answers, start = [], threading.Barrier(50)

    def guess():
        start.wait()
        try:
            sign_in.prove(name="reviewer", password="guess", address="203.0.113.9")
        except Refused as refusal:
            answers.append(refusal.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=guess) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["too_many"] * 45 + ["wrong"] * 5


def test_old_counters_are_forgotten(db):
    LoginAttempt.objects.create(key="old", failures=1, window_start=timezone.now() - timedelta(hours=1))
    LoginAttempt.objects.create(key="new", failures=1, window_start=timezone.now())
    assert sign_in.prune() == 1
    assert LoginAttempt.objects.get().key == "new"


# -- what ends a session -----------------------------------------------------------------------------------------
ENDINGS = {
    "password changed": lambda user, catalogue: people.set_password(user=user, password="another long phrase"),
    "disabled": lambda user, catalogue: people.set_active(user=user, active=False),
    "role changed": lambda user, catalogue: people.set_role(user=user, catalogue=catalogue, role="lead"),
    "removed": lambda user, catalogue: people.remove_member(user=user, catalogue=catalogue),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_a_session_ends(world, client, how):
    enter(client)
    other = Client()
    enter(other, "second")
    assert inside(client)
    ENDINGS[how](world.people["reviewer"], world.catalogue)
    assert not inside(client)
    assert inside(other), "the control: somebody else's goes on"


def test_a_disabled_user_who_may_again_signs_in_again(world, client):
    enter(client)
    people.set_active(user=world.people["reviewer"], active=False)
    people.set_active(user=world.people["reviewer"], active=True)
    assert not inside(client)
    assert enter(client).status_code == 302


# -- password ----------------------------------------------------------------------------------------------------
def change(client, old=PASSWORD, new="another long phrase", again=None):
    return client.post("/password/", {"old": old, "new": new, "again": new if again is None else again})


def test_changing_ones_password(world, client):
    elsewhere = Client()
    enter(elsewhere)
    enter(client)
    token = people.create_token(user=world.people["reviewer"], scopes=["review"]).token
    assert change(client).status_code == 302
    assert inside(client), "this session goes on"
    assert not inside(elsewhere)
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert enter(Client(), password="another long phrase").status_code == 302


@pytest.mark.parametrize(
    "given",
    [
        {"old": "wrong"},
        {"new": "short"},
        {"new": "1234567890123"},
        {"again": "another"},
        {"new": "reviewer12"},
        {"new": ""},
    ],
)
def test_a_password_that_will_not_do(world, as_, given):
    assert change(as_("reviewer"), **given).status_code == 422
    assert User.objects.get(username="reviewer").check_password(PASSWORD)


def test_an_open_session_is_no_way_to_guess_the_password(world, as_, settings):
    client = as_("reviewer")
    for _ in range(settings.LOGIN_FAILURES_PER_NAME):
        change(client, old="guess")
    assert "Too many attempts" in change(client).content.decode()
    assert User.objects.get(username="reviewer").check_password(PASSWORD)


# -- tokens ------------------------------------------------------------------------------------------------------
def test_a_token_is_shown_once(world, as_):
    client = as_("reviewer")
    answer = client.post("/tokens/", {"name": "nightly", "scopes": ["review", "export"], "days": "30"})
    secret = re.search(r"ts_[\w-]{40,}", answer.content.decode())[0]
    assert "no-store" in answer["Cache-Control"]
    token = ApiToken.objects.get()
    assert (token.user, token.name, token.scopes) == (world.people["reviewer"], "nightly", ["review", "export"])
    assert secret not in client.get("/tokens/").content.decode()
    asked = Client().get("/api/v1/catalogues/shop/", headers={"Authorization": f"Token {secret}"})
    assert asked.status_code == 200
    assert client.post(f"/tokens/{token.pk}/revoke/").status_code == 302
    asked = Client().get("/api/v1/catalogues/shop/", headers={"Authorization": f"Token {secret}"})
    assert asked.status_code == 401


@pytest.mark.parametrize("given", [{}, {"scopes": ["root"]}, {"scopes": ["review"], "days": "99999"}])
def test_a_token_that_cannot_be(world, as_, given):
    assert as_("reviewer").post("/tokens/", {"days": "30", **given}).status_code == 422
    assert not ApiToken.objects.exists()


def test_only_ones_own_tokens(world, as_):
    token = people.create_token(user=world.people["lead"], scopes=["review"]).token
    client = as_("admin")
    assert token.prefix not in client.get("/tokens/").content.decode()
    assert client.post(f"/tokens/{token.pk}/revoke/").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


# -- catalogues and members --------------------------------------------------------------------------------------
def test_an_admin_makes_a_catalogue(world, as_):
    client = as_("admin")
    made = client.post("/catalogues/new/", {"name": "Shoes", "slug": "shoes", "languages": "zh-hans, en"})
    assert made["Location"] == "/c/shoes/settings/"
    catalogue = Catalogue.objects.get(slug="shoes")
    assert catalogue.languages == ["zh-hans", "en"]
    assert Membership.objects.get(catalogue=catalogue).role == "admin"
    again = client.post("/catalogues/new/", {"name": "Shoes", "slug": "shoes", "languages": "en"})
    assert again.status_code == 422
    assert "already" in again.content.decode()


@pytest.mark.parametrize("role", ["viewer", "reviewer", "lead"])
def test_nobody_else_makes_one(world, as_, role):
    assert as_(role).post("/catalogues/new/", {"name": "S", "slug": "s", "languages": "en"}).status_code == 403
    assert Catalogue.objects.count() == 1


def test_settings(world, as_):
    client = as_("admin")
    given = {"name": "New name", "languages": "en", "blind_percent": "10", "lease_minutes": "5"}
    assert client.post("/c/shop/settings/", given).status_code == 302
    world.catalogue.refresh_from_db()
    assert (world.catalogue.name, world.catalogue.blind_share, world.catalogue.lease_minutes) == ("New name", 0.1, 5)
    event = AuditEvent.objects.get(word="catalogue_changed")
    assert event.data["changed"]["name"] == ["Shop", "New name"]
    for wrong in ({"languages": "English"}, {"blind_percent": "101"}, {"lease_minutes": "0"}, {"name": ""}):
        assert client.post("/c/shop/settings/", {**given, **wrong}).status_code == 422


def test_members_come_change_and_go(world, as_):
    client = as_("admin")
    answer = client.post("/c/shop/members/", {"name": "newcomer", "role": "viewer"})
    password = re.search(r"<pre><code>([\w-]+)</code>", answer.content.decode())[1]
    newcomer = User.objects.get(username="newcomer")
    assert newcomer.check_password(password)
    assert client.post(f"/c/shop/members/{newcomer.pk}/", {"role": "lead"}).status_code == 302
    assert Membership.objects.get(user=newcomer).role == "lead"
    assert client.post(f"/c/shop/members/{newcomer.pk}/", {"role": "king"}).status_code == 422
    assert client.post(f"/c/shop/members/{newcomer.pk}/remove/").status_code == 302
    assert not Membership.objects.filter(user=newcomer).exists()
    assert client.post(f"/c/shop/members/{newcomer.pk}/remove/").status_code == 404
    answer = client.post("/c/shop/members/", {"name": "newcomer", "role": "viewer"})
    assert answer.status_code == 302, "who has an account is added by name"
    assert client.post("/c/shop/members/", {"name": "lead", "role": "viewer"}).status_code == 422
    assert Membership.objects.get(user=world.people["lead"]).role == "lead"


def test_the_last_admin_stays(world, as_):
    client = as_("admin")
    me = world.people["admin"].pk
    assert client.post(f"/c/shop/members/{me}/remove/").status_code == 422
    assert client.post(f"/c/shop/members/{me}/", {"role": "viewer"}).status_code == 422
    assert Membership.objects.get(user=me).role == "admin"


# -- exports -----------------------------------------------------------------------------------------------------
def test_an_export_by_hand(world, as_, settings, tmp_path):
    settings.EXPORTS_ROOT = tmp_path
    world.decide(world.products[0], black="accept")
    client = as_("viewer")
    assert client.post("/c/shop/exports/", {"format": "csv-wide"}).status_code == 302
    batch = ExportBatch.objects.get()
    page = client.get("/c/shop/exports/").content.decode()
    assert "hx-trigger" in page, "it looks again while something is being written"
    assert client.get(f"/c/shop/exports/{batch.pk}/").status_code == 409
    write_export(batch=batch, progress=lambda done, total: None)
    batch.job.state = "done"
    batch.job.save()
    page = client.get("/c/shop/exports/").content.decode()
    assert "hx-trigger" not in page
    file = client.get(f"/c/shop/exports/{batch.pk}/")
    assert b"Black" in b"".join(file.streaming_content)
    assert client.get(f"/c/shop/exports/{batch.pk}/", headers={"Range": "bytes=0-1"}).status_code == 206
    assert client.post("/c/shop/exports/", {"format": "pdf"}).status_code == 422


def test_the_job_writes_it(world, as_, settings, tmp_path):
    from annotations.tasks.run import run_now

    settings.EXPORTS_ROOT = tmp_path
    world.decide(world.products[0], black="accept")
    as_("viewer").post("/c/shop/exports/", {"format": "jsonl"})
    batch = ExportBatch.objects.get()
    job = run_now(batch.job)
    assert (job.state, job.result["rows"]) == ("done", 1), job.error
    batch.refresh_from_db()
    assert batch.sha256 == job.result["sha256"]


def test_no_session_is_left_of_those_who_never_came_in(world, client):
    client.get("/login/")
    enter(client, password="wrong")
    assert Session.objects.count() == 0
