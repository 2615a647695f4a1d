"""``search``: try plans until the search is done, and ``trial``: one of them.

``config.json`` has a ``plan`` to vary and a ``search`` (see :class:`ml.search.Search`); beside it ``schema.json`` and
``examples.jsonl`` as for ``train``. Each trial has a folder below ``trials/``; ``trials.jsonl`` is the table of all, and
``best.json`` the best plan. Started again, it goes on where it was.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ml.commands.channel import LOG, Channel
from ml.commands.train import check_installed
from ml.search import Search, SearchError, Trial, best, propose, worth_it
from ml.training.errors import Stopped, TrainingError
from ml.training.inputs import pictures_of, read_config

SHARED = ("schema.json", "examples.jsonl", "unlabelled.jsonl")


def run_trial(folder: Path, channel: Channel) -> dict[str, object]:
    check_installed()
    from ml.training.trial import TrialJob

    return TrialJob(folder, channel).run()


def run(folder: Path, channel: Channel) -> dict[str, object]:
    check_installed()
    config = read_config(folder)
    try:
        search = Search.from_json(config.get("search", {}), config.get("plan", {"preset": "quick"}))
        trials = _read(folder)
        for number in range(1, search.trials + 1):
            former = trials.get(number)
            if former is None or former.state == "running":
                changes = former.changes if former else propose(search, number, list(trials.values()))
                trials[number] = Trial(number, changes)
                _write(folder, trials)
                trials[number] = _one(folder, channel, search, trials[number], list(trials.values()))
                _write(folder, trials)
    except SearchError as error:
        raise TrainingError(str(error)) from error
    found = best(list(trials.values()))
    if found is None:
        raise TrainingError("no trial came to an end; the last lines say why")
    plan = search.plan(found.changes).to_json()
    (folder / "best.json").write_text(json.dumps(plan, indent=1), encoding="utf-8")
    return {"best": found.number, "score": found.score, "changes": found.changes, "trials": len(trials)}


def _one(folder: Path, channel: Channel, search: Search, trial: Trial, others: list[Trial]) -> Trial:
    """Train it to its end, or until it is not worth it."""
    from ml.training.trial import TrialJob

    place = folder / "trials" / f"{trial.number:04}"
    place.mkdir(parents=True, exist_ok=True)
    for name in SHARED:
        if (folder / name).is_file() and not (place / name).exists():
            (place / name).symlink_to(os.path.relpath(folder / name, place))
    plan = search.plan(trial.changes).to_json()
    (place / "config.json").write_text(
        json.dumps({"plan": plan, "folds": search.folds, **pictures_of(folder)}), encoding="utf-8"
    )
    watch = _TrialWatch(channel, place, trial, lambda mine: worth_it(search, mine, others))
    try:
        result = TrialJob(place, watch).run()
    except Stopped:
        if channel.stopping:
            raise
        ended = replace(watch.trial, state="pruned")
    except TrainingError as error:
        channel.log(f"trial {trial.number} failed: {error}")
        ended = replace(watch.trial, state="failed")
    else:
        ended = replace(watch.trial, state="done", score=float(str(result["score"])))
    channel.log(
        f"trial {ended.number}: {ended.state}, {ended.score if ended.score is not None else '–'}, {ended.changes}"
    )
    return ended


class _TrialWatch:
    """Passes on what a trial says, keeps its reports, and stops it when it is not worth it."""

    def __init__(self, channel: Channel, folder: Path, trial: Trial, judge: Callable[[Trial], bool]) -> None:
        self.channel, self.folder, self.trial, self.judge, self.pruned = channel, folder, trial, judge, ""

    @property
    def stopping(self) -> str:
        return self.channel.stopping or self.pruned

    def emit(self, event: dict[str, Any]) -> None:
        self.channel.emit({**event, "trial": self.trial.number})
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps({**event, "time": time.time()}) + "\n")
        if "score" in event:
            self.trial = replace(self.trial, reports=(*self.trial.reports, (event["at"], event["score"])))
            self.pruned = "" if self.judge(self.trial) else "not worth going on with"

    def log(self, text: str) -> None:
        self.channel.log(f"trial {self.trial.number}: {text}")

    def patient(self, work: Callable[[], Any]) -> Any:
        return self.channel.patient(work)


def _read(folder: Path) -> dict[int, Trial]:
    path = folder / "trials.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    return {r["number"]: Trial(**{**r, "reports": tuple(map(tuple, r["reports"]))}) for r in rows}


def _write(folder: Path, trials: dict[int, Trial]) -> None:
    temporary = folder / "trials.jsonl.part"
    temporary.write_text("".join(json.dumps(asdict(t)) + "\n" for t in trials.values()), encoding="utf-8")
    temporary.replace(folder / "trials.jsonl")
