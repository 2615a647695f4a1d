"""Products in: from a file that was sent, or row by row from a program that pushes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from annotations.actions import reading
from annotations.actions.errors import Refused
from annotations.actions.import_work import ImportWork, Item, Progress, forget_counts
from annotations.actions.pictures import Album
from annotations.actions.seen import Seen
from annotations.actions.upsert import which_are_there
from annotations.formats import mapping as mappings
from annotations.formats.apply import Applier
from annotations.formats.confined import read_products_confined
from annotations.formats.messages import SENTENCES, sentence
from annotations.formats.rows import FileRefused, Limits, Record
from annotations.models import Catalogue, ImportBatch, ImportSource, User
from annotations.queries.cleaning import cleaning_of
from annotations.retelling import retell_all

__all__ = ["forget_counts", "house_limits", "import_products", "refused", "upsert_products"]

PUSHED_AT_ONCE = 1000


def house_limits() -> Limits:
    """What this installation takes in at most."""
    return Limits(file_bytes=settings.UPLOAD_MAX_BYTES)


def import_products(
    *,
    catalogue: Catalogue,
    path: str | Path,
    file_name: str = "",
    user: User | None = None,
    mapping: Mapping[str, Any] | None = None,
    attributes_as: str = "source",
    pictures: str | Path | None = None,
    archive_missing: bool = False,
    dry_run: bool = False,
    limits: Limits | None = None,
    progress: Progress | None = None,
    batch: ImportBatch | None = None,
    total: int = 0,
    fence: Callable[[], object] | None = None,
    source: ImportSource | None = None,
) -> ImportBatch:
    """Create and update products from a file, 500 rows a transaction; bad rows become problems of the batch.

    mapping:       what the columns mean; without, that of the source whose columns these are, else what is proposed
    source:        whose file it is, where that is known
    attributes_as: ``source`` (facts beside the product), ``suggestions``, or ``approved`` (decided by ``user``: the
                   tags fit, and the facets that a row names have no others). Always kept with the product as well.
    pictures:      a zip or folder that holds the pictures the rows name; None leaves pictures as they are
    dry_run:       count and note problems, and change no product, tag or picture
    batch:         one that was begun (an upload, or an import that was killed): goes on where it stopped; what was
                   counted stays counted, and nothing is doubled
    fence:         called first in each transaction; what it raises rolls it back (a job that is somebody else's now)

    Raises Refused before anything is written when the file or the pictures can't be used at all.
    """
    file_name = file_name or Path(path).name
    told: dict[str, Any] = {}
    with ExitStack() as open_things:
        try:
            columns = mappings.Mapping.from_json(mapping) if mapping else None
            limits = limits or house_limits()
            if columns is None:
                columns, source = reading.recognised(catalogue, path, name=file_name, limits=limits)
            album = open_things.enter_context(closing(Album(pictures, limits, store=not dry_run))) if pictures else None
            # Rows that are there already need not be read further, unless more than the product is made of them.
            plain = not pictures and (batch.attributes_as if batch else attributes_as) == "source"
            items = read_products_confined(
                path, columns, name=file_name, limits=limits, raw=False, cleaning=cleaning_of(catalogue),
                known=which_are_there(catalogue) if plain else None, opened=told.update,
            )  # fmt: skip
            open_things.enter_context(closing(items))  # type: ignore[type-var]
        except FileRefused as refusal:
            raise refused(refusal) from refusal
        if told["mends"] and (batch.archive_missing if batch else archive_missing):
            raise Refused(
                _("These are rows of a file and not all of it: what they lack is not missing."), "archive_missing"
            )
        if batch is None:
            batch = ImportBatch.objects.create(
                catalogue=catalogue, user=user, file_name=file_name[:255], mapping=mapping or {},
                sha256=reading.sha256_of(path), attributes_as=attributes_as, archive_missing=archive_missing,
                dry_run=dry_run,
            )  # fmt: skip
        batch.catalogue = catalogue
        covers = reading.note_reading(batch, told, source)
        work = ImportWork(batch, open_things.enter_context(closing(Seen())), album, fence or (lambda: None), covers)
        try:
            work.run(items, progress or (lambda done, total, step: None), total or told["about"])
        except FileRefused as refusal:  # the reader ran out of time or memory: what went in before stays
            raise refused(refusal) from refusal
    return batch


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """``status``: created, updated, unchanged, or refused with the problems that say why."""

    id: str
    status: str
    problems: list[dict[str, Any]]


def upsert_products(
    *, catalogue: Catalogue, rows: Sequence[Mapping[str, Any]], user: User | None, attributes_as: str = "source"
) -> list[RowAnswer]:
    """Products in our JSONL shape, as a program pushes them: the same rules as for a file, and an answer per row."""
    if len(rows) > PUSHED_AT_ONCE:
        raise Refused(_("at most %(n)s products at a time") % {"n": PUSHED_AT_ONCE}, "too_many", limit=PUSHED_AT_ONCE)
    cleaning = cleaning_of(catalogue)
    applier = Applier(mappings.Mapping(()), file="", limits=house_limits(), table=False, cleaning=cleaning)
    items: list[Item] = []
    for number, cells in enumerate(rows, start=1):
        row, problems = applier.apply(Record(number, dict(cells)))
        items += [*problems, *([row] if row else [])]
    batch = ImportBatch.objects.create(catalogue=catalogue, user=user, file_name="API", attributes_as=attributes_as)
    with closing(Seen()) as seen:
        work = ImportWork(batch, seen, None, lambda: None)
        work.run(iter(items), lambda done, total, step: None, len(rows))
    answers = []
    for number, cells in enumerate(rows, start=1):
        said = [
            {"code": p.code, "message": p.message, "column": p.column, "value": p.value, "severity": p.severity}
            for p in work.problems
            if p.line == number
        ]
        answers.append(RowAnswer(str(cells.get("id", "")), work.statuses.get(number, "refused"), said))
    return answers


def refused(refusal: FileRefused) -> Refused:
    """A file that can't be used, in the reader's language."""
    message = sentence(_(SENTENCES[f"file-{refusal.code}"]), retell_all(refusal.params))
    return Refused(message, f"file-{refusal.code}", file=refusal.file)
