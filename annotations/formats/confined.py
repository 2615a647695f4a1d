"""The readers of untrusted files, each in a child process with limits: the forms that doors and jobs use."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as Dict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from annotations.formats.checks import supplier_of
from annotations.formats.cleaning import Cleaning
from annotations.formats.known import row_hash, text_hash
from annotations.formats.mapping import Mapping
from annotations.formats.pictures import PictureRefused, open_pictures, reencode, thumbnail
from annotations.formats.products import ProductReader, preview
from annotations.formats.rows import Limits, Problem, Row, Same
from annotations.formats.sandbox import Encoded, answered, ask, run_limited, stream_limited

MEGABYTES = 512
PASSED_AT_ONCE, CHARS_AT_ONCE = 250, 1_000_000
"""Rows, and characters of their texts, from which a block of them goes to the parent."""
_ENCODER = json.JSONEncoder(ensure_ascii=False)
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
    known: Callable[[list[tuple[str, str]]], Iterable[int]] | None = None,
    opened: Callable[[dict[str, Any]], object] | None = None,
) -> Iterator[Row | Same | Problem]:
    """``read_products`` of a file on disk, worked out in a child. Raises FileRefused like it, at once.

    raw:   False leaves the original cells in the child, which spares both sides half of the work of passing rows
    known: is given ``(id, source hash)`` of some rows and says which of them the products have, by their place; those
           come as Same and are neither cleaned nor passed
    opened: is told at once how the file is read: ``kind``, ``headers``, ``mapping``, ``about``, ``mends`` (``Preview``)
    """
    given = mapping.to_json() if mapping else None
    items = stream_limited(
        _products, os.fspath(path), given, name, asdict(limits), raw, cleaning.to_json(), known is not None,
        seconds=seconds, megabytes=megabytes, answer=known and (lambda heads: list(known(heads))),
    )  # fmt: skip
    told = next(items)
    if opened:
        opened(told)
    return _decoded(items)


def _decoded(items: Iterator[Any]) -> Iterator[Row | Same | Problem]:
    with contextlib.closing(items):  # type: ignore[type-var]
        for data in itertools.chain.from_iterable(items):
            if isinstance(data, dict):
                yield Problem.from_json(data)
            else:
                yield Row(*data) if len(data) > 2 else Same(*data)


class _Asking:
    """Who knows the products is on the other side of the pipe."""

    ask = staticmethod(ask)
    answer = staticmethod(answered)


def _products(
    path: str, mapping: Any, name: str, limits: dict[str, Any], raw: bool, cleaning: Any, asking: bool
) -> Iterator[Any]:
    """In the child. First how the file is read; then items in blocks, which spares both sides most of the calls: a row
    or a Same as the list of its fields, a problem as an object."""
    given = Mapping.from_json(mapping) if mapping else None
    with ProductReader(
        path, given, name=name, limits=Limits(**limits), cleaning=Cleaning.from_json(cleaning)
    ) as reader:
        if reader.refusal:
            raise reader.refusal
        yield {
            "kind": reader.detected.kind, "headers": reader.headers, "mapping": reader.mapping.to_json(),
            "about": reader.about(), "mends": reader.mends,
        }  # fmt: skip
        yield from _blocks(reader.rows(_Asking() if asking else None), raw)


def _blocks(items: Iterable[Row | Same | Problem], raw: bool) -> Iterator[Encoded]:
    block: list[Any] = []
    chars = 0
    for item in items:
        if isinstance(item, Row):
            block.append(_fields(item, raw))
            chars += len(item.title) + len(item.description)
        else:
            block.append(item.to_json() if isinstance(item, Problem) else [item.line, item.id])
        if len(block) == PASSED_AT_ONCE or chars > CHARS_AT_ONCE:
            yield Encoded(_ENCODER.encode(block))
            block, chars = [], 0
    if block:
        yield Encoded(_ENCODER.encode(block))


def _fields(row: Row, raw: bool) -> list[Any]:
    """A row's fields in their order, the last ones worked out here: the child has a processor of its own."""
    return [
        row.line, row.id, row.title, row.description, row.category, row.language, row.family, row.attributes, row.absent,
        row.spans, row.images, row.extra, row.raw if raw else {}, row.cleaned, row.originals, row.junk, row.source_hash,
        row_hash(row), text_hash(category=row.category, title=row.title, description=row.description),
        supplier_of(row.attributes, row.extra),
    ]  # fmt: skip


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
