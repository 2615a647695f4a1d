"""Keeping the files of models that are in use, were in use just before, or are new; letting the others go.

The folders that runs and searches worked in go with them: each has a copy of all products.
"""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from annotations.actions import audit, searches, training
from annotations.actions.errors import Conflict, Refused
from annotations.models import Catalogue, Event, User
from annotations.queries.retention import jobs_that_ended, runs_not_kept, searches_not_kept, will_go

log = logging.getLogger(__name__)

MOST = 1000
UNFINISHED = (".train-*", ".search-*", ".adopt-*")  # written beside their place, and left by what was killed meanwhile
DRAFTS = "drafts-"
SECONDS_UNFINISHED = 24 * 3600.0  # nothing takes a day to write


def set_models_kept(*, catalogue: Catalogue, user: User, kept: int) -> None:
    if not 1 <= kept <= MOST:
        raise Refused(_("Keep 1 to %(most)d models.") % {"most": MOST}, "models_kept")
    with transaction.atomic():
        before = Catalogue.objects.values_list("models_kept", flat=True).get(pk=catalogue.pk)
        if before != kept:
            Catalogue.objects.filter(pk=catalogue.pk).update(models_kept=kept)
            audit.record(
                word=Event.CATALOGUE_CHANGED, catalogue=catalogue, user=user, target=catalogue.slug,
                data={"changed": {"models_kept": [before, kept]}},
            )  # fmt: skip
    catalogue.models_kept = kept


def tidy(*, catalogue: Catalogue, user: User | None = None) -> list[str]:
    """Discard what is no longer kept; the names of what went. Their rows, reports and notes stay."""
    gone = []
    for model in will_go(catalogue):
        try:
            training.discard(catalogue=catalogue, model=model, user=user)
        except Conflict:  # promoted at this moment
            continue
        gone.append(model.name)
    return gone


def folders_to_go(catalogue: Catalogue) -> list[Path]:
    """Of runs and searches that are no longer kept, where they are there; their rows, reports and scores stay."""
    folders = [training.folder_of(run) for run in runs_not_kept(catalogue)]
    folders += [searches.folder_of(search) for search in searches_not_kept(catalogue)]
    return [folder for folder in folders if folder.is_dir()]


def tidy_folders(*, catalogue: Catalogue) -> list[str]:
    """Remove them; the names of what went."""
    gone = folders_to_go(catalogue)
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
        searches.lock_of(folder).unlink(missing_ok=True)
    return [folder.name for folder in gone]


def tidy_leftovers() -> list[str]:
    """What no job goes on with, whatever catalogue it was for: half a folder, and drafts of a job that did not get to
    their end."""
    root, late = Path(settings.JOBS_ROOT), time.time() - SECONDS_UNFINISHED
    left = [path for pattern in UNFINISHED for path in root.glob(pattern) if _changed_at(path) < late and path.is_dir()]
    drafts = {str(key): path for path in root.glob(f"{DRAFTS}*") if (key := _key(path.name.removeprefix(DRAFTS)))}
    left += [drafts[key] for key in jobs_that_ended(set(drafts))]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in left]


def _key(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # finished, or tidied by another, meanwhile
        return time.time()


def tidy_all() -> None:
    for catalogue in Catalogue.objects.all():
        gone = tidy(catalogue=catalogue) + tidy_folders(catalogue=catalogue)
        if gone:
            log.info("%s: %s no longer kept", catalogue.slug, ", ".join(gone))
    if left := tidy_leftovers():
        log.info("%s: nobody goes on with it", ", ".join(left))
