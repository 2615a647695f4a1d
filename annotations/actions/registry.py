"""The models on the shelf: notes on them, their files to take away, and models from elsewhere taken in.

A model from elsewhere goes the way of a run: a job checks its files, compares it with what is in use on this
catalogue's own decided products, and makes it a candidate that the gate judges like any other.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from annotations.actions import audit, jobs, training
from annotations.actions.errors import NotFound, Refused
from annotations.actions.uploads import Sent, keep, plain_name, within_limit
from annotations.models import Catalogue, Event, ModelVersion, TrainingRun, User

KIND = "adopt"
FOLDER = "models"
NOTE_LENGTH = 4000


def write_note(*, catalogue: Catalogue, model: ModelVersion, user: User, text: str) -> None:
    """What people want to remember of the model."""
    with transaction.atomic():
        changed = (
            ModelVersion.objects.filter(pk=model.pk, catalogue=catalogue)
            .exclude(note=text.strip()[:NOTE_LENGTH])
            .update(note=text.strip()[:NOTE_LENGTH])
        )
        if changed:
            audit.record(word=Event.MODEL_NOTED, catalogue=catalogue, user=user, target=model.name)


def files_of(model: ModelVersion) -> Path:
    """Where its bundle lies. Raises NotFound when it was discarded or pruned, Refused when the shared storage fails."""
    from annotations import bridge  # loads numpy and more: only for who takes a model away

    folder = bridge.files_here(model.path, model.sha256)
    if not model.path or not (folder / "bundle.json").is_file():
        raise NotFound(_("The files of %(model)s are gone.") % {"model": model.name}, "no_files")
    return folder


def receive_model(*, catalogue: Catalogue, user: User, sent: Sent) -> TrainingRun:
    """Keep the zip and let a job look at it. Raises Refused when it is larger than this installation takes."""
    within_limit(sent)
    name = f"{FOLDER}/{uuid.uuid4().hex}.zip"
    path = Path(settings.UPLOADS_ROOT) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        keep(sent, path)
        with transaction.atomic():
            job = jobs.enqueue(kind=KIND, queue="ml", catalogue=catalogue, user=user, params={"file": name})
            run = training.new_run(
                catalogue=catalogue,
                job=job,
                user=user,
                plan={"uploaded": plain_name(sent)},
                reason=TrainingRun.Reason.UPLOAD,
            )
            audit.record(word=Event.TRAINING_STARTED, catalogue=catalogue, user=user, target=str(run), data=run.plan)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return run


def uploaded(params: dict[str, Any]) -> Path:
    """The zip of such a job. Raises Refused when it is gone."""
    path = Path(settings.UPLOADS_ROOT) / str(params.get("file", ""))
    if path.parent.name != FOLDER or not path.is_file():
        raise Refused(_("the file is no longer here: send it again"), "gone")
    return path
