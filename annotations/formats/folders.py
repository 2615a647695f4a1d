"""A folder of data files read as one table: what Hugging Face ``datasets`` keeps on disk, or a zip of it.

``data/train-00000-of-00001.parquet``, ``train/data-00000-of-00001.arrow``, ``train.jsonl`` and the like, one split
after the other. Source: Hugging Face, "Structure your repository", and ``Dataset.save_to_disk``.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from annotations.formats.pictures import ZIP_BROKEN
from annotations.formats.rows import FileRefused, Limits
from annotations.formats.source import Source

DATA = (".parquet", ".arrow", ".jsonl", ".jsonl.gz", ".json", ".json.gz", ".csv", ".csv.gz", ".tsv")
NOT_DATA = ("dataset_info.json", "dataset_infos.json", "state.json", "dataset_dict.json", "manifest.json")
SPLITS = ("train", "validation", "dev", "test")
FILES = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """One data file: its name within the folder, and the split that its name speaks of (or empty)."""

    name: str
    split: str


def parts_of(place: Path, limits: Limits) -> list[Part]:
    """The data files of a folder or a zip, split by split; none where it holds none. Raises FileRefused for a bad zip."""
    if place.is_dir():
        names = [p.relative_to(place).as_posix() for p in sorted(place.rglob("*")) if p.is_file()]
    else:
        try:
            with zipfile.ZipFile(place) as archive:
                names = sorted(i.filename for i in archive.infolist() if not i.is_dir())
        except ZIP_BROKEN as error:
            raise FileRefused("broken-zip", place.name, detail=str(error)[:100] or type(error).__name__) from error
    if len(names) > FILES:
        raise FileRefused("zip-limit", place.name, detail=f"more than {FILES} files")
    found = [Part(name, _split(name)) for name in names if _holds_data(name)]
    one = _one_kind(found)
    return sorted(one, key=lambda part: (SPLITS.index(part.split) if part.split in SPLITS else len(SPLITS), part.name))


def _holds_data(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(piece.startswith((".", "__MACOSX")) for piece in path.parts)
    return not hidden and path.name not in NOT_DATA and path.name.lower().endswith(DATA)


def _one_kind(parts: list[Part]) -> list[Part]:
    """The same rows are often there twice (a Parquet copy beside the CSV): the best kind that is there."""
    for suffix in DATA:
        if same := [part for part in parts if part.name.lower().endswith(suffix)]:
            return same
    return []


def _split(name: str) -> str:
    words = re.split(r"[/._-]+", name.lower())
    return next((split for split in SPLITS if split in words), "")


@contextmanager
def opened(place: Path, part: Part, limits: Limits) -> Iterator[Source]:
    """One file of the folder as a source; of a zip it is unpacked to a temporary file first."""
    if place.is_dir():
        with Source(place / part.name, name=part.name, limits=limits) as source:
            yield source
        return
    with tempfile.TemporaryFile() as spool:
        try:
            with zipfile.ZipFile(place) as archive:
                info = archive.getinfo(part.name)
                if info.file_size > limits.zip_inflated_bytes:
                    raise FileRefused("zip-limit", part.name, detail=f"more than {limits.zip_inflated_bytes} bytes")
                with archive.open(info) as member:
                    shutil.copyfileobj(member, spool, 1 << 20)
        except ZIP_BROKEN as error:
            raise FileRefused("broken-zip", part.name, detail=str(error)[:100] or type(error).__name__) from error
        spool.seek(0)
        with Source(spool, name=part.name, limits=limits) as source:
            yield source
