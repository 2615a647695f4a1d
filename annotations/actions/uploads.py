"""Files that somebody sent through the browser: kept until they are taken in, checked, started, thrown away."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from annotations.actions import jobs
from annotations.actions.errors import Conflict, Refused
from annotations.actions.imports import forget_counts, house_limits, refused
from annotations.actions.reading import mapping_of, source_of
from annotations.actions.sources import save_source
from annotations.formats.confined import preview_confined
from annotations.formats.mapping import Mapping as ColumnMapping
from annotations.formats.rows import FileRefused
from annotations.models import Catalogue, ImportBatch, ImportSource, Job, User
from annotations.queries.sources import source_named

TABLE, PICTURES = "table", "pictures.zip"
"""The only names that files are stored under; what a person called them is text in the row."""
SHOWN_ROWS = 8
SAMPLES = 3


class Sent(Protocol):
    """A file as it came in: Django's UploadedFile, or anything like it."""

    @property
    def name(self) -> str | None: ...

    @property
    def size(self) -> int | None: ...

    def chunks(self) -> Iterable[bytes]: ...


def receive(
    *,
    catalogue: Catalogue,
    user: User,
    kind: str,
    table: Sent,
    pictures: Sent | None = None,
    mends: ImportBatch | None = None,
) -> ImportBatch:
    """Keep what was sent. Nothing is read yet; Refused when it is larger than this installation takes.

    mends: the import whose rows come back mended: they are read by its mapping, as rows of the same source
    """
    if kind not in ("products", "tags"):
        raise Refused(_("a file holds products or tags"), "kind")
    for file in filter(None, (table, pictures)):
        within_limit(file)
    folder = f"{catalogue.pk}/{uuid.uuid4().hex}"
    target = Path(settings.UPLOADS_ROOT) / folder
    target.mkdir(parents=True)
    try:
        sha256 = keep(table, target / TABLE)
        if pictures is not None:
            keep(pictures, target / PICTURES)
        return ImportBatch.objects.create(
            catalogue=catalogue,
            user=user,
            kind=kind,
            file_name=plain_name(table),
            stored_file=f"{folder}/{TABLE}",
            pictures_file=f"{folder}/{PICTURES}" if pictures is not None else "",
            sha256=sha256,
            dry_run=True,
            **_as_before(mends),
        )
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _as_before(mends: ImportBatch | None) -> dict[str, Any]:
    """What an import of mended rows takes over; the way its file is written (encoding, delimiter) is our own by now."""
    if mends is None:
        return {}
    mapping = {**mends.mapping, "options": {}} if mends.mapping else {}
    return {"mends": mends, "mapping": mapping, "source": mends.source, "attributes_as": mends.attributes_as}


def within_limit(file: Sent) -> None:
    """Raises Refused for a file that is larger than this installation takes."""
    if (file.size or 0) > settings.UPLOAD_MAX_BYTES:
        raise Refused(
            _("“%(name)s” is larger than %(limit)s bytes, the most this installation takes.")
            % {"name": file.name, "limit": settings.UPLOAD_MAX_BYTES},
            "too_large",
        )


def keep(sent: Sent, path: Path) -> str:
    """Write what was sent to ``path``, which must not exist; returns its sha256."""
    digest = hashlib.sha256()
    with path.open("xb") as stream:
        for chunk in sent.chunks():
            digest.update(chunk)
            stream.write(chunk)
    return digest.hexdigest()


def plain_name(sent: Sent) -> str:
    """What a person called the file, without folders and unprintable characters."""
    name = (sent.name or "file").replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in name if c.isprintable())[-255:] or "file"


def look(*, batch: ImportBatch) -> dict[str, Any]:
    """What the file looks like with the batch's mapping: columns, samples, first rows, first problems.

    Without a mapping that of the source whose columns these are is taken, else that of an earlier import of the same
    columns, else one is proposed; ``told`` says which (source, earlier, proposed, given). Raises Refused for a file
    that can't be read at all; one that only lacks a mapping says so in ``refusal``.
    """
    path = stored(batch.stored_file)
    given = ColumnMapping.from_json(batch.mapping) if batch.mapping else None
    told = "given" if given and given.columns else "proposed"
    look_at = partial(preview_confined, path, SHOWN_ROWS, name=batch.file_name, limits=house_limits())
    try:
        seen = look_at(mapping=given)
        if given is None and (source := source_of(batch.catalogue, seen)):
            seen, told = look_at(mapping=ColumnMapping.from_json(mapping_of(source, seen))), "source"
            batch.source = source
            batch.attributes_as = source.attributes_as
            batch.save(update_fields=["source", "attributes_as"])
        elif given is None and (known := _known_mapping(batch, seen["headers"])):
            seen, told = look_at(mapping=ColumnMapping.from_json(known)), "earlier"
    except FileRefused as refusal:
        raise refused(refusal) from refusal
    seen["told"] = told
    for column in seen["mapping"]["columns"]:
        if not column["samples"]:  # a mapping that a person sent back has none
            cells = (row["raw"].get(column["header"]) for row in seen["rows"])
            column["samples"] = list(dict.fromkeys(str(cell) for cell in cells if cell))[:SAMPLES]
    if seen["refusal"]:
        seen["refusal"] = refused(FileRefused.from_json(seen["refusal"])).message
    return seen


def _known_mapping(batch: ImportBatch, headers: list[str]) -> dict[str, Any] | None:
    """How a person mapped these very columns the last time."""
    earlier = ImportBatch.objects.filter(catalogue=batch.catalogue_id, kind="products").exclude(pk=batch.pk)
    for mapping in earlier.exclude(finished_at=None).order_by("-id").values_list("mapping", flat=True)[:50]:
        if mapping and [column["header"] for column in mapping.get("columns", ())] == headers:
            return dict(mapping)
    return None


def set_reading(*, batch: ImportBatch, options: Mapping[str, str]) -> None:
    """How the file is to be read (``encoding``, ``delimiter``, ``path``, ``sheet``); its columns are proposed anew."""
    _begin_again(batch)
    batch.mapping = {"version": 1, "shape": "", "options": {k: v for k, v in options.items() if v}, "columns": []}
    batch.source = None
    batch.save()


def save_as_source(*, batch: ImportBatch, name: str, user: User) -> ImportSource:
    """Keep what the batch's columns mean under a name, for every further file of the same columns."""
    if not batch.mapping.get("columns"):
        raise Refused(_("say first what the columns mean"), "mapping")
    with transaction.atomic():
        batch.source = save_source(
            catalogue=batch.catalogue, name=name, mapping=batch.mapping, attributes_as=batch.attributes_as, user=user
        )
        batch.save(update_fields=["source"])
    return batch.source


def set_mapping(*, batch: ImportBatch, mapping: Mapping[str, Any]) -> None:
    """What the columns mean, as somebody said it. Raises Refused for a mapping that makes no sense."""
    try:
        checked = ColumnMapping.from_json(mapping).to_json()
    except FileRefused as refusal:
        raise refused(refusal) from refusal
    if checked == batch.mapping:
        return  # what a dry run counted with it still holds
    _begin_again(batch)
    batch.mapping = checked
    batch.save()


def change_columns(*, batch: ImportBatch, changes: Sequence[Mapping[str, str]]) -> None:
    """What some columns mean (``header``, ``target``, maybe ``facet`` and ``separator``); the others stay as they are,
    or as they are proposed. Raises Refused for a column or a meaning that is not there."""
    try:
        mapping = ColumnMapping.from_json(look(batch=batch)["mapping"])
        for one in changes:
            mapping = mapping.change(
                one["header"], one["target"], facet=one.get("facet", ""), separator=one.get("separator")
            )
    except FileRefused as refusal:
        raise refused(refusal) from refusal
    set_mapping(batch=batch, mapping=mapping.to_json())


def use_source(*, batch: ImportBatch, name: str) -> None:
    """Read the file by the columns of a source. Raises Refused where there is none of this name."""
    source = source_named(batch.catalogue, name)
    if source is None:
        raise Refused(_("there is no source “%(name)s”") % {"name": name[:80]}, "source")
    try:
        seen = preview_confined(stored(batch.stored_file), 0, name=batch.file_name, limits=house_limits())
    except FileRefused as refusal:
        raise refused(refusal) from refusal
    set_mapping(batch=batch, mapping=mapping_of(source, seen))
    batch.source, batch.attributes_as = source, source.attributes_as
    batch.save(update_fields=["source", "attributes_as"])


def start(
    *,
    batch: ImportBatch,
    user: User,
    dry_run: bool,
    attributes_as: str = "source",
    archive_missing: bool = False,
) -> Job:
    """A job that takes the file in, or only counts what that would do. One import of a catalogue runs at a time.

    Raises Conflict when the batch is at work already, or done.
    """
    if attributes_as not in ("source", "suggestions", "approved"):
        raise Refused(_("attributes are source facts, suggestions or approved tags"), "attributes")
    with transaction.atomic():
        # the catalogue's row, locked, so that pressing twice is starting once
        Catalogue.objects.select_for_update().get(pk=batch.catalogue_id)
        batch.refresh_from_db()
        checked = batch.rows if batch.dry_run and batch.finished_at else 0
        if not _interrupted(batch):  # one that was goes on as it was begun
            _begin_again(batch)
            batch.user, batch.dry_run = user, dry_run
            batch.attributes_as, batch.archive_missing = attributes_as, archive_missing and batch.mends is None
        batch.job = jobs.enqueue(
            kind="import", queue="io", catalogue=batch.catalogue, user=user,
            params={"batch": batch.pk, "total": checked}, slot=None if batch.dry_run else f"import:{batch.catalogue_id}",
        )  # fmt: skip
        batch.save()
    return batch.job


def _interrupted(batch: ImportBatch) -> bool:
    """Whether a real import has begun and not come to its end. Raises Conflict where there is nothing to start."""
    if batch.job is not None and batch.job.live:
        raise Conflict(_("this file is at work already"), "at_work")
    if batch.finished_at is not None and not batch.dry_run:
        raise Conflict(_("this file has been taken in already"), "finished")
    return not batch.dry_run and batch.position > 0


def _begin_again(batch: ImportBatch) -> None:
    """Forget what a dry run counted."""
    if _interrupted(batch):
        raise Conflict(_("a part of this file has been taken in already: go on with it"), "begun")
    forget_counts(batch)


def discard(*, batch: ImportBatch) -> None:
    """Throw away an upload that was not taken in. Raises Conflict when it is at work or has changed something."""
    if batch.job is not None and batch.job.live:
        raise Conflict(_("this file is at work already"), "at_work")
    if not batch.dry_run:
        raise Conflict(_("this file has been taken in already"), "finished")
    forget_files(batch=batch)
    batch.delete()


def forget_files(*, batch: ImportBatch) -> None:
    """Delete what was sent; the counts and problems stay."""
    if batch.stored_file:
        shutil.rmtree(stored(batch.stored_file).parent, ignore_errors=True)
    batch.stored_file = batch.pictures_file = ""
    batch.save(update_fields=["stored_file", "pictures_file"])


def stored(name: str) -> Path:
    """Where a file of ours lies. Raises Refused when it is gone."""
    path = Path(settings.UPLOADS_ROOT) / name
    if not name or not path.is_file():
        raise Refused(_("the file is no longer here: send it again"), "gone")
    return path
