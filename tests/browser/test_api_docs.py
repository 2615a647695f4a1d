"""The API's page in a real browser: Swagger UI draws itself under our content security policy."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.long]


def test_swagger_draws_itself_and_the_policy_is_not_broken(live_server: Any, browser: Any) -> None:
    said: list[str] = []
    asked: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{live_server.url}/api/v1/docs/")
    page.get_by_text("/api/v1/catalogues/{slug}/review/next/").first.wait_for(timeout=60_000)
    operations = page.locator(".opblock").count()
    page.close()
    assert operations >= 30
    assert [text for text in said if "Content Security Policy" in text or "Refused" in text] == []
    assert said == []
    assert [url for url in asked if not url.startswith((live_server.url, "data:", "blob:"))] == []
