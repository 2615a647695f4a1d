"""One-time codes: set up with a code, asked for at the second step, never twice, counted like passwords, reset."""

from __future__ import annotations

import json
import re
import threading
import time

import pytest
import qrcode
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connections
from django.test import Client

from annotations.actions import people, second_step
from annotations.actions.catalogues import create_catalogue
from annotations.actions.errors import Refused
from annotations.models import ApiToken, AuditEvent, LoginAttempt, Membership, RecoveryCode, SecondStep, User
from tagstudio import totp
from tests.annotations.test_views_accounts import PASSWORD, enter, inside

NOW = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def time(self) -> float:
        return self.at

    def code(self, secret: str, steps: int = 0) -> str:
        return totp.code_at(secret, int(self.at) // totp.STEP + steps)


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(totp.time, "time", made.time)
    return made


def phone(user):
    """What their app knows."""
    return second_step.secret_of(SecondStep.objects.get(user=user))


def switched_on(user, clock):
    second_step.begin(user=user)
    codes = second_step.confirm(user=user, code=clock.code(phone(user)))
    clock.at += 60  # so that the next code is another one
    return codes


@pytest.fixture
def reviewer(world):
    return world.people["reviewer"]


# -- setting up --------------------------------------------------------------------------------------------------
def test_the_whole_way(world, client, clock, reviewer):
    elsewhere = Client()
    enter(elsewhere)
    enter(client)
    token = people.create_token(user=reviewer, scopes=["review"]).token
    assert "Set it up" in client.get("/second-step/").content.decode()
    assert client.post("/second-step/", {"do": "begin"}).status_code == 302
    page = client.get("/second-step/")
    assert "no-store" in page["Cache-Control"]
    html = page.content.decode()
    secret = re.search(r'class="key">([A-Z2-7 ]+)<', html)[1].replace(" ", "")
    assert secret == phone(reviewer) and f"secret={secret}" in html and 'class="qr"' in html
    assert secret not in SecondStep.objects.get().sealed_secret, "sealed in the database"
    enter(Client())  # begun is not on: the password still does
    wrong = client.post("/second-step/", {"do": "confirm", "code": "000000"})
    assert wrong.status_code == 422 and "clock" in wrong.content.decode()
    answer = client.post("/second-step/", {"do": "confirm", "code": clock.code(secret)})
    assert answer.status_code == 200 and "no-store" in answer["Cache-Control"]
    codes = re.findall(r"<li><code>(\d{4} \d{4} \d{4} \d{4})</code>", answer.content.decode())
    assert len(codes) == 10 and "data:text/plain" in answer.content.decode()
    assert inside(client), "this session goes on"
    assert not inside(elsewhere), "one that began without a code does not"
    token.refresh_from_db()
    assert token.revoked_at is None, "tokens go on"
    page = client.get("/second-step/").content.decode()
    assert "10 of 10" in page and secret not in page and codes[0] not in page, "shown once"
    assert not re.search("|".join(codes).replace(" ", " ?"), str(list(RecoveryCode.objects.values())))

    clock.at += 60
    fresh = Client()
    asked = enter(fresh, next="/c/shop/exports/")
    assert (asked.status_code, asked["Location"]) == (302, "/login/code/")
    assert not inside(fresh)
    assert fresh.post("/login/code/", {"code": "123"}).status_code == 422
    spaced = clock.code(secret)
    come = fresh.post("/login/code/", {"code": f"{spaced[:3]} {spaced[3:]}"})
    assert (come.status_code, come["Location"]) == (302, "/c/shop/exports/")
    assert inside(fresh)
    words = list(AuditEvent.objects.filter(user=reviewer).order_by("id").values_list("word", flat=True))
    assert words.count("signed_in") == 4 and "second_step_on" in words and words[-1] == "signed_in"


def test_a_picture_that_an_app_reads(world, client, clock, reviewer):
    """The drawn modules are those of the address; no style is inline (the route tests look for that everywhere)."""
    client.force_login(reviewer)
    client.post("/second-step/", {"do": "begin"})
    html = client.get("/second-step/").content.decode()
    address = re.search(r'href="(otpauth://[^"]+)"', html)[1].replace("&amp;", "&")
    code = qrcode.QRCode(border=4, error_correction=qrcode.constants.ERROR_CORRECT_M)
    code.add_data(address)
    rows = code.get_matrix()
    drawn = {tuple(map(int, at)) for at in re.findall(r"M(\d+) (\d+)h1v1h-1z", html)}
    assert drawn == {(x, y) for y, row in enumerate(rows) for x, black in enumerate(row) if black}


def test_wrong_ways_to_set_it_up(world, client, clock, reviewer):
    client.force_login(reviewer)
    assert client.post("/second-step/", {"do": "confirm", "code": "123456"}).status_code == 409
    switched_on(reviewer, clock)
    client.force_login(reviewer)
    before = phone(reviewer)
    assert client.post("/second-step/", {"do": "begin"}).status_code == 409, "an open session cannot put its own phone"
    assert client.post("/second-step/", {"do": "nonsense"}).status_code == 422
    assert client.post("/second-step/").status_code == 422
    assert phone(reviewer) == before


# -- signing in --------------------------------------------------------------------------------------------------
def test_a_code_is_not_accepted_twice(world, clock, reviewer):
    switched_on(reviewer, clock)
    code = clock.code(phone(reviewer))
    for n, status in enumerate((302, 422)):
        client = Client()
        enter(client)
        assert client.post("/login/code/", {"code": code}).status_code == status, n
    clock.at += 30
    assert second_step.prove_code(user=reviewer, code=clock.code(phone(reviewer)), address="x").recovery_left is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["app", "recovery", "control"])
def test_of_many_who_send_one_code_at_once_one_comes_in(clock, settings, kind):
    """The control looks at the step that was used last, and then writes: all twelve come in."""
    settings.LOGIN_FAILURES_PER_NAME = 100
    user = User.objects.create_user(username="ada", password=PASSWORD)
    codes = switched_on(user, clock)
    code = codes[0] if kind == "recovery" else clock.code(phone(user))
    answers, start, looked = [], threading.Barrier(12), threading.Barrier(12)

    def careless(*, user, code, address):
        step = SecondStep.objects.get(user=user)
        found = totp.step_of(second_step.secret_of(step), code, step.last_step)
        looked.wait()
        if not found:
            raise Refused("", "code")
        SecondStep.objects.filter(pk=step.pk).update(last_step=found)

    prove = careless if kind == "control" else second_step.prove_code

    def come():
        start.wait()
        try:
            prove(user=user, code=code, address="203.0.113.9")
            answers.append("in")
        except Refused as refusal:
            answers.append(refusal.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=come) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == (["in"] * 12 if kind == "control" else ["code"] * 11 + ["in"])


def test_a_recovery_code_works_once(world, clock, reviewer):
    codes = switched_on(reviewer, clock)
    client = Client()
    enter(client)
    answer = client.post("/login/code/", {"code": codes[3].replace(" ", "-")}, follow=True)
    assert "9 are left" in answer.content.decode() and inside(client)
    other = Client()
    enter(other)
    assert other.post("/login/code/", {"code": codes[3]}).status_code == 422
    wide = codes[4].translate({ord(str(n)): chr(0xFF10 + n) for n in range(10)})
    assert other.post("/login/code/", {"code": wide}).status_code == 302, "as a Chinese keyboard writes it"
    assert AuditEvent.objects.filter(word="recovery_code_used").count() == 2


def test_wrong_codes_are_counted(world, clock, reviewer, settings):
    switched_on(reviewer, clock)
    client = Client()
    enter(client)
    for _ in range(settings.LOGIN_FAILURES_PER_NAME):
        assert client.post("/login/code/", {"code": "000000"}).status_code == 422
    answer = client.post("/login/code/", {"code": clock.code(phone(reviewer))})
    assert answer.status_code == 429, "the right code does not help now, else it would tell"
    assert int(answer["Retry-After"]) > 800
    again = Client()
    enter(again)  # the password is right and gives back its own count, never that of codes
    assert again.post("/login/code/", {"code": clock.code(phone(reviewer))}).status_code == 429
    LoginAttempt.objects.all().delete()
    assert again.post("/login/code/", {"code": clock.code(phone(reviewer))}).status_code == 302


def test_an_address_that_guesses_codes_waits_too(world, clock, reviewer, settings):
    settings.LOGIN_FAILURES_PER_ADDRESS = 3
    switched_on(reviewer, clock)
    client = Client()
    enter(client)
    for _ in range(3):
        client.post("/login/code/", {"code": "000000"})
    assert enter(Client(), "second").status_code == 429


def test_the_second_step_is_no_way_around_the_first(world, client, clock, reviewer):
    switched_on(reviewer, clock)
    code = clock.code(phone(reviewer))
    assert client.post("/login/code/", {"code": code})["Location"] == "/login/"
    enter(client)
    for how in (
        lambda: people.set_password(user=reviewer, password="another long phrase"),
        lambda: people.set_active(user=reviewer, active=False),
    ):
        how()
        assert client.post("/login/code/", {"code": code})["Location"] == "/login/", "it ended with the sessions"
        people.set_active(user=reviewer, active=True)
        people.set_password(user=reviewer, password=PASSWORD)
        enter(client)
    session = client.session
    session["first_step"] = {**session["first_step"], "until": time.time() - 1}
    session.save()
    assert client.post("/login/code/", {"code": code})["Location"] == "/login/", "it took too long"
    assert not inside(client)


def test_what_was_in_the_browser_does_not_come_along(world, clock, reviewer):
    """No session's name from before the password is the one of somebody signed in after it."""
    switched_on(reviewer, clock)
    client = Client()
    enter(client)
    before = client.cookies["sessionid"].value
    client.post("/login/code/", {"code": clock.code(phone(reviewer))})
    assert client.cookies["sessionid"].value != before
    assert not Session.objects.filter(session_key=before).exists()


def test_with_another_secret_key_nobody_is_let_in(world, clock, reviewer, settings):
    switched_on(reviewer, clock)
    client = Client()
    enter(client)
    SecondStep.objects.update(sealed_secret="rubbish")
    answer = client.post("/login/code/", {"code": "123456"})
    assert answer.status_code == 422 and "An admin can reset" in answer.content.decode()


# -- renewing, switching off -------------------------------------------------------------------------------------
def test_renewing_and_switching_off_ask_for_the_password(world, clock, reviewer, settings):
    old = switched_on(reviewer, clock)
    client = Client()
    client.force_login(reviewer)
    for do in ("renew", "off"):
        assert client.post("/second-step/", {"do": do}).status_code == 422
        assert client.post("/second-step/", {"do": do, "again": "guess"}).status_code == 422
    assert SecondStep.objects.exists() and not AuditEvent.objects.filter(word="second_step_off").exists()
    answer = client.post("/second-step/", {"do": "renew", "again": PASSWORD})
    new = re.findall(r"<li><code>([\d ]+)</code>", answer.content.decode())
    assert len(new) == 10 and not set(new) & set(old)
    with pytest.raises(Refused):
        second_step.prove_code(user=reviewer, code=old[0], address="x")
    assert second_step.prove_code(user=reviewer, code=new[0], address="x").recovery_left == 9
    for _ in range(settings.LOGIN_FAILURES_PER_NAME):
        client.post("/second-step/", {"do": "off", "again": "guess"})
    assert client.post("/second-step/", {"do": "off", "again": PASSWORD}).status_code == 429
    LoginAttempt.objects.all().delete()
    assert client.post("/second-step/", {"do": "off", "again": PASSWORD}).status_code == 302
    assert not RecoveryCode.objects.exists()
    assert enter(Client())["Location"] == "/"


def test_who_has_no_password_gives_a_code(world, clock, reviewer):
    switched_on(reviewer, clock)
    reviewer.set_unusable_password()
    reviewer.save()
    client = Client()
    client.force_login(reviewer)
    assert client.post("/second-step/", {"do": "off", "again": PASSWORD}).status_code == 422
    assert client.post("/second-step/", {"do": "off", "again": clock.code(phone(reviewer))}).status_code == 302


# -- required ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("least", "held"), [("lead", ("lead", "admin")), ("everybody", ("viewer", "lead", "stranger")), ("", ())]
)
def test_who_must_sets_it_up_before_anything_else(world, clock, settings, least, held):
    settings.SECOND_STEP_REQUIRED = least
    world.people["stranger"] = User.objects.create_user(username="stranger", password=PASSWORD)
    for who in ("viewer", "lead", "admin", "stranger"):
        client = Client()
        enter(client, who)
        asked = client.get("/", follow=False)
        if who not in held and least != "everybody":
            assert asked.status_code == 200, who
            continue
        assert (asked.status_code, asked["Location"]) == (302, "/second-step/"), who
        saved = client.post("/c/shop/review/save/", headers={"Accept": "application/json"})
        assert (saved.status_code, saved.json()["code"]) == (403, "second_step")
        assert client.get("/keys/", headers={"HX-Request": "true"})["HX-Redirect"] == "/second-step/"
        user = world.people[who]
        assert client.post("/second-step/", {"do": "begin"}).status_code == 302
        assert client.post("/second-step/", {"do": "confirm", "code": clock.code(phone(user))}).status_code == 200
        assert client.get("/").status_code == 200, who
        page = client.get("/second-step/").content.decode()
        assert 'value="off"' not in page and 'value="renew"' in page
        assert client.post("/second-step/", {"do": "off", "again": PASSWORD}).status_code == 403


def test_the_api_is_left_as_it_is(world, settings):
    made = people.create_token(user=world.people["admin"], scopes=ApiToken.SCOPES)
    settings.SECOND_STEP_REQUIRED = "everybody"
    asked = Client().get("/api/v1/catalogues/shop/", headers={"Authorization": f"Token {made.secret}"})
    assert asked.status_code == 200


def test_a_token_signs_nobody_in(world, client, clock, reviewer):
    secret = people.create_token(user=reviewer, scopes=ApiToken.SCOPES).secret
    assert enter(client, password=secret).status_code == 422
    switched_on(reviewer, clock)
    enter(client)
    assert client.post("/login/code/", {"code": secret}).status_code == 422
    assert Client().get("/tokens/", headers={"Authorization": f"Token {secret}"}).status_code == 302


# -- reset -------------------------------------------------------------------------------------------------------
def test_an_admin_resets_it_on_the_page_of_people(world, clock, reviewer):
    admin, held = Client(), Client()
    switched_on(reviewer, clock)
    admin.force_login(world.people["admin"])
    held.force_login(reviewer)
    where = f"/c/shop/members/{reviewer.pk}/second-step/"
    assert where in admin.get("/c/shop/settings/").content.decode()
    assert admin.post(where).status_code == 302
    assert not SecondStep.objects.exists() and not RecoveryCode.objects.exists()
    assert not inside(held), "a phone that was stolen may hold a session"
    event = AuditEvent.objects.get(word="second_step_reset")
    assert (event.user, event.target) == (world.people["admin"], "reviewer")
    assert where not in admin.get("/c/shop/settings/").content.decode()
    assert admin.post(where).status_code == 404
    assert enter(Client())["Location"] == "/"


def test_nobody_weakens_the_sign_in_of_another_catalogue(world, clock, reviewer):
    other = create_catalogue(slug="other", user=User.objects.create_user(username="other"))
    Membership.objects.create(catalogue=other, user=reviewer, role="admin")
    switched_on(reviewer, clock)
    admin = Client()
    admin.force_login(world.people["admin"])
    assert admin.post(f"/c/shop/members/{reviewer.pk}/second-step/").status_code == 403
    assert SecondStep.objects.exists()
    Membership.objects.filter(catalogue=other).delete()
    User.objects.filter(pk=reviewer.pk).update(is_superuser=True)
    assert admin.post(f"/c/shop/members/{reviewer.pk}/second-step/").status_code == 403, "a superuser is in all"
    assert SecondStep.objects.exists()
    call_command("reset_second_step", "reviewer")
    assert not SecondStep.objects.exists()
    assert AuditEvent.objects.get(word="second_step_reset").user is None


# -- one-time links ----------------------------------------------------------------------------------------------
def link(capsys, name="admin"):
    call_command("sign_in_link", name, "--json")
    return json.loads(capsys.readouterr().out)["link"].removeprefix("http://127.0.0.1:8000")


def test_a_link_signs_in_once(world, client, capsys, settings):
    where = link(capsys)
    assert client.get(where).status_code == 200 and not inside(client), "looking uses nothing up"
    assert client.post(where).status_code == 302 and inside(client)
    for method in ("get", "post"):
        other = Client()
        assert getattr(other, method)(where).status_code == 410 and not inside(other)
    assert AuditEvent.objects.filter(word="signed_in").get().data["through"] == "link"


@pytest.mark.parametrize("how", ["signed in", "password", "disabled", "old", "changed"])
def test_a_link_ends(world, client, capsys, monkeypatch, how):
    where, admin = link(capsys), world.people["admin"]
    if how == "signed in":
        enter(Client(), "admin")
    elif how == "password":
        people.set_password(user=admin, password="another long phrase")
    elif how == "disabled":
        people.set_active(user=admin, active=False)
    elif how == "old":
        now = time.time()
        monkeypatch.setattr("django.core.signing.time.time", lambda: now + 1801)
    else:
        where = where[:-5] + "abcd/"
    assert client.post(where).status_code == 410
    assert not inside(client)


def test_a_link_is_the_first_step_alone(world, clock, capsys):
    switched_on(world.people["admin"], clock)
    client = Client()
    assert client.post(link(capsys))["Location"] == "/login/code/"
    assert not inside(client)
