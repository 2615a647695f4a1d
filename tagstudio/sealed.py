"""Secrets that have to be used again and so cannot be hashed: kept encrypted, with a key made from SECRET_KEY.

Fernet (AES-128-CBC and HMAC-SHA256) of the ``cryptography`` package. A copy of the database alone says nothing; with
another SECRET_KEY what was sealed is gone and has to be entered again.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


def _box(purpose: str) -> Fernet:
    key = hashlib.scrypt(
        settings.SECRET_KEY.encode(), salt=f"tagstudio.sealed:{purpose}".encode(), n=2**12, r=8, p=1, dklen=32
    )
    return Fernet(base64.urlsafe_b64encode(key))


def seal(text: str, purpose: str) -> str:
    """What may be stored. Only the same ``purpose`` opens it."""
    return _box(purpose).encrypt(text.encode()).decode()


def unseal(sealed: str, purpose: str) -> str | None:
    """The secret; None when it was sealed with another key, for another purpose, or was changed."""
    try:
        return _box(purpose).decrypt(sealed.encode()).decode()
    except (InvalidToken, ValueError):
        return None
