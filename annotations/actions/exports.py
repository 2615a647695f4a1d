"""Approved tags to a file: ask for one, write one. The same ``as_of`` gives the same tags, whenever it is written."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit, jobs
from annotations.actions.errors import Conflict, Refused
from annotations.formats.exporting import ExportRow
from annotations.formats.write_shops import write_shopify
from annotations.formats.writers import SUFFIXES, WRITERS
from annotations.models import Catalogue, Event, ExportBatch, User
from annotations.queries.feed import last_seq, products_as_of, rows_as_of
from annotations.queries.patches import shop_layout

ROWS_PER_TICK = 200
TYPES = {
    ".jsonl": "application/x-ndjson",
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".zip": "application/zip",
}
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Exported:
    """What a file holds. ``rows`` are products, ``sha256`` is of its bytes."""

    rows: int
    as_of: int
    sha256: str
    bytes: int
    seconds: float


def request_export(*, catalogue: Catalogue, user: User | None, format: str, as_of: int | None = None) -> ExportBatch:  # noqa: A002
    """A job that writes a file, as of now when nothing else is said. Raises Refused on an unknown format or future."""
    as_of = _checked(catalogue, format, as_of)
    with transaction.atomic():
        batch = ExportBatch(catalogue=catalogue, user=user, format=format, as_of=as_of)
        batch.job = jobs.enqueue(
            kind="export", queue="io", catalogue=catalogue, user=user, params={"export": str(batch.pk)}
        )
        batch.save()
        audit.record(
            word=Event.EXPORTED, catalogue=catalogue, user=user, target=str(batch.pk),
            data={"format": format, "as_of": as_of},
        )  # fmt: skip
    return batch


def write_export(*, batch: ExportBatch, progress: Progress) -> ExportBatch:
    """Write the file of a request and its manifest, whole or not at all; writing it again gives the same file."""
    path = f"{batch.catalogue_id}/{batch.pk}{SUFFIXES[batch.format]}"
    target = Path(settings.EXPORTS_ROOT) / path
    done = export_file(catalogue=batch.catalogue, format=batch.format, as_of=batch.as_of, out=target, progress=progress)
    manifest = {
        "catalogue": batch.catalogue.slug, "format": batch.format, "as_of": done.as_of, "rows": done.rows,
        "bytes": done.bytes, "sha256": done.sha256,
    }  # fmt: skip
    with _whole_file(target.with_name(f"{batch.pk}.manifest.json")) as temporary:
        temporary.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    batch.path, batch.rows, batch.bytes, batch.sha256 = path, done.rows, done.bytes, done.sha256
    batch.finished_at = timezone.now()
    batch.save(update_fields=["path", "rows", "bytes", "sha256", "finished_at"])
    return batch


def export_file(
    *,
    catalogue: Catalogue,
    format: str,  # noqa: A002
    out: Path,
    as_of: int | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write to ``out``, which appears (or is replaced) only when it is whole and on the disk."""
    begun = time.monotonic()
    as_of = _checked(catalogue, format, as_of)
    total = products_as_of(catalogue, as_of)
    rows = _counted(rows_as_of(catalogue, as_of), total, progress)
    with _whole_file(out) as temporary:
        with temporary.open("wb") as stream:
            # a patch for a shop has the columns that the shop's own export had
            if format == "shopify":
                count = write_shopify(rows, stream, layout=shop_layout(catalogue))
            else:
                count = WRITERS[format](rows, stream)
        with temporary.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        size = temporary.stat().st_size
    return Exported(count, as_of, sha256, size, round(time.monotonic() - begun, 3))


def _checked(catalogue: Catalogue, format: str, as_of: int | None) -> int:  # noqa: A002
    if format not in WRITERS:
        raise Refused(
            _("there is no format “%(format)s”; there are: %(known)s")
            % {"format": format, "known": ", ".join(WRITERS)},
            "format",
            known=list(WRITERS),
        )
    last = last_seq(catalogue)
    if as_of is None:
        return last
    if not 0 <= as_of <= last:
        raise Refused(
            _("the catalogue is at %(last)s: nothing is known as of %(as_of)s") % {"last": last, "as_of": as_of},
            "as_of",
            last=last,
        )
    return as_of


def _counted(rows: Iterable[ExportRow], total: int, progress: Progress | None) -> Iterator[ExportRow]:
    done = 0
    for done, row in enumerate(rows, start=1):
        yield row
        if progress and done % ROWS_PER_TICK == 0:
            progress(done, total)
    if progress:
        progress(done, total)


class _whole_file:  # noqa: N801  reads as a verb
    """A temporary file beside the target, which takes its place when the block ends well, flushed to the disk."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __enter__(self) -> Path:
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{self.target.name}.", dir=self.target.parent)
        except OSError as error:
            raise Refused(
                _("%(file)s cannot be written: %(why)s") % {"file": self.target, "why": error.strerror}, "file"
            ) from None
        os.close(handle)
        self.temporary = Path(name)
        return self.temporary

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is not None:
            self.temporary.unlink(missing_ok=True)
            return
        with self.temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        self.temporary.chmod(0o640)
        self.temporary.replace(self.target)


@dataclass(frozen=True, slots=True)
class Download:
    path: Path
    name: str
    kind: str


def download_of(batch: ExportBatch) -> Download:
    """The file of an export. Raises Conflict while it is not written yet, or when it was cleared away since."""
    if not batch.path or not (path := Path(settings.EXPORTS_ROOT) / batch.path).is_file():
        raise Conflict(_("this export is not ready"), "not_ready")
    name = f"{batch.catalogue.slug}-{batch.as_of}-{batch.format}{path.suffix}"
    return Download(path, name, TYPES.get(path.suffix, "application/octet-stream"))
