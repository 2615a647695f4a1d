"""Models where every worker finds them: a folder of this machine, and beside it Django's storage ``models``.

What is read (ONNX graphs, safetensors) is always read from the folder. By default the storage *is* that folder, and
nothing is copied. Where it is another (a shared folder, S3), a finished bundle is put there, its manifest last, and a
worker or web process without it fetches it once, file by file, each checked against its sha256.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.bridge.rows import models_root
from ml.bundle import ALLOWED_SUFFIXES, CARD, Bundle, BundleError, read_bundle, sha256_file

log = logging.getLogger(__name__)

MANIFEST = ".manifest.json"
BLOCK = 2**20


def shared() -> Storage | None:
    """None where the storage is the folder itself."""
    if "models" not in settings.STORAGES:
        return None
    storage = storages["models"]
    if isinstance(storage, FileSystemStorage) and Path(storage.location) == models_root():
        return None
    return storage


@contextmanager
def reaching() -> Iterator[None]:
    """Storages have errors of their own kinds; here they are all OSError."""
    try:
        yield
    except (BundleError, OSError):
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


@reaching()
def put(path: str) -> None:
    """Share a finished folder below MODELS_ROOT, once: one with a manifest is there already. OSError where it fails."""
    storage = shared()
    if storage is None or storage.exists(path + MANIFEST):
        return
    folder = models_root() / path
    files = {}
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = file.relative_to(folder).as_posix()
        files[name] = {"sha256": sha256_file(file), "bytes": file.stat().st_size}
        with file.open("rb") as stream:
            _replace(storage, f"{path}/{name}", File(stream))
    _replace(storage, path + MANIFEST, ContentFile(json.dumps({"files": files}).encode()))


def _replace(storage: Storage, name: str, content: File[Any]) -> None:
    if storage.exists(name):  # left by somebody who was interrupted
        storage.delete(name)
    kept = storage.save(name, content)
    if kept != name:  # two put it at once: the other's is the same
        storage.delete(kept)


def put_if_possible(path: str) -> None:
    """Like :func:`put`; a storage that is away costs the other machines this one, and nobody's suggestions."""
    try:
        put(path)
    except OSError as error:
        log.warning("%s could not be shared: %s", path, error)


@reaching()
def is_there(path: str) -> bool:
    """Here or on the shared storage."""
    if (models_root() / path / CARD).is_file():
        return True
    storage = shared()
    return bool(path) and storage is not None and storage.exists(path + MANIFEST)


@reaching()
def at_hand(path: str, sha256: str = "") -> Path:
    """The folder below MODELS_ROOT, fetched where this machine has not got it.

    sha256: of the bundle, as its row says; what is fetched must have it. Raises BundleError, naming the file, for what
    is not what the manifest says, and OSError where the storage can't be reached. Without a shared storage, or where
    that has not got it either, the folder is returned as it is: whoever reads it says what is missing.
    """
    target = models_root() / path
    storage = shared()
    if target.is_dir() or storage is None or not path or not storage.exists(path + MANIFEST):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix=".fetch-", dir=target.parent))
    try:
        for name, entry in _manifest(storage, path).items():
            _fetch(storage, f"{path}/{name}", half / name, entry)
        if sha256:
            _check(read_bundle(half), sha256, path)
        half.chmod(0o755)
        if not target.is_dir():  # else another process was quicker
            half.rename(target)
    except OSError:
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return target


def _check(bundle: Bundle, sha256: str, path: str) -> None:
    if bundle.hash != sha256:
        raise BundleError(f"{path}: the bundle on the shared storage is another one (its hash differs)")


def _manifest(storage: Storage, path: str) -> dict[str, dict[str, Any]]:
    with storage.open(path + MANIFEST) as stream:
        files = json.loads(stream.read())["files"]
    for name in files:
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or name.startswith("/") or PurePosixPath(name).suffix not in ALLOWED_SUFFIXES:
            raise BundleError(f"{path}: {name}: files of this kind are not read")
    return dict(files)


def _fetch(storage: Storage, source: str, target: Path, entry: dict[str, Any]) -> None:
    digest, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with storage.open(source) as stream, target.open("xb") as out:
        for block in _blocks(stream):
            size += len(block)
            if size > entry["bytes"]:
                break
            digest.update(block)
            out.write(block)
    if size != entry["bytes"] or digest.hexdigest() != entry["sha256"]:
        raise BundleError(f"{source}: its contents are not what the manifest says (sha256 differs)")


def _blocks(stream: File[Any]) -> Iterator[bytes]:
    while block := stream.read(BLOCK):
        yield block


def remove(path: str) -> None:
    """From this machine and from the shared storage. Never raises: what is left is only space."""
    if not path:
        return
    shutil.rmtree(models_root() / path, ignore_errors=True)
    storage = shared()
    try:
        with reaching():
            _remove(storage, path)
    except (OSError, BundleError) as error:
        log.warning("%s could not be taken off the shared storage: %s", path, error)


def _remove(storage: Storage | None, path: str) -> None:
    if storage is None or not storage.exists(path + MANIFEST):
        return
    for name in [path + MANIFEST, *(f"{path}/{name}" for name in _manifest(storage, path))]:
        storage.delete(name)


def files_here(path: str, sha256: str) -> Path:
    """Like :func:`at_hand`, for people: raises Refused, in words, where what is on the storage is not to be trusted."""
    try:
        return at_hand(path, sha256)
    except BundleError as error:
        raise Refused(str(error), "bundle") from error
    except OSError as error:
        raise Refused(_("The shared storage of models cannot be reached."), "storage") from error
