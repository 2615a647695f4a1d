"""The readers of untrusted files, each in a child process with limits: the forms that doors and jobs use."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Dict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from annotations.formats.cleaning import Cleaning
from annotations.formats.mapping import Mapping
from annotations.formats.pictures import PictureRefused, open_pictures, reencode, thumbnail
from annotations.formats.products import preview, read_products
from annotations.formats.rows import Limits, Problem, Row
from annotations.formats.sandbox import run_limited, stream_limited

MEGABYTES = 512
THUMBNAIL_SUFFIX = "-320"


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture written into the folder asked for: ``name`` is the file, ``thumbnail`` the small one beside it;
    ``source_sha256`` names the bytes as they were sent."""

    asked: str
    name: str
    thumbnail: str
    sha256: str
    width: int
    height: int
    size: int
    source_sha256: str


@dataclass(frozen=True, slots=True)
class KnownPicture:
    """A picture whose bytes were sent before; ``sha256`` is what they became then."""

    asked: str
    sha256: str


def read_products_confined(
    path: str | os.PathLike[str],
    mapping: Mapping | None = None,
    *,
    name: str = "",
    limits: Limits = Limits(),  # noqa: B008  frozen
    seconds: float = 3600,
    megabytes: int = MEGABYTES,
    raw: bool = True,
    cleaning: Cleaning = Cleaning(),  # noqa: B008  frozen
) -> Iterator[Row | Problem]:
    """``read_products`` of a file on disk, worked out in a child. Raises FileRefused like it, at once.

    ``raw`` False leaves the original cells in the child, which spares both sides half of the work of passing rows.
    """
    given = mapping.to_json() if mapping else None
    items = stream_limited(
        _products, os.fspath(path), given, name, asdict(limits), raw, cleaning.to_json(), seconds=seconds,
        megabytes=megabytes,
    )  # fmt: skip
    first = next(items, None)
    return _decoded(first, items)


def _decoded(first: Any, items: Iterator[Any]) -> Iterator[Row | Problem]:
    with contextlib.closing(items):  # type: ignore[type-var]
        if first is None:
            return
        for kind, data in _chain(first, items):
            yield Row.from_json(data) if kind == "row" else Problem.from_json(data)


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield from first
    for block in rest:
        yield from block


def _products(path: str, mapping: Any, name: str, limits: dict[str, Any], raw: bool, cleaning: Any) -> Iterator[Any]:
    """In the child. Items go out in blocks, which spares both sides most of the calls."""
    block: list[Any] = []
    given = Mapping.from_json(mapping) if mapping else None
    for item in read_products(path, given, name=name, limits=Limits(**limits), cleaning=Cleaning.from_json(cleaning)):
        data = item.to_json()
        if not raw:
            data.pop("raw", None)
        block.append(("row" if isinstance(item, Row) else "problem", data))
        if len(block) == 100:
            yield block
            block = []
    if block:
        yield block


def preview_confined(
    path: str | os.PathLike[str],
    n: int = 20,
    *,
    mapping: Mapping | None = None,
    name: str = "",
    limits: Limits = Limits(),  # noqa: B008  frozen
    seconds: float = 20,
    megabytes: int = MEGABYTES,
) -> dict[str, Any]:
    """``preview`` as JSON (kind, encoding, delimiter, gzipped, headers, mapping, rows, problems, refusal)."""
    given = mapping.to_json() if mapping else None
    seen = run_limited(_preview, os.fspath(path), n, given, name, asdict(limits), seconds=seconds, megabytes=megabytes)
    return dict(seen)


def _preview(path: str, n: int, mapping: Any, name: str, limits: dict[str, Any]) -> dict[str, Any]:
    seen = preview(path, n, mapping=Mapping.from_json(mapping) if mapping else None, name=name, limits=Limits(**limits))
    return {
        "file": seen.file,
        "kind": seen.kind,
        "encoding": seen.encoding,
        "delimiter": seen.delimiter,
        "gzipped": seen.gzipped,
        "headers": seen.headers,
        "mapping": seen.mapping.to_json(),
        "rows": [row.to_json() for row in seen.rows],
        "problems": [p.to_json() for p in seen.problems],
        "refusal": seen.refusal.to_json() if seen.refusal else None,
        "about": seen.about,
        "mends": seen.mends,
        "choices": seen.choices,
    }


def store_pictures_confined(
    place: str | os.PathLike[str],
    wanted: Sequence[tuple[str, str, int]],
    folder: str | os.PathLike[str],
    *,
    known: Dict[str, str] | None = None,
    limits: Limits = Limits(),  # noqa: B008  frozen
    seconds: float = 600,
    megabytes: int = 1024,
) -> Iterator[StoredPicture | KnownPicture | Problem]:
    """Pictures of a zip or folder re-encoded into ``folder`` (which exists), one answer per name, in order.

    wanted: ``(name, file, line)``, the last two for the problem's sake
    known:  sha256 of bytes that were sent before, to the sha256 of the picture they became; they are not decoded again
    Files that are there already are left alone: their name says what is in them. Raises FileRefused for the archive.
    """
    items = stream_limited(
        _store, os.fspath(place), [list(w) for w in wanted], os.fspath(folder), sorted(known or ()), asdict(limits),
        seconds=seconds, megabytes=megabytes,
    )  # fmt: skip
    for kind, data in items:
        if kind == "known" and known:
            yield KnownPicture(data["asked"], known[data["source"]])
        else:
            yield StoredPicture(**data) if kind == "picture" else Problem.from_json(data)


def _store(
    place: str, wanted: Iterable[tuple[str, str, int]], folder: str, known: Iterable[str], limits: dict[str, Any]
) -> Iterator[Any]:
    known = frozenset(known)
    bounds = Limits(**limits)
    with open_pictures(place, limits=bounds) as pictures:
        for name, file, line in wanted:
            found = pictures(name, file=file, line=line)
            if isinstance(found, Problem):
                yield "problem", found.to_json()
                continue
            source = hashlib.sha256(found).hexdigest()
            if source in known:
                yield "known", {"asked": name, "source": source}
                continue
            try:
                yield "picture", asdict(_stored(name, found, source, Path(folder), bounds))
            except PictureRefused as refused:
                told = refused.as_problem(file=file or pictures.file, line=line, column="image", value=name)
                yield "problem", told.to_json()


def _stored(asked: str, data: bytes, source: str, folder: Path, limits: Limits) -> StoredPicture:
    picture = reencode(data, limits=limits)
    small = thumbnail(picture)
    small_name = f"{picture.sha256}{THUMBNAIL_SUFFIX}{small.suffix}"
    for name, content in ((picture.name, picture.data), (small_name, small.data)):
        target = folder / name
        if not target.exists():
            passing = folder / f".{name}.{os.getpid()}"
            passing.write_bytes(content)
            passing.replace(target)
    return StoredPicture(
        asked, picture.name, small_name, picture.sha256, picture.width, picture.height, len(picture.data), source
    )
