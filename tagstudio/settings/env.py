"""Typed readers of environment variables. Each refuses nonsense with a sentence that names the variable."""

from __future__ import annotations

import importlib.util
import os
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value in TRUE | FALSE:
        return value in TRUE
    raise ImproperlyConfigured(
        f"{name}={value!r} is neither yes nor no: use one of 1, 0, true, false, yes, no, on, off"
    )


def integer(name: str, default: int, low: int, high: int) -> int:
    value = text(name)
    try:
        number = int(value) if value else default
    except ValueError:
        number = low - 1
    if low <= number <= high:
        return number
    raise ImproperlyConfigured(f"{name}={value!r} is not a whole number from {low} to {high}")


def words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def one_of(name: str, known: Collection[str]) -> str:
    value = text(name).lower()
    if value in known:
        return value
    raise ImproperlyConfigured(f"{name}={value!r} is none of {', '.join(word for word in known if word)}")


def issuer(name: str, local_hosts: Collection[str]) -> str:
    """An OpenID Connect issuer as it writes itself: https, or http on a host of FETCH_LOCAL_HOSTS; empty for none."""
    value = text(name)
    parts = urlsplit(value)
    plain = parts.scheme == "http" and parts.netloc.lower() in local_hosts
    if not value or (parts.netloc and not parts.query and not parts.fragment and (parts.scheme == "https" or plain)):
        return value
    raise ImproperlyConfigured(
        f"{name}={value!r} is no issuer: https://HOST/PATH without ? and #, as its discovery document has it"
        " (http:// only for a host that FETCH_LOCAL_HOSTS names with its port)"
    )


def group_roles(name: str) -> list[tuple[str, str, str]]:
    """``GROUP=CATALOGUE:ROLE; …`` as (group, catalogue, role). Groups may hold anything but a semicolon."""
    found = []
    for entry in filter(None, (part.strip() for part in text(name).split(";"))):
        group, _equals, place = entry.rpartition("=")
        slug, _colon, role = place.strip().partition(":")
        if not group.strip() or not slug or role not in ("viewer", "reviewer", "lead", "admin"):
            raise ImproperlyConfigured(
                f"{name}: {entry!r} is not GROUP=CATALOGUE:ROLE with one of viewer, reviewer, lead, admin"
            )
        found.append((group.strip(), slug, role))
    return found


def way_in(issuer: str, client: str, passwords: bool) -> None:
    """Refuses settings that would leave nobody a way to sign in."""
    if issuer and not client:
        raise ImproperlyConfigured("OIDC_ISSUER is set and OIDC_CLIENT_ID is not: the provider knows us by it")
    if not passwords and not issuer:
        raise ImproperlyConfigured("PASSWORD_SIGN_IN=0 leaves nobody a way to sign in: set OIDC_ISSUER too")


def home(default: Path) -> Path:
    """TAGSTUDIO_HOME as an absolute, writable directory, made when it is not there."""
    path = Path(text("TAGSTUDIO_HOME", str(default))).expanduser().absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"TAGSTUDIO_HOME={path} cannot be made: {error.strerror}") from error
    if not os.access(path, os.W_OK):
        raise ImproperlyConfigured(f"TAGSTUDIO_HOME={path} cannot be written to")
    return path


def kept_secret(path: Path) -> str:
    """The secret in ``path``, made on first use, readable by its owner alone. Two processes may race for it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(50))
    kept = path.read_text().strip()
    if len(kept) < 40:
        raise ImproperlyConfigured(f"{path} holds no usable secret: delete it, and a new one is made")
    return kept


def models_storage(name: str, folder: Path) -> dict[str, object]:
    """MODELS_STORAGE as a Django storage: nothing (the folder itself), ``file:///shared/folder``, or
    ``s3://bucket/prefix?endpoint_url=https://…&region_name=…`` (options of django-storages; keys from the environment).
    """
    url = text(name)
    if not url:
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(folder)}}
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path.startswith("/"):
        location = {"location": unquote(parts.path)}
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": location}
    if parts.scheme == "s3" and parts.netloc:
        if importlib.util.find_spec("storages") is None:
            raise ImproperlyConfigured(f"{name}={url!r} needs django-storages: pip install 'tagstudio[s3]'")
        options = {"bucket_name": parts.netloc, "location": unquote(parts.path.strip("/")), "default_acl": None}
        return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {**options, **dict(parse_qsl(parts.query))}}
    raise ImproperlyConfigured(f"{name}={url!r} is neither file:///folder nor s3://bucket/prefix")


def database(name: str, default_file: Path) -> dict[str, object]:
    """DATABASE_URL as a Django database: ``sqlite:///file`` or ``postgresql://user:password@host:port/name?option``."""
    url = text(name)
    if not url:
        return sqlite(default_file)
    parts = urlsplit(url)
    if parts.scheme in ("sqlite", "sqlite3"):
        file = unquote(parts.path[1:] if parts.path.startswith("//") or not parts.path.startswith("/") else parts.path)
        return sqlite(Path(file or default_file))
    if parts.scheme in ("postgres", "postgresql"):
        return postgresql(parts)
    raise ImproperlyConfigured(f"{name} begins with {parts.scheme!r}: use sqlite:/// or postgresql://")


def is_sqlite(database: Mapping[str, object]) -> bool:
    """Of one of ``DATABASES``: by its engine, ours or Django's own."""
    return "sqlite" in str(database["ENGINE"])


def sqlite(file: Path) -> dict[str, object]:
    """IMMEDIATE transactions wait for the lock instead of failing half-way; FULL keeps what was acknowledged."""
    return {
        "ENGINE": "tagstudio.sqlite",
        "NAME": str(file),
        "ATOMIC_REQUESTS": False,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                "PRAGMA cache_size=-32000; PRAGMA mmap_size=268435456; PRAGMA temp_store=MEMORY;"
            ),
        },
    }


def postgresql(parts: object) -> dict[str, object]:
    split = parts if not isinstance(parts, str) else urlsplit(parts)
    options: dict[str, object] = dict(parse_qsl(split.query))  # type: ignore[attr-defined]
    options["options"] = (
        "-c lock_timeout=20s -c statement_timeout=120s -c idle_in_transaction_session_timeout=60s "
        + str(options.get("options", ""))
    ).strip()
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(split.path.lstrip("/")),  # type: ignore[attr-defined]
        "USER": unquote(split.username or ""),  # type: ignore[attr-defined]
        "PASSWORD": unquote(split.password or ""),  # type: ignore[attr-defined]
        "HOST": split.hostname or "",  # type: ignore[attr-defined]
        "PORT": str(split.port or ""),  # type: ignore[attr-defined]
        "ATOMIC_REQUESTS": False,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }
