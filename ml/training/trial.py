"""A trial of a search: a plan trained and validated on every fold, without a bundle. ``config.json`` says ``folds``.

Folds are whole families, the same for every trial of a search, so that trials are compared on the same products. What is
held out for reports is read by no trial. Killed and started again, it goes on from its newest checkpoint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from ml.examples import Example
from ml.training.distributed import joined
from ml.training.errors import TrainingError
from ml.training.inputs import read_config, read_parts, read_schema, replayed
from ml.training.job import Job
from ml.training.plan import Plan
from ml.training.stages import Read


class TrialJob(Job):
    """Progress events carry ``fold`` (from 0) and ``folds``; each with a validation also carries what it amounts to:
    ``at`` (1.5 is half-way through the second fold) and ``score``, the mean of the best validations of the folds so far.
    """

    def run(self) -> dict[str, object]:
        """``{"score", "folds": [best validation of each], "seconds"}``; also in ``result.json``."""
        config = read_config(self.folder)
        self.plan = Plan.from_json(config.get("plan", {"preset": "quick"}))
        self.schema = read_schema(self.folder / "schema.json")
        self.parts = read_parts(self.folder, self.schema, self.plan)
        self.work.mkdir(exist_ok=True)
        self._claim()
        splits = self._splits(int(config.get("folds", 1)))
        device, precision = self._settle_on_device()
        bests: list[float] = []
        with joined(cuda=device.type == "cuda") as self.team:
            for fold, (train, validation) in enumerate(splits):
                tell = self._teller(fold, len(splits), bests)
                encoder = self._pretrained(device, precision)
                read = Read(replayed(self.folder, self.plan, train), validation, self.parts.undecided)
                _, progress = self._fine_tuned(encoder, read, precision, place=f"tags-{fold}", emit=tell)
                bests.append(float(progress.best or 0.0))
        result: dict[str, object] = {"score": sum(bests) / len(bests), "folds": bests}
        if self.team.first:
            (self.folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
        return result

    def _splits(self, folds: int) -> list[tuple[list[Example], list[Example]]]:
        if folds < 2:
            return [(self.parts.train, self.parts.validation)]
        return by_family([*self.parts.train, *self.parts.validation], folds, f"folds {self.plan.seed}")

    def _teller(self, fold: int, folds: int, bests: Sequence[float]) -> Any:
        best = at = 0.0

        def tell(event: dict[str, Any]) -> None:
            nonlocal best, at
            event = {**event, "fold": fold, "folds": folds}
            if event.get("val"):
                best = max(best, float(event["val"]["primary"]))
                # several trainings of one fold (members, rounds, pruning) all begin at step 0, and a place never falls
                event["at"] = at = max(at, fold + event["step"] / event["total"])
                event["score"] = (sum(bests[:fold]) + best) / (fold + 1)
            self.watch.emit(event)

        return tell


def by_family(examples: Sequence[Example], folds: int, salt: str) -> list[tuple[list[Example], list[Example]]]:
    """``(rest, fold)`` for each fold: whole families, dealt out in a fixed pseudo-random order."""
    families = sorted({e.family for e in examples}, key=lambda f: hashlib.sha256(f"{salt}\0{f}".encode()).digest())
    if len(families) < 2 * folds:
        raise TrainingError(
            f"folds: {len(families)} families are too few for {folds} folds; decide on more, or take fewer"
        )
    dealt = {family: n % folds for n, family in enumerate(families)}
    return [
        ([e for e in examples if dealt[e.family] != fold], [e for e in examples if dealt[e.family] == fold])
        for fold in range(folds)
    ]
