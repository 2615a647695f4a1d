"""Signing in through an identity provider: a real issuer over HTTP, every way it may be wrong, and who comes in."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import Client

from annotations.actions import people, second_step
from annotations.models import AuditEvent, Identity, Membership, User
from tagstudio import oidc
from tagstudio.settings import env
from tests import issuer as provider
from tests.annotations.test_second_step import Clock, phone
from tests.annotations.test_views_accounts import PASSWORD, enter, inside
from tests.issuer import CLIENT, SECRET, Issuer, key


@pytest.fixture
def issuer(world, settings) -> Iterator[Issuer]:
    oidc.forget()
    with provider.serve() as made:
        settings.FETCH_LOCAL_HOSTS = [made.host]
        settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = made.url, CLIENT, SECRET
        settings.OIDC_NAME = "Shop & Co"
        yield made
    oidc.forget()


@pytest.fixture
def ada(issuer):
    """The reviewer, whom the provider knows by a verified address."""
    user = User.objects.get(username="reviewer")
    user.email = "Ada@shop.example"
    user.save()
    issuer.claims.update(email="ada@shop.example", email_verified=True)
    return user


def go(client, issuer, **changed):
    """There and back; ``changed`` is what the browser brings that the provider did not say (None: left out)."""
    there = client.get("/login/company/?next=/keys/")
    assert there.status_code == 302, there.content.decode()
    query = {**issuer.authorize(there["Location"]), **changed}
    return client.get("/login/company/back/", {name: value for name, value in query.items() if value is not None})


def problem(answer):
    html = answer.content.decode()
    return html.split('role="alert">')[1].split("<")[0]


# -- the way in --------------------------------------------------------------------------------------------------
def test_there_and_back(client, issuer, ada):
    page = client.get("/login/?next=/keys/").content.decode()
    assert "Sign in with Shop &amp; Co" in page and 'href="/login/company/?next=%2Fkeys%2F"' in page
    there = client.get("/login/company/")
    said = dict(parse_qsl(urlsplit(there["Location"]).query))
    assert said["redirect_uri"] == "http://testserver/login/company/back/"
    assert not Session.objects.exists(), "who only looks leaves no row"
    answer = go(client, issuer)
    assert (answer.status_code, answer["Location"]) == (302, "/keys/")
    assert inside(client) and client.session["_auth_user_id"] == str(ada.pk)
    assert Identity.objects.get() == ada.identities.get(issuer=issuer.url, subject="s-1")
    event = AuditEvent.objects.get(word="signed_in")
    assert (event.user, event.data["through"]) == (ada, issuer.url)
    assert client.get("/login/company/")["Location"] == "/", "who is in need not go there"
    client.post("/logout/")
    assert not inside(client)
    issuer.claims.update(email="new@shop.example", email_verified=False)
    assert go(Client(), issuer).status_code == 302, "the subject is enough once it is linked"


def test_without_an_issuer_there_is_nothing(world, client):
    assert "company" not in client.get("/login/").content.decode()
    assert client.get("/login/company/").status_code == 404
    assert client.get("/login/company/back/?code=x&state=y").status_code == 404
    admin = Client()
    admin.force_login(world.people["admin"])
    assert 'name="email"' not in admin.get("/c/shop/settings/").content.decode()
    with pytest.raises(CommandError, match="OIDC_ISSUER"):
        call_command("link_identity", "reviewer", "--subject", "x")


# -- what the browser may bring back -----------------------------------------------------------------------------
BROUGHT = {
    "no state": {"state": None},
    "another state": {"state": "x" * 43},
    "another issuer": {"iss": "https://evil.example"},
    "no code": {"code": None},
    "another code": {"code": "code-99"},
    "a refusal": {"error": "access_denied", "error_description": "<b>no</b>", "code": None},
    "a strange refusal": {"error": "<script>alert(1)</script>"},
}


@pytest.mark.parametrize("what", BROUGHT)
def test_what_a_browser_brings_wrongly(client, issuer, ada, what):
    answer = go(client, issuer, **BROUGHT[what])
    assert answer.status_code in (403, 502) and problem(answer)
    html = answer.content.decode()
    assert "<b>no</b>" not in html and "alert(1)" not in html and not inside(client)
    assert go(client, issuer).status_code == 302, "begun again it is right again"


def test_what_was_begun_in_another_browser_ends_there(client, issuer, ada):
    """Somebody sends a victim the end of their own sign-in, so that the victim works in their account."""
    there = Client().get("/login/company/")
    answer = client.get("/login/company/back/", issuer.authorize(there["Location"]))
    assert answer.status_code == 403 and "not begun here" in problem(answer)
    assert not inside(client) and "/realm/token" not in issuer.asked


def test_an_answer_counts_once(client, issuer, ada):
    there = client.get("/login/company/")
    query = issuer.authorize(there["Location"])
    assert client.get("/login/company/back/", query).status_code == 302
    client.post("/logout/")
    assert client.get("/login/company/back/", query).status_code == 403
    assert not inside(client)


def test_it_may_not_take_for_ever(client, issuer, ada, monkeypatch):
    there = client.get("/login/company/")
    query, now = issuer.authorize(there["Location"]), time.time()
    monkeypatch.setattr("django.core.signing.time.time", lambda: now + 601)
    assert client.get("/login/company/back/", query).status_code == 403


def test_nobody_is_led_elsewhere(client, issuer, ada):
    there = client.get("/login/company/?next=https://evil.example/")
    assert client.get("/login/company/back/", issuer.authorize(there["Location"]))["Location"] == "/"


def test_two_tabs(client, issuer, ada):
    first, second = client.get("/login/company/?next=/keys/"), client.get("/login/company/?next=/tokens/")
    queries = [issuer.authorize(there["Location"]) for there in (first, second)]
    assert client.get("/login/company/back/", queries[0])["Location"] == "/keys/"
    client.post("/logout/")
    assert client.get("/login/company/back/", queries[1])["Location"] == "/tokens/"


# -- what the token may say --------------------------------------------------------------------------------------
def b64(data: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


def with_public_key(claims):
    """The old trick: the public key, which everybody has, as the secret of an HMAC."""
    import hashlib
    import hmac

    head = f"{b64({'alg': 'HS256', 'kid': 'one', 'typ': 'JWT'})}.{b64(claims)}"
    mac = hmac.new(json.dumps(provider.public("one")).encode(), head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def changed_after(claims):
    head, _body, mac = jwt.encode(claims, key("one"), algorithm="RS256", headers={"kid": "one"}).split(".")
    return f"{head}.{b64({**claims, 'sub': 'somebody else'})}.{mac}"


def signed(claims, **header):
    return jwt.encode(claims, key("two"), algorithm="RS256", headers=header)


TOKENS = {
    "another key under the same name": lambda c: signed(c, kid="one"),
    "a key that is not the issuer's": lambda c: signed(c, kid="two"),
    "no signature": lambda c: f"{b64({'alg': 'none', 'kid': 'one'})}.{b64(c)}.",
    "the public key as a secret": with_public_key,
    "changed after it was signed": changed_after,
    "the client's secret": lambda c: jwt.encode(c, SECRET.ljust(32), algorithm="HS256", headers={"kid": "one"}),
    "rubbish": lambda c: "rubbish",
    "nothing": lambda c: "",
    "no object": lambda c: f"{b64({'alg': 'RS256', 'kid': 'one'})}.{b64([1])}.x",
}
CLAIMS = {
    "another nonce": {"nonce": "x" * 43},
    "no nonce": {"nonce": None},
    "another audience": {"aud": "somebody"},
    "no audience": {"aud": None},
    "several audiences and no word for whom": {"aud": [CLIENT, "somebody"]},
    "for somebody else": {"aud": [CLIENT, "somebody"], "azp": "somebody"},
    "another issuer": {"iss": "https://evil.example"},
    "over": {"exp": 1_600_000_000},
    "no end": {"exp": None},
    "from the future": {"iat": 4_000_000_000},
    "nobody": {"sub": None},
    "an empty subject": {"sub": ""},
    "an endless subject": {"sub": "x" * 256},
    "a subject that is no text": {"sub": 7},
}


@pytest.mark.parametrize("what", [*TOKENS, *CLAIMS])
def test_a_token_that_is_not_right(client, issuer, ada, what):
    if what in TOKENS:
        issuer.sign = TOKENS[what]
    else:
        issuer.claims.update(CLAIMS[what])
    answer = go(client, issuer)
    assert answer.status_code == 502 and "not right" in problem(answer), what
    assert not inside(client) and not Identity.objects.exists()


def test_the_control_a_right_one_for_several(client, issuer, ada):
    issuer.claims.update(aud=[CLIENT, "somebody"], azp=CLIENT)
    assert go(client, issuer).status_code == 302 and inside(client)


def test_keys_change(client, issuer, ada, monkeypatch):
    assert go(Client(), issuer).status_code == 302
    issuer.keys, issuer.signs = ["two", "one"], "two"
    assert go(Client(), issuer).status_code == 502, "looked for a moment ago: not for each token again"
    monkeypatch.setattr(oidc, "AGAIN", 0.0)
    assert go(Client(), issuer).status_code == 302
    asked = issuer.asked.count("/realm/keys")
    assert go(Client(), issuer).status_code == 302
    assert issuer.asked.count("/realm/keys") == asked, "kept"


# -- what the issuer may say of itself ---------------------------------------------------------------------------
def test_an_issuer_that_calls_itself_otherwise(client, issuer, ada):
    issuer.description["issuer"] = "https://evil.example"
    assert client.get("/login/company/").status_code == 502


@pytest.mark.parametrize("where", ["http://evil.example/authorize", "javascript:alert(1)", None, 7])
def test_a_browser_is_sent_nowhere_else_over_http(client, issuer, where):
    issuer.description["authorization_endpoint"] = where
    answer = client.get("/login/company/")
    assert answer.status_code == 502 and "Location" not in answer


def test_our_own_rules_of_the_network_hold(client, issuer, ada):
    """Endpoints on hosts that nobody named are not asked, whatever the issuer says of itself."""
    for name in ("token_endpoint", "jwks_uri"):
        issuer.description = {name: "http://169.254.169.254/latest"}
        oidc.forget()
        answer = go(client, issuer)
        assert answer.status_code == 502 and "FETCH_HOSTS" in problem(answer), name


@pytest.mark.parametrize("path", ["/realm/.well-known/openid-configuration", "/realm/token", "/realm/keys"])
@pytest.mark.parametrize("said", [(500, b"{}"), (200, b"<html>"), (200, b"[1]"), (200, b"x" * 600_000), (302, b"")])
def test_an_issuer_that_answers_wrongly(client, issuer, ada, path, said):
    issuer.twist[path] = said
    client.raise_request_exception = False
    there = client.get("/login/company/")
    if there.status_code == 302:
        there = client.get("/login/company/back/", issuer.authorize(there["Location"]))
    assert there.status_code == 502 and problem(there)
    assert not inside(client)


def test_an_issuer_that_is_away(client, issuer, ada, settings):
    settings.OIDC_ISSUER, settings.FETCH_LOCAL_HOSTS = "http://127.0.0.1:9/realm", ["127.0.0.1:9"]
    answer = client.get("/login/company/")
    assert answer.status_code == 502 and "Shop &amp; Co cannot be asked at the moment" in problem(answer)
    assert enter(client).status_code == 302, "the password still does"


def test_asking_has_a_limit(client, issuer, ada, settings):
    settings.LOGIN_FAILURES_PER_ADDRESS = 3
    issuer.sign = lambda claims: "rubbish"
    answers = [go(client, issuer).status_code for _n in range(4)]
    assert answers == [502, 502, 502, 429]


@pytest.mark.parametrize("ways", [["client_secret_post"], ["client_secret_basic", "client_secret_post"], None])
def test_either_way_to_say_the_secret(client, issuer, ada, ways):
    if ways:
        issuer.description["token_endpoint_auth_methods_supported"] = ways
    assert go(client, issuer).status_code == 302


# -- who comes in ------------------------------------------------------------------------------------------------
UNSURE = [{"email_verified": False}, {"email_verified": None}, {"email_verified": "false"}, {"email_verified": 1}]


@pytest.mark.parametrize("claims", UNSURE[:3])
def test_an_unverified_address_is_nobodys(client, issuer, ada, claims):
    issuer.claims.update(claims)
    answer = go(client, issuer)
    assert answer.status_code == 403 and "verified" in problem(answer)
    assert not inside(client) and not Identity.objects.exists()
    assert AuditEvent.objects.get(word="sign_in_failed").data["why"] == "unverified"


def test_the_address_may_come_from_userinfo(client, issuer, ada):
    issuer.claims.clear()
    issuer.userinfo = {"email": "ada@shop.example", "email_verified": True}
    assert go(client, issuer).status_code == 302
    Identity.objects.all().delete()
    issuer.userinfo["sub"] = "somebody else"
    assert go(Client(), issuer).status_code == 502


def test_an_address_that_somebody_else_has_now(client, issuer, ada):
    """Ada left; the company gave her address to the next Ada, who is another subject."""
    go(Client(), issuer)
    issuer.claims["sub"] = "s-2"
    answer = go(client, issuer)
    assert answer.status_code == 403 and "somebody else" in problem(answer) and not inside(client)
    call_command("link_identity", "reviewer", "--remove")
    call_command("link_identity", "reviewer", "--subject", "s-2")
    assert go(client, issuer).status_code == 302


def test_an_address_that_two_have(client, issuer, ada):
    User.objects.create_user(username="twin", email="ada@shop.example")
    assert go(client, issuer).status_code == 403 and not Identity.objects.exists()


@pytest.mark.parametrize(
    ("kept", "said", "same"),
    [("Ada@Shop.example", "ada@shop.EXAMPLE", True), ("mike@shop.example", "mıke@shop.example", False),
     ("kim@shop.example", "\u212aim@shop.example", False), ("李@shop.example", "李@shop.example", True)],
)  # fmt: skip
def test_addresses_that_only_look_alike(client, issuer, ada, monkeypatch, kept, said, same):
    """PostgreSQL finds the second for the first; so here every account is found, as the worst database would."""
    User.objects.filter(pk=ada.pk).update(email=kept)
    issuer.claims["email"] = said
    found = User.objects.filter(pk=ada.pk)
    monkeypatch.setattr("annotations.actions.company.User.objects.filter", lambda **wanted: found)
    assert go(client, issuer).status_code == (302 if same else 403)


def test_who_makes_an_account_for_somebody_cannot_be_them(client, issuer, world):
    """An admin who knew its password could come in as the person whom the provider gives it to."""
    admin = Client()
    admin.force_login(world.people["admin"])
    made = admin.post("/c/shop/members/", {"name": "bo", "email": "bo@shop.example", "role": "viewer"})
    assert "<pre>" not in made.content.decode()
    assert not User.objects.get(username="bo").has_usable_password()
    again = admin.post("/c/shop/members/", {"name": "bo2", "email": "BO@shop.example", "role": "viewer"})
    assert again.status_code == 422 and not User.objects.filter(username="bo2").exists()
    control = admin.post("/c/shop/members/", {"name": "cy", "role": "viewer"})
    assert "<pre>" in control.content.decode()


def test_cookies_do_not_pile_up(client, issuer):
    for _n in range(12):
        client.get("/login/company/")
    assert len([name for name, morsel in client.cookies.items() if name.startswith("company_") and morsel.value]) <= 5


def test_who_is_disabled_stays_out(client, issuer, ada):
    go(Client(), issuer)
    people.set_active(user=ada, active=False)
    answer = go(client, issuer)
    assert answer.status_code == 403 and "disabled" in problem(answer)
    Identity.objects.all().delete()
    assert go(client, issuer).status_code == 403 and not Identity.objects.exists()


def test_whom_nobody_gave_an_account(client, issuer):
    issuer.claims.update(email="bo@shop.example", email_verified=True)
    before = User.objects.count()
    answer = go(client, issuer)
    assert answer.status_code == 403 and "nobody gave you an account here" in problem(answer)
    assert User.objects.count() == before


def test_who_is_made_on_sight_has_no_role(client, issuer, settings):
    settings.OIDC_CREATE = True
    issuer.claims.update(email="bo@shop.example", email_verified=False, preferred_username="reviewer")
    assert go(client, issuer).status_code == 302 and inside(client)
    made = Identity.objects.get().user
    assert (made.username, made.email) == ("reviewer-2", ""), "neither a name that is taken nor an address unproven"
    assert not made.has_usable_password() and not made.memberships.exists() and not made.is_superuser
    assert client.get("/c/shop/products/").status_code == 404
    page = client.get("/password/")
    assert page.status_code == 200 and "Shop &amp; Co" in page.content.decode()
    assert client.post("/password/", {"old": "", "new": PASSWORD, "again": PASSWORD}).status_code == 200
    made.refresh_from_db()
    assert not made.has_usable_password()
    go(Client(), issuer)
    assert Identity.objects.count() == 1


@pytest.mark.parametrize(
    ("claims", "name"),
    [({"preferred_username": "Bo Li", "email": "bo@x.example", "email_verified": True}, "bo@x.example"),
     ({"preferred_username": "<script>"}, "person-"), ({}, "person-"), ({"preferred_username": "x" * 200}, "person-")],
)  # fmt: skip
def test_a_name_for_somebody_new(client, issuer, settings, claims, name):
    settings.OIDC_CREATE = True
    issuer.claims.update(claims)
    go(client, issuer)
    assert Identity.objects.get().user.username.startswith(name)


# -- roles by group ----------------------------------------------------------------------------------------------
def role(user):
    return Membership.objects.filter(user=user, catalogue__slug="shop").values_list("role", flat=True).first()


def test_groups_give_change_and_take_roles(client, issuer, settings):
    settings.OIDC_CREATE = True
    settings.OIDC_ROLES = [
        ("staff", "shop", "reviewer"),
        ("cn=heads,dc=shop", "shop", "lead"),
        ("staff", "gone", "admin"),
    ]
    for groups, expected in (
        (["staff"], "reviewer"), (["x", "staff", "cn=heads,dc=shop"], "lead"), ("staff", "reviewer"), ([], None),
        (["staff"], "reviewer"), (None, None),
    ):  # fmt: skip
        issuer.claims["groups"] = groups
        other = Client()
        assert go(other, issuer).status_code == 302 and inside(other)
        assert role(Identity.objects.get().user) == expected, groups
    assert AuditEvent.objects.filter(word="member_changed").count() == 2


def test_a_role_given_by_hand_stays(client, issuer, ada, settings):
    settings.OIDC_ROLES = [("staff", "shop", "lead")]
    issuer.claims["groups"] = ["staff"]
    go(client, issuer)
    assert role(ada) == "reviewer"
    people.remove_member(user=ada, catalogue=ada.memberships.get().catalogue)
    go(Client(), issuer)
    assert role(ada) == "lead"
    people.set_role(user=ada, catalogue=ada.memberships.get().catalogue, role="viewer")
    go(Client(), issuer)
    assert role(ada) == "viewer", "an admin's word, from now on"


def test_the_last_admin_stays_whatever_the_groups_say(client, issuer, ada, settings):
    settings.OIDC_ROLES = [("heads", "shop", "admin")]
    Membership.objects.all().delete()
    issuer.claims["groups"] = ["heads"]
    go(Client(), issuer)
    issuer.claims["groups"] = []
    assert go(client, issuer).status_code == 302
    assert role(ada) == "admin"


def test_groups_deeper_down(issuer, settings):
    settings.OIDC_GROUPS_CLAIM = "realm_access.roles"
    assert oidc.groups_of({"realm_access": {"roles": ["a", "b"]}}) == ["a", "b"]
    assert oidc.groups_of({"realm_access.roles": "a"}) == ["a"]
    assert oidc.groups_of({"realm_access": "a"}) == []


# -- beside the rest ---------------------------------------------------------------------------------------------
def test_the_second_step_is_asked_for_all_the_same(client, issuer, ada, settings, monkeypatch):
    clock = Clock()
    clock.at = time.time()
    with monkeypatch.context() as patched:
        patched.setattr("tagstudio.totp.time.time", clock.time)
        second_step.begin(user=ada)
        second_step.confirm(user=ada, code=clock.code(phone(ada), -1))
    assert go(client, issuer)["Location"] == "/login/code/"
    assert not inside(client)
    clock.at = time.time()
    come = client.post("/login/code/", {"code": clock.code(phone(ada))})
    assert come["Location"] == "/keys/" and inside(client)
    settings.OIDC_SECOND_STEP, settings.SECOND_STEP_REQUIRED = False, "everybody"
    other = Client()
    assert go(other, issuer)["Location"] == "/keys/" and inside(other), "the provider asks for one itself"


def test_passwords_can_be_switched_off(client, issuer, ada, settings, capsys):
    settings.PASSWORD_SIGN_IN = False
    page = client.get("/login/").content.decode()
    assert 'name="password"' not in page and "Sign in with" in page
    assert enter(client).status_code == 403 and not inside(client)
    admin = Client()
    call_command("sign_in_link", "admin", "--json")
    admin.post(json.loads(capsys.readouterr().out)["link"].removeprefix("http://127.0.0.1:8000"))
    assert inside(admin), "the machine's owner always finds a way in"
    made = admin.post("/c/shop/members/", {"name": "bo", "email": "bo@shop.example", "role": "viewer"})
    assert "<pre>" not in made.content.decode() and "Shop &amp; Co" in made.content.decode()
    issuer.claims["email"] = "bo@shop.example"
    assert go(client, issuer).status_code == 302 and client.session["_auth_user_id"] == str(User.objects.get(username="bo").pk)  # fmt: skip


SETTINGS = [
    (env.issuer, "http://idp.example", [], "no issuer"),
    (env.issuer, "idp.example", [], "no issuer"),
    (env.issuer, "https://idp.example/?x", [], "no issuer"),
    (env.group_roles, "staff=shop", None, "GROUP=CATALOGUE:ROLE"),
    (env.group_roles, "staff=shop:king", None, "GROUP=CATALOGUE:ROLE"),
    (env.one_of, "nobody", ["", "admin"], "none of admin"),
]


@pytest.mark.parametrize(("read", "value", "more", "words"), SETTINGS)
def test_settings_that_cannot_be(monkeypatch, read, value, more, words):
    monkeypatch.setenv("X_SETTING", value)
    with pytest.raises(ImproperlyConfigured, match=words) as said:
        read("X_SETTING", *([] if more is None else [more]))
    assert "X_SETTING" in str(said.value)


def test_settings_that_can(monkeypatch):
    monkeypatch.setenv("X_SETTING", "cn=a,dc=b=shop:lead; staff = autumn:viewer;")
    assert env.group_roles("X_SETTING") == [("cn=a,dc=b", "shop", "lead"), ("staff", "autumn", "viewer")]
    monkeypatch.setenv("X_SETTING", "http://sso:8080/realm")
    assert env.issuer("X_SETTING", ["sso:8080"]) == "http://sso:8080/realm"
    for way in (("https://x", "", True), ("", "", False)):
        with pytest.raises(ImproperlyConfigured):
            env.way_in(*way)
