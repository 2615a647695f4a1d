"""One-time codes and the company's sign-in in a real browser, under the real content security policy."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from annotations.actions import second_step
from annotations.models import SecondStep
from tagstudio import oidc, totp
from tests import issuer as provider
from tests.browser.conftest import Shop
from tests.browser.test_axe import axe, violations  # noqa: F401  a fixture

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.long]
PASSWORD = "a long enough phrase"


def code(shop: Shop, who: str, steps: int = 0) -> str:
    secret = second_step.secret_of(SecondStep.objects.get(user=shop.people[who]))
    return totp.code_at(secret, int(time.time()) // totp.STEP + steps)


def fits(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_setting_it_up_and_signing_in(shop: Shop, reader: Any, axe: str, scheme: str) -> None:  # noqa: F811
    """By hand and by keyboard; axe on each page on the way; at 320 px nothing is cut off."""
    ada = reader(shop.people["ada"], color_scheme=scheme, viewport={"width": 320, "height": 640}, accept_downloads=True)
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page, wrong = ada.go("/second-step/"), {}

    def look(name: str) -> None:
        if found := violations(page, axe):
            wrong[name] = found
        assert fits(page), name

    look("off")
    page.get_by_role("button", name="Set it up").click()
    page.locator("svg.qr").wait_for()
    look("set-up")
    box = page.locator("svg.qr").bounding_box()
    assert box and box["width"] == box["height"] and box["width"] >= 150, "a phone can read it"
    assert page.evaluate("document.activeElement.name") == "code"
    page.keyboard.type(code(shop, "ada", -1))
    ada.keys("Enter")
    page.locator(".codes").wait_for()
    look("codes")
    codes = page.locator(".codes code").all_inner_texts()
    with page.expect_download() as waited:
        page.get_by_role("link", name="Download").click()
    kept = Path(waited.value.path()).read_text(encoding="utf-8")
    assert all(one in kept for one in codes) and len(codes) == 10
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").splitlines() == codes
    page.get_by_role("link", name="I have kept them").click()
    page.goto(ada.url + "/second-step/")
    look("on")
    page.goto(ada.url + "/c/autumn/settings/")
    look("members")

    ada.context.clear_cookies()
    page.goto(ada.url + "/login/?next=/keys/")
    page.fill("[name=name]", "ada")
    page.fill("[name=password]", PASSWORD)
    ada.keys("Enter")
    page.wait_for_url("**/login/code/")
    look("code")
    page.keyboard.type(codes[0])
    ada.keys("Enter")
    page.wait_for_url("**/keys/")
    assert "9 are left" in page.locator("#messages").inner_text()
    assert wrong == {} and ada.complaints == []


def test_through_the_company_and_back(shop: Shop, reader: Any, axe: str, settings: Any) -> None:  # noqa: F811
    """The redirect to another origin and back passes the policy (form-action would stop a form)."""
    oidc.forget()
    shop.people["ada"].email = "ada@autumn.example"
    shop.people["ada"].save()
    with provider.serve() as issuer:
        settings.FETCH_LOCAL_HOSTS = [issuer.host]
        settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = issuer.url, provider.CLIENT, provider.SECRET  # fmt: skip
        settings.OIDC_NAME = "Autumn ID"
        ada = reader(shop.people["ada"])
        ada.context.clear_cookies()
        page = ada.go("/login/?next=/keys/")
        assert violations(page, axe) == []
        issuer.claims.update(email="bo@autumn.example", email_verified=True)
        page.get_by_role("link", name="Sign in with Autumn ID").click()
        page.get_by_role("alert").wait_for()
        assert "nobody gave you an account here" in page.get_by_role("alert").inner_text()
        assert violations(page, axe) == []
        ada.complaints.clear()  # the browser notes that the answer was 403
        issuer.claims["email"] = "ada@autumn.example"
        page.get_by_role("link", name="Sign in with Autumn ID").click()
        page.wait_for_url("**/keys/")
        assert ada.complaints == []
    oidc.forget()
