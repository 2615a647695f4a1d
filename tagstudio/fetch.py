"""The one module that fetches from the network. A test fails when another imports an HTTP client.

Only hosts that the operator allowed (FETCH_HOSTS), over https. The name is resolved once, every address it has must be
a public one, and the connection goes to the address that was looked at, so that a second answer of the name server
changes nothing. A host of our own network has to be named with its port in FETCH_LOCAL_HOSTS; it may speak plain http.
Each redirect is a new address and looked at like the first. Answers are capped in size and the whole exchange in time;
no answer's body is ever put into an error.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

PORTS = {"https": 443, "http": 80}
LOOK = 0.1  # seconds between two looks at whether somebody wants it stopped
MEGABYTE = 2**20
# IPv6 addresses that carry an IPv4 one, which routers may take out and follow
CARRIERS = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")))


class FetchRefused(Exception):
    """The address is none that this installation fetches from. Nothing was sent. The message is for people."""


class FetchFailed(Exception):
    """The exchange did not come to its end. ``kind`` is "network", "timeout" or "too_large"."""

    def __init__(self, message: str, kind: str = "network") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Address:
    """An address that may be fetched from; ``local``: the operator named it with its port."""

    scheme: str
    host: str
    port: int
    path: str
    local: bool

    @property
    def origin(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came back. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def allowed_hosts() -> list[str]:
    """As the operator wrote them, local ones last."""
    return [*settings.FETCH_HOSTS, *settings.FETCH_LOCAL_HOSTS]


def checked(url: str, also: Collection[str] = ()) -> Address:
    """The address, once host, port and scheme are allowed. Resolves nothing. Raises FetchRefused.

    ``also`` are hosts that the operator named in another setting, for what that setting is for and nothing else.
    """
    if not url or len(url) > 2000 or re.search(r"[\x00-\x20\x7f-\x9f\\]", url) or not url.isascii():
        raise FetchRefused(_("This is no web address: it must begin with https:// and have no spaces."))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise FetchRefused(_("This is no web address: it must begin with https:// and have no spaces.")) from None
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in PORTS or not host or (port is not None and not port):
        raise FetchRefused(_("This is no web address: it must begin with https:// and have no spaces."))
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise FetchRefused(_("Leave names, passwords and anything behind a # out of the address."))
    port = port or PORTS[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    local = f"{shown}:{port}" in settings.FETCH_LOCAL_HOSTS
    named = {*settings.FETCH_HOSTS, *also}
    usual = port == PORTS[parts.scheme] and host in named
    if not (local or usual or f"{shown}:{port}" in named):
        raise FetchRefused(
            _("“%(host)s” is not among the hosts that this installation may ask. Its operator names them in FETCH_HOSTS, or in FETCH_LOCAL_HOSTS with the port where they are on the own network.")
            % {"host": f"{shown}:{port}"}
        )  # fmt: skip
    if parts.scheme != "https" and not local:
        raise FetchRefused(_("Use https://: what is sent would be readable on its way."))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(parts.scheme, host, port, path, local)


def is_public(text: str) -> bool:
    """Whether the IP address is one of the open internet, whatever way it is written."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        if any(address in carrier for carrier in CARRIERS):
            return False
    return address.is_global and not address.is_multicast


def _usable(text: str, local: bool) -> bool:
    if is_public(text):
        return True
    address = ipaddress.ip_address(text.partition("%")[0])
    return local and not (address.is_link_local or address.is_multicast or address.is_unspecified)


def resolve(address: Address) -> list[tuple[int, Any]]:
    """(family, socket address) to connect to. Raises FetchRefused when any of the name's addresses is not allowed."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise FetchFailed(_("“%(host)s” cannot be found.") % {"host": address.host}) from None
    if not found or not all(_usable(str(place[0]), address.local) for *_rest, place in found):
        raise FetchRefused(
            _("“%(host)s” leads into a network that is not open to the public, so it is not asked. Its operator may name it with its port in FETCH_LOCAL_HOSTS.")
            % {"host": address.host}
        )  # fmt: skip
    return [(int(family), place) for family, *_rest, place in found]


@dataclass
class _Exchange:
    """One request and its answer, in a thread of its own, so that whoever waits can stop at any moment."""

    address: Address
    method: str
    body: bytes | None
    headers: Mapping[str, str]
    max_bytes: int
    until: float
    connection: socket.socket | None = None
    answer: Fetched | None = None
    error: Exception | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    given_up: bool = False

    def run(self) -> None:
        try:
            self.answer = self._exchange()
        except (FetchRefused, FetchFailed) as error:
            self.error = error
        except TimeoutError:
            self.error = _timeout(self.address)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.error = FetchFailed(
                _("“%(host)s” did not answer properly (%(kind)s).")
                % {"host": self.address.origin, "kind": type(error).__name__}
            )
        finally:
            self.close()
            self.ended.set()

    def close(self) -> None:
        self.given_up = True
        if self.connection is not None:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):
                self.connection.close()

    def _exchange(self) -> Fetched:
        self.connection = self._connect()
        if self.given_up:
            raise _timeout(self.address)
        client = http.client.HTTPConnection(self.address.host, self.address.port)
        client.sock = self.connection
        usual = self.address.port == PORTS[self.address.scheme]
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        sent = {
            "Host": host if usual else f"{host}:{self.address.port}",
            "Accept-Encoding": "identity", "Connection": "close", "User-Agent": "TagStudio", **self.headers,
        }  # fmt: skip
        client.request(self.method, self.address.path, body=self.body, headers=sent)
        response = client.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        if headers.get("content-encoding", "identity") != "identity":
            raise FetchFailed(_("“%(host)s” did not answer properly (%(kind)s).") % {"host": self.address.origin, "kind": "content-encoding"})  # fmt: skip
        parts, size = [], 0
        while part := response.read(64 * 1024):
            size += len(part)
            if size > self.max_bytes:
                raise FetchFailed(
                    _("“%(host)s” answered with more than %(size)d MB.")
                    % {"host": self.address.origin, "size": max(1, self.max_bytes // MEGABYTE)}, "too_large"
                )  # fmt: skip
            parts.append(part)
        if response.length:  # read(n) does not say so itself
            raise http.client.IncompleteRead(b"", response.length)
        return Fetched(response.status, headers, b"".join(parts))

    def _connect(self) -> socket.socket:
        last: Exception | None = None
        for family, place in resolve(self.address):
            left = self.until - time.monotonic()
            if left <= 0 or self.given_up:
                raise _timeout(self.address)
            plain = socket.socket(family, socket.SOCK_STREAM)
            self.connection = plain
            plain.settimeout(left)
            try:
                plain.connect(place)
                if self.address.scheme == "https":
                    return ssl.create_default_context().wrap_socket(plain, server_hostname=self.address.host)
                return plain
            except OSError as error:
                plain.close()
                last = error
        raise last or OSError(self.address.host)


def _timeout(address: Address) -> FetchFailed:
    return FetchFailed(_("“%(host)s” took too long to answer.") % {"host": address.origin}, "timeout")


def fetch(
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = 30.0,
    max_bytes: int = 10 * MEGABYTE,
    redirects: int = 0,
    also: Collection[str] = (),
    check: Callable[[], None] = lambda: None,
) -> Fetched:
    """Send one request and read its whole answer, whatever its status.

    ``seconds`` is for everything together. ``check`` is called ten times a second; what it raises (a cancelled job)
    ends the exchange at once. A redirect beyond ``redirects`` is answered as it is; followed ones lose body and
    headers when they leave the host. ``also``: as for ``checked``. Raises FetchRefused before anything is sent, or
    FetchFailed.
    """
    until = time.monotonic() + seconds
    given = dict(headers or {})
    while True:
        address = checked(url, also)
        answer = _one(_Exchange(address, method, body, given, max_bytes, until), check)
        target = answer.headers.get("location")
        if answer.status not in (301, 302, 303, 307, 308) or not target or redirects <= 0:
            return answer
        redirects -= 1
        url = urljoin(url, target)
        if checked(url, also).origin != address.origin:
            given = {}
        if answer.status == 303 or method != "GET":
            method, body = "GET", None


def _one(exchange: _Exchange, check: Callable[[], None]) -> Fetched:
    thread = threading.Thread(target=exchange.run, name=f"fetch {exchange.address.origin}", daemon=True)
    thread.start()
    try:
        while not exchange.ended.wait(LOOK):
            check()
            if time.monotonic() >= exchange.until:
                raise _timeout(exchange.address)
    except BaseException:
        exchange.close()
        raise
    if exchange.error is not None:
        raise exchange.error
    assert exchange.answer is not None
    return exchange.answer
