"""The one module that fetches: only allowed hosts, only public addresses, capped, and stopped at any moment."""

from __future__ import annotations

import ast
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tagstudio import fetch as house
from tagstudio.fetch import FetchFailed, FetchRefused, checked, fetch, is_public
from tests.llm_server import Server, completion, serve

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = {"http.client", "urllib.request", "urllib3", "requests", "httpx", "httpx2", "aiohttp", "ftplib", "smtplib", "telnetlib", "xmlrpc.client", "websocket", "websockets", "pycurl"}  # fmt: skip
MAY = {"tagstudio/fetch.py", "annotations/management/commands/run.py"}  # the second asks its own /healthz


def clients_in(source: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
        found |= {n for n in names if n in CLIENTS or n.split(".")[0] in CLIENTS}
        if isinstance(node, ast.Attribute) and node.attr in ("create_connection", "open_connection"):
            found.add(node.attr)
    return found


@pytest.mark.long
def test_no_other_module_imports_an_http_client() -> None:
    found = {}
    for folder in ("annotations", "ml", "tagstudio"):
        for path in (ROOT / folder).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name not in MAY and (clients := clients_in(path.read_text(encoding="utf-8"))):
                found[name] = clients
    assert not found, "what fetches belongs into tagstudio/fetch.py"


def test_the_control_a_client_is_found() -> None:
    assert clients_in("import requests") and clients_in("from urllib import request") and clients_in("from http.client import HTTPConnection")  # fmt: skip
    assert not clients_in("from urllib.parse import urlsplit")


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as said:
        yield said


@pytest.fixture
def allowed(server: Server, settings: Any) -> Server:
    settings.FETCH_LOCAL_HOSTS = [server.host]
    return server


PLACES = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0",
    "0.0.0.0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fc00::1]",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "metadata.google.internal",
    "224.0.0.1",
    "255.255.255.255",
    "127.0.0.1.nip.io",
    "ⓛocalhost",
    "127。0。0。1",
    "api.example.com.evil.test",
    "evil.test",
    "api.example.com@evil.test",
    "evil.test#api.example.com",
    "evil.test\\@api.example.com",
    "api.example.com%00.evil.test",
    "evil.test%2fapi.example.com",
    "api.example.com%20",
    "xn--pi-xka.example.com",
    "api.examp1e.com",
]
FORMS = ("http://{}:PORT/", "https://{}:PORT/v1", "https://{}/", "http://{}/", "//{}:PORT/", "ftp://{}/", "https://u:p@{}:PORT/", "https:{}:PORT/")  # fmt: skip


def hostile(port: int) -> list[str]:
    odd = ["file:///etc/passwd", "gopher://127.0.0.1/", "dict://x", "javascript:1", "", " ", "https://", "https:///x", "https://:80/",
           "https://api.example.com:99999/", "https://api.example.com:0/", "https://api.example.com:8443/", "http://api.example.com/",
           "https://api.example.com/ x", "https://api.example.com/\r\nHost: x", "https://api.example.com/#x", "data:text/plain,x"]  # fmt: skip
    return odd + [form.format(place).replace("PORT", str(port)) for place in PLACES for form in FORMS]


def test_hostile_addresses_connect_nowhere(server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.FETCH_HOSTS = ["api.example.com"]
    connected: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, place: connected.append(place))
    urls = hostile(server.port)
    assert len(urls) >= 300
    for url in urls:
        with pytest.raises(FetchRefused):
            fetch(url, seconds=2)
    assert connected == [] and server.requests == []


@pytest.mark.parametrize("answer", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.1.1", "::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1"])  # fmt: skip
def test_a_name_that_leads_inside_is_not_followed(answer: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when only one of several addresses does."""
    settings.FETCH_HOSTS = ["api.example.com"]
    connected: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, place: connected.append(place))
    family = socket.AF_INET6 if ":" in answer else socket.AF_INET
    found = [(socket.AF_INET, 1, 6, "", ("93.184.216.34", 443)), (family, 1, 6, "", (answer, 443))]
    monkeypatch.setattr(house.socket, "getaddrinfo", lambda *args, **more: found)
    with pytest.raises(FetchRefused):
        fetch("https://api.example.com/v1", seconds=2)
    assert connected == []


def test_the_connection_goes_to_the_address_that_was_looked_at(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second answer of the name server (rebinding) is never asked for."""
    settings.FETCH_HOSTS = ["api.example.com"]
    asked, connected = [], []

    def getaddrinfo(host: str, port: int, **more: Any) -> Any:
        asked.append(host)
        return [(socket.AF_INET, 1, 6, "", ("93.184.216.34" if len(asked) == 1 else "127.0.0.1", port))]

    def connect(self: Any, place: Any) -> None:
        connected.append(place)
        raise OSError

    monkeypatch.setattr(house.socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(FetchFailed):
        fetch("https://api.example.com/v1", seconds=2)
    assert (len(asked), connected) == (1, [("93.184.216.34", 443)])


def test_public_and_not() -> None:
    assert is_public("93.184.216.34") and is_public("2606:4700::1111") and is_public("::ffff:8.8.8.8")
    for inside in ("127.0.0.1", "0.0.0.0", "192.0.2.1", "198.18.0.1", "240.0.0.1", "ff02::1", "2001:db8::1", "::"):
        assert not is_public(inside), inside


def test_a_local_host_wants_its_port_named(allowed: Server) -> None:
    assert fetch(f"http://{allowed.host}/x", seconds=5).status == 200
    with pytest.raises(FetchRefused):
        checked(f"http://127.0.0.1:{allowed.port + 1}/")
    with pytest.raises(FetchRefused):
        checked(f"http://localhost:{allowed.port}/")


@pytest.mark.long
def test_too_large_too_slow_and_cut_off(allowed: Server) -> None:
    url = f"http://{allowed.host}/"
    allowed.answer = lambda body: (200, {}, b"x" * 300_000)
    with pytest.raises(FetchFailed) as large:
        fetch(url, max_bytes=100_000, seconds=5)
    assert large.value.kind == "too_large"
    allowed.cut = True
    with pytest.raises(FetchFailed):
        fetch(url, seconds=5)
    allowed.cut, allowed.slowly = False, True
    began = time.monotonic()
    with pytest.raises(FetchFailed) as slow:
        fetch(url, seconds=1.5)
    assert slow.value.kind == "timeout" and time.monotonic() - began < 10
    assert "xxx" not in str(large.value) + str(slow.value)


def test_it_stops_when_asked_to(allowed: Server) -> None:
    allowed.slowly, allowed.answer = True, lambda body: completion("x" * 100)
    stop = threading.Event()

    class Enough(Exception):
        pass

    def check() -> None:
        if stop.is_set():
            raise Enough

    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Enough):
        fetch(f"http://{allowed.host}/", seconds=60, check=check)


def test_redirects_are_looked_at_like_the_first(allowed: Server, server: Server) -> None:
    allowed.answer = lambda body: (302, {"Location": "http://169.254.169.254/latest/meta-data"}, b"")
    with pytest.raises(FetchRefused):
        fetch(f"http://{allowed.host}/", redirects=3, seconds=5)
    assert fetch(f"http://{allowed.host}/", seconds=5).status == 302, "not followed unless asked to"
    allowed.answer = lambda body: (302, {"Location": "/again"}, b"")
    assert fetch(f"http://{allowed.host}/", redirects=3, seconds=5).status == 302
    assert server.paths[-4:] == ["/", "/again", "/again", "/again"]


def test_answers_of_strangers(allowed: Server) -> None:
    for headers in ({"Content-Encoding": "gzip"}, {"X": "y" * 70_000}, {f"X-{n}": "y" for n in range(200)}):
        allowed.answer = lambda body, headers=headers: (200, headers, b"x")
        with pytest.raises(FetchFailed):
            fetch(f"http://{allowed.host}/", seconds=5)
