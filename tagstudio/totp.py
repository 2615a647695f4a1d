"""One-time codes from a clock: RFC 6238 over RFC 4226, as every authenticator app computes them.

SHA-1, six digits and steps of 30 seconds: what all apps understand, though the standard has more. Nothing here knows a
person or a database; that a code is used once is for whoever keeps the step that was last used.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
import time
from urllib.parse import quote, urlencode

STEP = 30  # seconds
DIGITS = 6
DRIFT = 1  # steps that a phone's clock may be early or late


def new_secret() -> str:
    """160 random bits (RFC 4226, section 4, recommends as many as SHA-1 has), in base32."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code_at(secret: str, step: int, digits: int = DIGITS) -> str:
    """The code of one step, which counts from 1970. ``secret`` is base32."""
    mac = hmac.new(base64.b32decode(secret, casefold=True), struct.pack(">Q", step), hashlib.sha1).digest()
    at = mac[-1] & 0x0F
    number: int = struct.unpack(">I", mac[at : at + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}}"


def step_of(secret: str, code: str, after: int = 0, now: float | None = None) -> int | None:
    """The step that the code is of, if it is one of now or next to it and later than ``after``; else None.

    Compares with each of them in constant time, so that how long it takes says nothing.
    """
    current = int(time.time() if now is None else now) // STEP
    found = None
    for step in range(current - DRIFT, current + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()) and step > after:
            found = step
    return found


def address(secret: str, *, account: str, issuer: str) -> str:
    """What the app reads from the picture: ``otpauth://``, in the Key URI format that the apps share."""
    query = urlencode(
        {"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": STEP}, quote_via=quote
    )
    return f"otpauth://totp/{quote(issuer, safe='')}:{quote(account, safe='')}?{query}"
