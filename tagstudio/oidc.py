"""Signing in through an identity provider: OpenID Connect Core 1.0, the authorization code flow with PKCE (RFC 7636).

Protocol alone: it knows no person and no page. Everything is asked through ``tagstudio.fetch``: of the issuer's own
host, and of others (some keep their keys elsewhere) only where the operator named them. The ID token's signature is
checked with the issuer's keys even though it came over TLS, and ``state``, ``nonce`` and ``iss`` (RFC 9207) besides.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jwt
from django.conf import settings
from django.utils.translation import gettext as _

from tagstudio.fetch import Fetched, FetchFailed, FetchRefused, fetch

logger = logging.getLogger(__name__)

# signed with a private key: none of those for which knowing what is public, or the client's secret, would do
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
SECONDS = 10.0  # for each request: a person waits
MOST = 512 * 1024  # bytes of an answer
KEPT = 3600.0  # seconds that the issuer's description and keys are believed
AGAIN = 30.0  # seconds between two looks for a key that was not there
LEEWAY = 60  # seconds that the issuer's clock may differ


class SignInFailed(Exception):
    """The message is for the person at the door. ``kind``: "unreachable", "answer", "refused"."""

    def __init__(self, message: str, kind: str = "answer") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Begun:
    """``url`` is where the browser goes; the rest must be known again when it comes back."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(slots=True)
class _Known:
    """What the issuer said of itself, and when."""

    about: dict[str, Any]
    at: float
    keys: list[dict[str, Any]] | None = None
    keys_at: float = 0.0


_known: dict[str, _Known] = {}


def forget() -> None:
    """Ask the issuer anew the next time."""
    _known.clear()


def is_on() -> bool:
    return bool(settings.OIDC_ISSUER)


def begin(redirect_uri: str) -> Begun:
    """The address of the issuer's own sign-in page. Raises SignInFailed."""
    known = _description()
    state, nonce, verifier = (secrets.token_urlsafe(32) for _n in range(3))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = urlencode(
        {
            "response_type": "code", "client_id": settings.OIDC_CLIENT_ID, "redirect_uri": redirect_uri,
            "scope": " ".join(settings.OIDC_SCOPES), "state": state, "nonce": nonce,
            "code_challenge": challenge, "code_challenge_method": "S256",
        },
        quote_via=quote,
    )  # fmt: skip
    where = known.about["authorization_endpoint"]
    return Begun(f"{where}{'&' if urlsplit(where).query else '?'}{query}", state, nonce, verifier)


def finish(*, answer: Mapping[str, str], begun: Begun, redirect_uri: str) -> dict[str, Any]:
    """What the issuer says of the person: the ID token's claims, with those of the userinfo endpoint where needed.

    ``answer`` is the query that the browser came back with. Raises SignInFailed.
    """
    known = _description()
    if not hmac.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
        raise SignInFailed(_("This sign-in was not begun here, or it took too long. Begin again."), "refused")
    if answer.get("iss", settings.OIDC_ISSUER) != settings.OIDC_ISSUER:
        raise _wrong("iss")
    if error := answer.get("error"):
        kind = error if re.fullmatch(r"[a-z_]{1,40}", error) else "error"
        logger.warning("oidc: the issuer refused: %s", kind)
        raise SignInFailed(_("%(name)s did not let you in (%(kind)s).") % {"name": settings.OIDC_NAME, "kind": kind}, "refused")  # fmt: skip
    if not answer.get("code"):
        raise _wrong("code")
    tokens = _tokens(known.about, answer["code"], begun.verifier, redirect_uri)
    claims = _claims(known, str(tokens.get("id_token") or ""), begun.nonce)
    missing = "email" not in claims or (settings.OIDC_ROLES and _group(claims) is None)
    if missing and known.about.get("userinfo_endpoint") and tokens.get("access_token"):
        more = _json(_ask(known.about["userinfo_endpoint"], headers={"Authorization": f"Bearer {tokens['access_token']}"}), "userinfo")  # fmt: skip
        if more.get("sub") != claims["sub"]:
            raise _wrong("userinfo sub")
        claims = {**more, **claims}
    return claims


def groups_of(claims: Mapping[str, Any]) -> list[str]:
    """The groups that the claim named in OIDC_GROUPS_CLAIM lists; one that is not there lists none."""
    found = _group(claims)
    if isinstance(found, str):
        return [found]
    return [str(group) for group in found] if isinstance(found, list) else []


def verified_email(claims: Mapping[str, Any]) -> str:
    """The address, where the issuer says that it is the person's; else nothing. Some say "true" as a string."""
    email = claims.get("email")
    sure = claims.get("email_verified") in (True, "true")
    return email.strip() if sure and isinstance(email, str) and "@" in email else ""


def _group(claims: Mapping[str, Any]) -> Any:
    name = settings.OIDC_GROUPS_CLAIM
    if name in claims:
        return claims[name]
    found: Any = claims  # Keycloak's realm_access.roles
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _description() -> _Known:
    """OpenID Connect Discovery 1.0. The issuer must call itself what the operator calls it (section 4.3)."""
    issuer = settings.OIDC_ISSUER
    known = _known.get(issuer)
    if known is not None and time.monotonic() - known.at < KEPT:
        return known
    about = _json(_ask(f"{issuer.rstrip('/')}/.well-known/openid-configuration"), "discovery")
    if about.get("issuer") != issuer:
        raise _wrong("issuer")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not isinstance(about.get(name), str):
            raise _wrong(name)
    # the browser is sent there: as for what we ask ourselves, http is for the own network alone
    parts = urlsplit(about["authorization_endpoint"])
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.netloc in settings.FETCH_LOCAL_HOSTS):
        raise _wrong("authorization_endpoint")
    _known[issuer] = _Known(about, time.monotonic())
    return _known[issuer]


def _tokens(about: Mapping[str, Any], code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    client, secret = settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET
    ways = about.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    if secret and "client_secret_basic" in ways:  # RFC 6749, section 2.3.1: encoded before they are joined
        pair = f"{quote(client, safe='')}:{quote(secret, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form["client_id"] = client
        if secret:
            form["client_secret"] = secret
    return _json(_ask(about["token_endpoint"], body=urlencode(form).encode(), headers=headers), "token")


def _claims(known: _Known, token: str, nonce: str) -> dict[str, Any]:
    """OpenID Connect Core 1.0, section 3.1.3.7."""
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:
            raise _wrong("algorithm")
        claims: dict[str, Any] = jwt.decode(
            token, _key(known, header), algorithms=[header["alg"]], audience=settings.OIDC_CLIENT_ID,
            issuer=settings.OIDC_ISSUER, leeway=LEEWAY, options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )  # fmt: skip
    except jwt.PyJWTError as error:
        raise _wrong(type(error).__name__) from None
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise _wrong("nonce")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (several or "azp" in claims) and claims.get("azp") != settings.OIDC_CLIENT_ID:
        raise _wrong("azp")
    if not isinstance(claims["sub"], str) or not 1 <= len(claims["sub"]) <= 255:
        raise _wrong("sub")
    return claims


def _key(known: _Known, header: Mapping[str, Any]) -> jwt.PyJWK:
    """The issuer's key that the token names. One that is not known is looked for again, since issuers change them."""
    for late in (False, True):
        if known.keys is None or time.monotonic() - known.keys_at > (AGAIN if late else KEPT):
            keys = _json(_ask(known.about["jwks_uri"]), "jwks").get("keys")
            known.keys = [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
            known.keys_at = time.monotonic()
        usable = [key for key in known.keys if key.get("kty") != "oct" and key.get("use", "sig") == "sig"]
        if "kid" in header:
            usable = [key for key in usable if key.get("kid") == header["kid"]]
        elif len(usable) != 1:  # which of several it would be is anybody's guess
            usable = []
        if usable:
            return jwt.PyJWK.from_dict(usable[0], algorithm=header["alg"])
    raise _wrong("key")


def _ask(url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Fetched:
    issuer = urlsplit(settings.OIDC_ISSUER).netloc.lower()
    try:
        answer = fetch(
            url, method="POST" if body is not None else "GET", body=body, headers=headers, seconds=SECONDS,
            max_bytes=MOST, also=(issuer,),
        )  # fmt: skip
    except (FetchRefused, FetchFailed) as error:
        logger.warning("oidc: %s", error)
        raise SignInFailed(
            _("%(name)s cannot be asked at the moment: %(why)s") % {"name": settings.OIDC_NAME, "why": error},
            "unreachable",
        ) from None
    return answer


def _json(answer: Fetched, what: str) -> dict[str, Any]:
    try:
        found = json.loads(answer.body) if answer.status == 200 else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _wrong(f"{what} {answer.status}")
    return found


def _wrong(what: str) -> SignInFailed:
    """``what`` is one of our own words, or the name of an exception: never something that came in."""
    logger.warning("oidc: the issuer's answer is not right: %s", what)
    return SignInFailed(
        _("What %(name)s answered is not right (%(what)s), so nobody was signed in. Try again; if it stays so, tell whoever runs this installation.")
        % {"name": settings.OIDC_NAME, "what": what}
    )  # fmt: skip
