"""train CATALOGUE --tier instant|full [--plan FILE] [--wait]"""

import json
import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from annotations.actions import learning, training
from annotations.actions.errors import Refused
from annotations.management.base import Failed, JsonCommand
from annotations.models import Catalogue, Job, ModelVersion
from annotations.tasks.run import run_now

POLL_SECONDS = 0.2


class Command(JsonCommand):
    help = "Train a model on the catalogue's decisions. With --wait it is done here unless a worker is quicker."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        parser.add_argument("--tier", choices=ModelVersion.Tier.values, default="instant")
        parser.add_argument("--plan", metavar="FILE", help="a JSON file with a training plan (full tier)")
        parser.add_argument("--wait", action="store_true", help="answer when it has ended")

    def answer(self, **options: Any) -> dict[str, Any]:
        catalogue = self.catalogue(options["catalogue"])
        begun = time.monotonic()
        if options["tier"] == ModelVersion.Tier.INSTANT:
            if not learning.anything_to_learn(catalogue=catalogue):
                raise Refused(
                    _("There are no tags yet: import a tag list, or take the tags from the products."), "no_tags"
                )
            job = learning.request_refit(catalogue=catalogue)
        else:
            job = training.request_training(catalogue=catalogue, user=None, plan=plan_of(options["plan"])).job
        if not options["wait"]:
            return {"job": str(job.pk), "state": job.state}
        with self.progress(options["tier"]) as draw:
            job = finished(job, draw)
        model = model_of(job, catalogue)
        if model.tier == ModelVersion.Tier.INSTANT:
            model = followed_up(catalogue) or model
        return {
            "model": model.name,
            "tier": model.tier,
            "metrics": model.metrics,
            "seconds": round(time.monotonic() - begun, 2),
        }


def finished(job: Job, draw: Any = lambda done, total=None: None) -> Job:
    """The job when it has ended, worked on here unless a worker has it. Raises Failed when it failed."""
    job = ended(job, draw)
    if job.state != Job.State.DONE:
        raise Failed(job.error or f"the job was {job.state}", f"job_{job.state}", job=str(job.pk))
    return job


def ended(job: Job, draw: Any = lambda done, total=None: None) -> Job:
    """The same, however it ended."""
    job = run_now(job)
    while job.live:
        draw(job.done_count, job.total_count or None)
        time.sleep(POLL_SECONDS)
        job = run_now(job) if job.state == Job.State.QUEUED else job
        job.refresh_from_db()
    return job


def followed_up(catalogue: Catalogue) -> ModelVersion | None:
    """The model that serves once what a refit left to the background is done as well."""
    kinds = ("read", "refit", "calibrate", "score")
    for _turn in range(2 * len(kinds)):  # reading asks for a refit, which asks for scoring; decisions may go on and on
        job = Job.objects.filter(catalogue=catalogue, kind__in=kinds).live().order_by("created_at").first()
        if job is None:
            break
        finished(job)
    return Catalogue.objects.select_related("serving").get(pk=catalogue.pk).serving


def model_of(job: Job, catalogue: Catalogue) -> ModelVersion:
    number = int(str(job.result["model"]).rsplit("-", 1)[1])
    return ModelVersion.objects.get(catalogue=catalogue, number=number)


def plan_of(file: str | None) -> dict[str, Any]:
    """The plan in this file, unchecked; without a file the default one. Raises Failed for what is no JSON object."""
    if file is None:
        return {}
    try:
        plan = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failed(f"{file} is no plan: {error}", "plan", file=file) from error
    if not isinstance(plan, dict):
        raise Failed(f"{file} is no plan: it must hold one JSON object", "plan", file=file)
    return plan
