"""A program that calls the API of the small world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from annotations.actions.people import create_token
from annotations.models import ApiToken, User
from tests.annotations.conftest import World

ROOT = "/api/v1/catalogues/shop/"


@dataclass
class Program:
    """Calls with one token; addresses are below the catalogue unless they begin with a slash."""

    secret: str
    token: ApiToken | None
    client: Client

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        path = path if path.startswith("/") else ROOT + path
        more = {"Authorization": f"Token {self.secret}"} if self.secret else {}
        data = {} if body is None else {"data": body, "content_type": "application/json"}
        return getattr(self.client, method.lower())(path, headers={**more, **headers}, **data)

    def get(self, path: str, **headers: str) -> Any:
        return self.call("get", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("post", path, {} if body is None else body, **headers)

    def patch(self, path: str, body: Any) -> Any:
        return self.call("patch", path, body)


def program(user: User | None, *scopes: str) -> Program:
    if user is None:
        return Program("", None, Client())
    made = create_token(user=user, scopes=scopes or ApiToken.SCOPES)
    return Program(made.secret, made.token, Client())


@pytest.fixture
def reviewer(world: World) -> Program:
    return program(world.people["reviewer"], "review")


@pytest.fixture
def second(world: World) -> Program:
    return program(world.people["second"], "review")


@pytest.fixture
def viewer(world: World) -> Program:
    return program(world.people["viewer"], "export")


@pytest.fixture
def lead(world: World) -> Program:
    return program(world.people["lead"])


@pytest.fixture
def admin(world: World) -> Program:
    return program(world.people["admin"])
