"""A taxonomy that somebody sent through the browser: kept, looked at, chosen from, tried, and loaded as a job.

What was sent is a batch of kind ``starter``. Its ``mapping`` holds what was chosen (``branches``, ``languages``,
``category_facet``), its ``report`` what a trial foresees and then the number of the change; beside the files lies the
outline that the first look found (``formats/outline.py``).
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from annotations.actions import jobs
from annotations.actions.errors import Conflict, Refused
from annotations.actions.import_tags import note, tag_plans_of
from annotations.actions.imports import house_limits, refused
from annotations.actions.starter import in_languages, starter_plans
from annotations.actions.tag_foresight import foresee
from annotations.actions.tag_plans import FacetPlan, TagPlan, TagsImported, apply_plans
from annotations.actions.uploads import Sent, keep, plain_name, stored, within_limit
from annotations.formats.outline import STARTER, Outline
from annotations.formats.rows import FileRefused
from annotations.formats.starter_confined import outline_confined, read_starter_confined
from annotations.models import Catalogue, ImportBatch, Job, TaxonomyRevision, User
from annotations.queries.taxonomy import key_of

FIRST, SECOND, OUTLINE = "table", "second", "outline.json"
LOOK, TRY, LOAD = "look", "try", "load"
BRANCHES_MOST = 500


def receive_starter(*, catalogue: Catalogue, user: User, files: Sequence[Sent]) -> ImportBatch:
    """Keep one file, or a published taxonomy's two, and have a worker look at them. Refused when one is too large."""
    if not 1 <= len(files) <= 2:
        raise Refused(_("Choose a file first."), "no_file")
    for file in files:
        within_limit(file)
    folder = f"{catalogue.pk}/{uuid.uuid4().hex}"
    target = Path(settings.UPLOADS_ROOT) / folder
    target.mkdir(parents=True)
    try:
        sha256, *_second = [keep(file, target / name) for file, name in zip(files, (FIRST, SECOND), strict=False)]
        with transaction.atomic():
            batch = ImportBatch.objects.create(
                catalogue=catalogue, user=user, kind="starter", file_name=plain_name(files[0]),
                stored_file=f"{folder}/{FIRST}", sha256=sha256, dry_run=True,
                mapping={"names": [plain_name(file) for file in files]},
            )  # fmt: skip
            _work(batch, user, LOOK)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return batch


def outline_of_upload(batch: ImportBatch) -> Outline | None:
    """What the files offer; None until a worker has looked at them, or when they are gone."""
    if not batch.stored_file:
        return None
    path = _folder(batch) / OUTLINE
    return Outline.load(path) if path.is_file() else None


def choose(*, batch: ImportBatch, branches: Sequence[str], languages: Sequence[str], category_facet: bool) -> None:
    """What of it is wanted: no branches are all. What a trial had foreseen is forgotten when anything changes.

    Raises Refused for a branch or language that the files do not have, Conflict when it is loaded or at work.
    """
    outline = outline_of_upload(batch)
    if outline is None:
        raise Conflict(_("the files are still being looked at"), "looking")
    _check_idle(batch)
    known = {branch.id for branch in outline.branches}
    if unknown := [name for name in branches if name not in known]:
        raise Refused(_("there is no branch “%(name)s”") % {"name": unknown[0][:80]}, "branch")
    if len(branches) > BRANCHES_MOST:
        raise Refused(_("choose at most %(n)s branches") % {"n": BRANCHES_MOST}, "branches", limit=BRANCHES_MOST)
    if unknown := [code for code in languages if code not in outline.languages]:
        raise Refused(_("the file has no names in “%(code)s”") % {"code": unknown[0][:20]}, "language")
    said = {
        "branches": list(dict.fromkeys(branches)), "languages": list(dict.fromkeys(languages)),
        "category_facet": category_facet and outline.kind == STARTER,
    }  # fmt: skip
    if said != {name: batch.mapping.get(name) for name in said}:
        batch.mapping = {**batch.mapping, **said}
        if batch.dry_run:
            batch.report, batch.finished_at = {}, None
        batch.save(update_fields=["mapping", "report", "finished_at"])


def begin(*, batch: ImportBatch, user: User, do: str) -> Job:
    """A job that tries it (counts, changes nothing) or loads it. One that was stopped half-way goes on."""
    if do not in (TRY, LOAD):
        raise Refused(_("a taxonomy is tried or loaded"), "do")
    if outline_of_upload(batch) is None:
        raise Conflict(_("the files are still being looked at"), "looking")
    with transaction.atomic():
        Catalogue.objects.select_for_update().get(pk=batch.catalogue_id)  # pressing twice is starting once
        batch.refresh_from_db()
        _check_idle(batch)
        return _work(batch, user, do)


def look_again(*, batch: ImportBatch, user: User) -> Job:
    """For a look that was stopped or failed."""
    with transaction.atomic():
        Catalogue.objects.select_for_update().get(pk=batch.catalogue_id)
        batch.refresh_from_db()
        _check_idle(batch)
        return _work(batch, user, LOOK)


def _work(batch: ImportBatch, user: User, do: str) -> Job:
    slot = f"import:{batch.catalogue_id}" if do == LOAD else None
    batch.job = jobs.enqueue(
        kind="starter",
        queue="io",
        catalogue=batch.catalogue,
        user=user,
        params={"batch": batch.pk, "do": do},
        slot=slot,
    )
    batch.save(update_fields=["job"])
    return batch.job


def _check_idle(batch: ImportBatch) -> None:
    if batch.job is not None and batch.job.live:
        raise Conflict(_("this file is at work already"), "at_work")
    if batch.finished_at is not None and not batch.dry_run:
        raise Conflict(_("this file has been taken in already"), "finished")


def _folder(batch: ImportBatch) -> Path:
    return (Path(settings.UPLOADS_ROOT) / batch.stored_file).parent


def _files(batch: ImportBatch) -> list[Path]:
    second = _folder(batch) / SECOND
    return [stored(batch.stored_file), *([second] if second.is_file() else [])]


# -- what the job does -------------------------------------------------------------------------------------------
def look_at_starter(*, batch: ImportBatch) -> Outline:
    """Find out what the files offer and keep that beside them. The languages of the catalogue are chosen at first."""
    names = list(batch.mapping.get("names", ()))
    try:
        outline = outline_confined(
            _files(batch), names=names, language=batch.catalogue.language, limits=house_limits()
        )  # fmt: skip
    except FileRefused as refusal:
        raise refused(refusal) from refusal
    passing = _folder(batch) / f".{OUTLINE}"
    passing.write_text(json.dumps(outline.to_json(), ensure_ascii=False), encoding="utf-8")
    passing.replace(_folder(batch) / OUTLINE)
    ours = [code for code in batch.catalogue.languages if code in outline.languages]
    batch.mapping = {
        "names": names, "branches": [], "languages": ours or list(outline.languages[:1]), "category_facet": False,
    }  # fmt: skip
    batch.save(update_fields=["mapping"])
    return outline


def try_starter(*, batch: ImportBatch) -> dict[str, Any]:
    """Count what loading would add, and change nothing."""
    report = TagsImported()
    found = foresee(catalogue=batch.catalogue, plans=_plans(batch, report))
    told: dict[str, Any] = {**found.to_json(), "problems": report.problems}
    batch.report = told
    batch.rows, batch.created, batch.unchanged = found.tags, found.new_tags, found.tags - found.new_tags
    with transaction.atomic():
        note(batch, report, counts=False)
    return told


def load_starter_upload(
    *, batch: ImportBatch, fence: Callable[[], object], progress: Callable[[int, int], object]
) -> TagsImported:
    """Load what was chosen as one change of the taxonomy. Killed or stopped half-way it goes on where it was."""
    report = TagsImported()
    plans = _plans(batch, report)
    number = int(batch.report.get("revision") or 0) if not batch.dry_run else 0
    going_on = TaxonomyRevision.objects.filter(catalogue=batch.catalogue, number=number, undone_by=None).first()

    def begun(revision: TaxonomyRevision) -> None:
        batch.dry_run, batch.report, batch.finished_at = False, {"revision": revision.number}, None
        batch.save(update_fields=["dry_run", "report", "finished_at"])

    apply_plans(
        catalogue=batch.catalogue, plans=plans, user=batch.user, word="starter taxonomy", report=report, fence=fence,
        progress=progress, begun=begun, going_on=going_on,
    )  # fmt: skip
    with transaction.atomic():
        fence()
        batch.report = {
            "revision": report.revision, "facets": report.facets, "new_facets": report.new_facets, "tags": report.tags,
            "new_tags": report.new_tags,
        }  # fmt: skip
        note(batch, report)
    return report


def _plans(batch: ImportBatch, report: TagsImported) -> list[FacetPlan]:
    """What was chosen of what was sent; problems of a list go into the report."""
    said, outline = batch.mapping, outline_of_upload(batch)
    if outline is None:
        raise Refused(_("the file is no longer here: send it again"), "gone")
    codes = said["languages"] or batch.catalogue.languages
    try:
        if outline.kind == STARTER:
            starter = read_starter_confined(_files(batch), names=said.get("names", ()))
            return starter_plans(
                starter, branches=said["branches"], languages=codes, with_categories=said["category_facet"]
            )
        plans = tag_plans_of(
            catalogue=batch.catalogue, path=_files(batch)[0], file_name=batch.file_name, report=report
        )  # fmt: skip
    except FileRefused as refusal:
        raise refused(refusal) from refusal
    wanted = {key_of(name) for name in said["branches"]}
    return [_spoken(plan, codes) for plan in plans if not wanted or key_of(plan.name) in wanted]


def _spoken(plan: FacetPlan, codes: Sequence[str]) -> FacetPlan:
    """The plan in these languages; in any where it has a name in none of them."""
    tags = [
        TagPlan(
            name=tag.name, labels=in_languages(tag.labels, codes), parent=tag.parent, threshold=tag.threshold, line=tag.line,
            synonyms={code: words for code, words in tag.synonyms.items() if code in codes},
            definitions={code: text for code, text in tag.definitions.items() if code in codes},
        )
        for tag in plan.tags
    ]  # fmt: skip
    return FacetPlan(
        name=plan.name, labels=in_languages(plan.labels, codes), tags=tags, kind=plan.kind, unit=plan.unit,
        variant_axis=plan.variant_axis, required=plan.required, categories=plan.categories,
        descriptions={code: text for code, text in plan.descriptions.items() if code in codes},
    )  # fmt: skip
