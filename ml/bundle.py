"""Bundle: a model as a directory that can be checked before it is read.

Inside: ``bundle.json`` (the card, with the sha256 and size of every other file), ``schema.json``, weights as
``*.safetensors``, graphs as ``*.onnx``, tokenizer and calibration as ``*.json``. Nothing in it is ever unpickled,
and nothing in it names code to run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

CARD = "bundle.json"
FORMAT = 1
ALLOWED_SUFFIXES = {".json", ".safetensors", ".onnx", ".txt", ".md", ".data"}
MAX_FILES = 500
MAX_JSON = 256 * 2**20  # bytes; a vocabulary of a quarter million pieces has some twenty
ARCHITECTURES = frozenset(
    [
        "albert",
        "bart",
        "bert",
        "bilstm",  # ml.encoders.lstm
        "camembert",
        "clip",
        "clip_vision_model",
        "convbert",
        "deberta",
        "deberta-v2",
        "distilbert",
        "electra",
        "ernie",
        "fnet",
        "gte",
        "modernbert",
        "mpnet",
        "nomic_bert",
        "resnet",
        "roberta",
        "siglip",
        "siglip_vision_model",
        "t5",
        "mt5",
        "vit",
        "xlm-roberta",
    ]
)  # of transformers' own code; text, pictures and generation
MAX_SAFETENSORS_HEADER = 16 * 2**20  # bytes; real headers are a few kilobytes


class BundleError(ValueError):
    """The directory is not a bundle we read; the message says which file and why."""


@dataclass(frozen=True)
class Bundle:
    """A verified bundle. ``card`` is the parsed ``bundle.json``; ``hash`` names its contents."""

    path: Path
    card: dict[str, Any]

    @property
    def hash(self) -> str:
        files = json.dumps(self.card["files"], sort_keys=True)
        return hashlib.sha256(files.encode()).hexdigest()

    @property
    def kind(self) -> str:
        return str(self.card["kind"])


def sha256_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_bundle(path: Path, kind: str, card: dict[str, Any], fill: Callable[[Path], None]) -> Bundle:
    """Write a bundle so that ``path`` either is the whole of it or does not exist.

    ``fill(directory)`` writes the files into a temporary sibling; then every file is synced, the card with its
    manifest is written, and the directory is renamed into place. Raises FileExistsError when ``path`` is there.
    """
    if path.exists():
        raise FileExistsError(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        fill(temporary)
        files: dict[str, dict[str, Any]] = {}
        for file in sorted(p for p in temporary.rglob("*") if p.is_file()):
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
            name = file.relative_to(temporary).as_posix()
            files[name] = {"sha256": sha256_file(file), "bytes": file.stat().st_size}
        whole = {"format": FORMAT, "kind": kind, **card, "files": files}
        with (temporary / CARD).open("w", encoding="utf-8") as stream:
            json.dump(whole, stream, ensure_ascii=False, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o755)
        temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return Bundle(path, whole)


def read_bundle(path: Path, verify: bool = True) -> Bundle:
    """Open a bundle. With ``verify`` every file is hashed against the card; without, only names and sizes are checked.

    Raises BundleError for a missing or foreign file, a wrong hash or size, an ``auto_map`` (code to run on load),
    or a weights file whose header is malformed or too large.
    """
    try:
        card = json.loads((path / CARD).read_text(encoding="utf-8"))
        files = card["files"]
        kind, version = card["kind"], card["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{CARD}: not a bundle card ({error!r})") from error
    if version != FORMAT or not isinstance(kind, str) or not isinstance(files, dict):
        raise BundleError(f"{CARD}: format {version!r} is not one this version reads ({FORMAT})")
    present = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()} - {CARD}
    for extra in sorted(present - set(files)):
        raise BundleError(f"{extra}: not named in {CARD}")
    for name, entry in files.items():
        _check_file(path, name, entry, verify)
    return Bundle(path, card)


def _check_file(path: Path, name: str, entry: dict[str, Any], verify: bool) -> None:
    file = path / name
    if ".." in Path(name).parts or Path(name).is_absolute() or file.suffix not in ALLOWED_SUFFIXES:
        raise BundleError(f"{name}: files of this kind are not read (allowed: {', '.join(sorted(ALLOWED_SUFFIXES))})")
    if not file.is_file() or file.is_symlink():
        raise BundleError(f"{name}: missing")
    if file.stat().st_size != entry["bytes"]:
        raise BundleError(f"{name}: {file.stat().st_size} bytes, the card says {entry['bytes']}")
    if verify and sha256_file(file) != entry["sha256"]:
        raise BundleError(f"{name}: its contents are not what the card says (sha256 differs)")
    if file.suffix == ".safetensors":
        with file.open("rb") as stream:
            header = int.from_bytes(stream.read(8), "little")
        if not 2 <= header <= min(MAX_SAFETENSORS_HEADER, file.stat().st_size - 8):
            raise BundleError(f"{name}: a weights header of {header} bytes is not believable")
    if file.suffix == ".json":
        _check_json(file, name)


def _check_json(file: Path, name: str) -> None:
    """Whatever names code or an architecture nobody here has tried, however deep, and however its keys are written."""
    if file.stat().st_size > MAX_JSON:
        raise BundleError(f"{name}: JSON of {file.stat().st_size} bytes (at most {MAX_JSON})")
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name}: not JSON ({error})") from error
    left = [content]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            if "auto_map" in part:
                raise BundleError(f"{name}: names code to run on load (auto_map); such models are refused")
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)
    if file.name == "config.json" and isinstance(content, dict) and "model_type" in content:
        kind = content["model_type"]
        if kind not in ARCHITECTURES:
            raise BundleError(
                f"{name}: the architecture {kind!r} is not read (known: {', '.join(sorted(ARCHITECTURES))})"
            )


def pack_bundle(path: Path, stream: IO[bytes]) -> None:
    """Write the bundle as a zip, not compressed: weights do not shrink. :func:`unpack_bundle` reads it."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            archive.write(file, file.relative_to(path).as_posix())


def unpack_bundle(archive: Path, target: Path, *, max_bytes: int) -> Bundle:
    """Unpack a stranger's zip into ``target``, which must not exist, and verify it like any bundle.

    What is inflated is counted while it is written. The bundle may lie in one folder of the zip. Raises BundleError,
    naming the file, for anything that is no bundle; ``target`` is then gone again.
    """
    target.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = [m for m in zipped.infolist() if not m.is_dir()]
            if len(members) > MAX_FILES:
                raise BundleError(f"{len(members)} files in the zip; a bundle has at most {MAX_FILES}")
            cards = sorted((m.filename for m in members if Path(m.filename).name == CARD), key=len)
            if not cards:
                raise BundleError(f"{CARD}: not in the zip")
            above = cards[0][: -len(CARD)]
            left = max_bytes
            for member in members:
                left -= _unpack_member(zipped, member, above, target, left)
        return read_bundle(target)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        shutil.rmtree(target, ignore_errors=True)
        raise BundleError(f"not a zip that can be read ({error})") from error
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _unpack_member(zipped: zipfile.ZipFile, member: zipfile.ZipInfo, above: str, target: Path, most: int) -> int:
    name = member.filename.removeprefix(above)
    parts = Path(name).parts
    if not member.filename.startswith(above) or not parts or ".." in parts or Path(name).is_absolute():
        raise BundleError(f"{member.filename}: lies outside the bundle")
    if Path(name).suffix not in ALLOWED_SUFFIXES:
        raise BundleError(f"{name}: files of this kind are not read (allowed: {', '.join(sorted(ALLOWED_SUFFIXES))})")
    written = 0
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    with zipped.open(member) as source, (target / name).open("xb") as out:
        while block := source.read(2**20):
            written += len(block)
            if written > most:
                raise BundleError(f"{name}: the bundle is larger than this installation takes")
            out.write(block)
    return written
