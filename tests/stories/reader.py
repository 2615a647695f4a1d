"""Somebody outside: a person at the pages and a program at the API, who know nothing but addresses and what they see."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode, urljoin

from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

SECONDS = 60
Fields = list[tuple[str, str]]


@dataclass
class Form:
    """What a form would send as it stands; its buttons are not part of it."""

    action: str
    fields: Fields = field(default_factory=list)

    def with_(self, **changes: str) -> Fields:
        return [pair for pair in self.fields if pair[0] not in changes] + list(changes.items())

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]


class Forms(HTMLParser):
    """The forms of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._form: Form | None = None
        self._select: list[tuple[str, bool]] = []
        self._name = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value if value is not None else "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("action", ""))
            self.found.append(self._form)
        elif self._form is None:
            return
        elif tag == "input" and given.get("name"):
            kind = given.get("type", "text")
            if kind not in ("radio", "checkbox", "file") or (kind != "file" and "checked" in given):
                self._form.fields.append((given["name"], given.get("value", "")))
        elif tag in ("select", "textarea"):
            self._name, self._select = given.get("name", ""), []
        elif tag == "option":
            self._select.append((given.get("value", ""), "selected" in given))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self._form is not None:
            chosen = [value for value, selected in self._select if selected] or [v for v, _ in self._select[:1]]
            self._form.fields += [(self._name, value) for value in chosen[:1]]
        elif tag == "form":
            self._form = None


@dataclass(frozen=True)
class Page:
    status: int
    url: str
    text: str

    def form(self, part: str) -> Form:
        """The form whose action has this in it."""
        for form in Forms(self.text).found:
            if part in form.action:
                return form
        raise AssertionError(f"{self.url} has no form for {part}: {self.text[:2000]}")

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Reader:
    """Keeps cookies, follows redirects, and tells of errors instead of raising them."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.jar = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def sign_in(self, name: str, password: str) -> Reader:
        form = self.get("/login/").form("login")
        page = self.send("/login/", form.with_(name=name, password=password))
        assert page.status == 200 and "/login/" not in page.url, f"{name} may not sign in"
        return self

    def get(self, path: str, **headers: str) -> Page:
        return self._ask(urllib.request.Request(urljoin(self.root, path), headers=headers))

    def send(self, path: str, fields: Fields, files: dict[str, Any] | None = None, **headers: str) -> Page:
        """A form. ``headers`` without dashes: ``Accept="application/json"``."""
        if files is None:
            body, kind = urlencode(fields).encode(), "application/x-www-form-urlencoded"
        else:
            body, kind = encode_multipart(BOUNDARY, {**dict(fields), **files}), MULTIPART_CONTENT
        headers = {"Content-Type": kind, "Referer": self.root, **headers}
        return self._ask(urllib.request.Request(urljoin(self.root, path), data=body, headers=headers, method="POST"))

    def _ask(self, request: urllib.request.Request) -> Page:
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                return Page(answer.status, answer.url, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Page(error.code, error.url or "", error.read().decode())


class Program:
    """Calls the API of one catalogue with a token."""

    def __init__(self, root: str, catalogue: str, token: str) -> None:
        self._reader = Reader(f"{root}/api/v1/catalogues/{catalogue}/")
        self._headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

    def get(self, path: str) -> Page:
        return self._reader.get(path, **self._headers)

    def post(self, path: str, body: Any) -> Page:
        url = urljoin(self._reader.root, path)
        request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=self._headers, method="POST")
        return self._reader._ask(request)
