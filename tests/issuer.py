"""A real HTTP server that is an identity provider, honest or not as a test wants it. Keys are made here, RS256."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT, SECRET = "tagstudio", "a secret: with % and +"


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    """One for each name; making them takes longer than most tests."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(name: str) -> dict[str, Any]:
    return {**json.loads(RSAAlgorithm.to_jwk(key(name).public_key())), "kid": name, "use": "sig", "alg": "RS256"}


@dataclass
class Issuer:
    """``claims`` go into the ID token over the usual ones; None leaves one out. ``twist`` changes an answer by path."""

    port: int = 0
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    description: dict[str, Any] = field(default_factory=dict)
    keys: list[str] = field(default_factory=lambda: ["one"])
    signs: str = "one"
    sign: Callable[[dict[str, Any]], str] | None = None
    twist: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    begun: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/realm"

    def authorize(self, where: str) -> dict[str, str]:
        """What a person does there: agree. Gives the query that the browser comes back with."""
        said = dict(parse_qsl(urlsplit(where).query))
        assert said["response_type"] == "code" and said["client_id"] == CLIENT and "openid" in said["scope"].split()
        assert said["code_challenge_method"] == "S256" and len(said["state"]) >= 32 and len(said["nonce"]) >= 32
        code = f"code-{len(self.begun)}"
        self.begun[code] = said
        return {"code": code, "state": said["state"], "iss": self.url}

    def token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "sub": "s-1", "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce, **self.claims}  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.sign is not None:
            return self.sign(claims)
        return jwt.encode(claims, key(self.signs), algorithm="RS256", headers={"kid": self.signs})

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        self.asked.append(path)
        if path in self.twist:
            return self.twist[path]
        if path == "/realm/.well-known/openid-configuration":
            said = {
                "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys", "userinfo_endpoint": f"{self.url}/me", **self.description,
            }  # fmt: skip
            return 200, json.dumps(said).encode()
        if path == "/realm/keys":
            return 200, json.dumps({"keys": [public(name) for name in self.keys]}).encode()
        if path == "/realm/token":
            return self.exchange(headers, {k: v[0] for k, v in parse_qs(body.decode()).items()})
        if path == "/realm/me":
            known = headers.get("Authorization") == "Bearer access"
            return (200, json.dumps({"sub": "s-1", **self.userinfo}).encode()) if known else (401, b"{}")
        return 404, b""

    def exchange(self, headers: Any, form: dict[str, str]) -> tuple[int, bytes]:
        """Once for each code, for the client with its secret, from where it began, with the verifier (RFC 7636)."""
        if "client_id" in form:
            client, secret = form["client_id"], form.get("client_secret", "")
        else:
            pair = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
            client, secret = map(unquote, pair.split(":"))
        begun = self.begun.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()  # fmt: skip
        if (client, secret) != (CLIENT, SECRET):
            return 401, b'{"error": "invalid_client"}'
        if begun is None or challenge != begun["code_challenge"] or form["redirect_uri"] != begun["redirect_uri"]:
            return 400, b'{"error": "invalid_grant"}'
        said = {"access_token": "access", "token_type": "Bearer", "id_token": self.token(begun["nonce"])}
        return 200, json.dumps(said).encode()


@contextmanager
def serve() -> Iterator[Issuer]:
    said = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.reply(b"")

        def do_POST(self) -> None:
            self.reply(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def reply(self, body: bytes) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/realm/authorize":  # a browser that agrees at once
                back = said.authorize(self.path)
                target = dict(parse_qsl(parts.query))["redirect_uri"]
                self.send_response(302)
                self.send_header("Location", f"{target}?code={back['code']}&state={back['state']}&iss={back['iss']}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            status, content = said.answer(parts.path, self.headers, body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    said.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield said
    finally:
        server.shutdown()
        server.server_close()
