"""What the order of the queue rests on: how many products were looked at, which of them were drawn at random, and what
was found about the order itself.
"""

from __future__ import annotations

from typing import Any

from annotations.models import Catalogue, Decision, Input, Job

LOOKED_AT = (Input.KEY, Input.CLICK, Input.GRID, Input.API)  # not what came with a file or followed from a rule


def decided_counts(catalogue: Catalogue) -> tuple[int, int]:
    """How many products somebody looked at and decided on, and how many of these were shown blind."""
    seen = Decision.objects.filter(catalogue=catalogue, input__in=LOOKED_AT).order_by()
    return (
        seen.values("product").distinct().count(),
        seen.filter(blind=True).values("product").distinct().count(),
    )


def decided_blind(catalogue: Catalogue) -> set[int]:
    """Products that were decided blind, by primary key: a random sample of the catalogue."""
    return set(Decision.objects.filter(catalogue=catalogue, blind=True).order_by().values_list("product_id", flat=True))


def latest_proof(catalogue: Catalogue) -> Job | None:
    """The last job that measured what the order brings."""
    done = Job.objects.filter(catalogue=catalogue, kind="proof", state=Job.State.DONE)
    return done.order_by("-finished_at").first()


def last_verdict(catalogue: Catalogue) -> dict[str, Any]:
    """What the guard found when there last was something to judge; empty before."""
    done = Job.objects.filter(catalogue=catalogue, kind="proof", state=Job.State.DONE, result__has_key="guard")
    job = done.order_by("-finished_at").first()
    return dict(job.result["guard"]) if job else {}


def falls_back(catalogue: Catalogue) -> bool:
    """Whether the guard found random order better when it last looked."""
    return bool(last_verdict(catalogue).get("random"))
