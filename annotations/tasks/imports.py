"""Taking in a file: the job behind the import page."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from annotations.actions.claims import Claim
from annotations.actions.errors import NotFound
from annotations.actions.import_tags import import_tags
from annotations.actions.imports import import_products
from annotations.actions.uploads import forget_files, stored
from annotations.models import ImportBatch
from annotations.tasks.registry import handles

RESULT = ("rows", "created", "updated", "unchanged", "archived")


@handles("import")
def take_in(claim: Claim) -> dict[str, Any]:
    """Killed half-way it goes on after the last transaction that was committed; nothing is doubled or lost."""
    batch = ImportBatch.objects.filter(pk=claim.params["batch"], catalogue=claim.catalogue).first()
    if batch is None:
        raise NotFound(_("the import is gone"), "no_import")
    if batch.finished_at is None:
        if batch.kind == "tags":
            claim.progress(step=batch.file_name)
            import_tags(
                catalogue=claim.catalogue, path=stored(batch.stored_file), file_name=batch.file_name, user=claim.user,
                batch=batch, fence=claim.fence, progress=claim.progress,
            )  # fmt: skip
        else:
            _products(claim, batch)
    if not batch.dry_run:
        forget_files(batch=batch)
    return {"batch": batch.pk, "problems": batch.problem_count, **{name: getattr(batch, name) for name in RESULT}}


def _products(claim: Claim, batch: ImportBatch) -> None:
    total = int(claim.params.get("total", 0))

    def progress(done: int, all_rows: int, step: str) -> None:
        if not batch.dry_run:  # which begins anew when it is killed
            claim.keep(done)  # said after each transaction: those rows are taken in for good
        claim.progress(done, all_rows or None, step or batch.file_name)

    import_products(
        catalogue=claim.catalogue,
        path=stored(batch.stored_file),
        file_name=batch.file_name,
        user=claim.user,
        mapping=batch.mapping,
        attributes_as=batch.attributes_as,
        pictures=stored(batch.pictures_file) if batch.pictures_file else None,
        archive_missing=batch.archive_missing,
        dry_run=batch.dry_run,
        batch=batch,
        total=total,
        fence=claim.fence,
        progress=progress,
    )
