"""``simulate``: play active learning on decided products, to see what asking in which order would have brought.

The folder holds ``schema.json`` and ``examples.jsonl`` (with what was decided). ``config.json`` may name ``choosers``
(default: the product's policy, random and some strategies; see ``ml.active.simulate.CHOOSERS``), ``seeds`` (5),
``start`` (10), ``batch`` (20), ``budget`` (0.6 of the pool, at most 300), ``noise`` (0), ``least`` (2) and ``encoder``,
the folder of a sentence encoder to read products with besides the lexical one.

Writes ``curves.csv``, a row a point of a curve, and ``report.json``: a row a chooser, best first, and a row a chooser and
stopping rule, which says when the rule would have stopped and what that would have cost.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.active.simulate import CHOOSERS, Curve, Problem, chooser_of, replay, stopping, summary
from ml.active.stopping import rules
from ml.commands.channel import Channel
from ml.encoders.base import EncoderError, load_encoder
from ml.encoders.lexical import LexicalEncoder
from ml.examples import read_jsonl
from ml.training.errors import TrainingError
from ml.training.inputs import read_config, read_schema

USUAL = ("default", "random", "margin", "entropy", "bald", "badge", "typiclust", "coreset")
LEAST_PRODUCTS = 40


def run(folder: Path, channel: Channel) -> dict[str, object]:
    config = read_config(folder, needed=False)
    names = list(dict.fromkeys(["random", *config.get("choosers", USUAL)]))
    for name in names:
        if name not in CHOOSERS:
            raise TrainingError(f"no chooser is called {name!r}; there are {', '.join(CHOOSERS)}")
    problem = read_problem(folder, config)
    pool = len(problem.split(0)[0])
    budget = int(config.get("budget", min(300, int(0.6 * pool))))
    settings: dict[str, Any] = {
        "start": int(config.get("start", 10)),
        "batch": int(config.get("batch", 20)),
        "noise": float(config.get("noise", 0.0)),
        "budget": budget,
    }
    curves: dict[str, list[Curve]] = {name: [] for name in names}
    seeds = int(config.get("seeds", 5))
    for seed in range(seeds):
        for number, name in enumerate(names):
            step = {"step": seed * len(names) + number, "total": seeds * len(names)}
            channel.emit({"event": "progress", "stage": name, **step})
            curves[name].append(replay(problem, chooser_of(name), seed=seed, rules=rules(), **settings))
    with (folder / "curves.csv").open("w", newline="", encoding="utf-8") as out:
        write_curves(out, [(name, seed, c) for name, found in curves.items() for seed, c in enumerate(found)])
    rows = summary(curves)
    report = {
        "format": 1, "products": len(problem.ids), "tags": len(problem.tags), **settings, "choosers": rows,
        "stopping": stopping(curves),
    }  # fmt: skip
    (folder / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
    return {"report": "report.json", "best": rows[0]["strategy"]}


def read_problem(folder: Path, config: Mapping[str, Any]) -> Problem:
    """Raises TrainingError, naming the file, for what cannot be read or is too little."""
    schema = read_schema(folder / "schema.json")
    try:
        examples = [e for e in read_jsonl(folder / "examples.jsonl") if e.decided]
    except (OSError, ValueError) as error:
        raise TrainingError(f"the examples cannot be read: {error}") from error
    if len(examples) < LEAST_PRODUCTS:
        raise TrainingError(f"{len(examples)} decided products are too few to replay; {LEAST_PRODUCTS} are the least")
    parts = [LexicalEncoder.fit(examples).embed(examples)]
    if config.get("encoder"):
        try:
            parts.append(load_encoder(folder / config["encoder"]).embed(examples))
        except EncoderError as error:
            raise TrainingError(str(error)) from error
    return Problem.of(folder.name, schema, examples, np.hstack(parts), int(config.get("least", 2)))


def write_curves(out: Any, curves: Sequence[tuple[str, int, Curve]]) -> None:
    """A row a point: chooser, seed, decisions, f1, ap, seconds to choose the batch before (empty for the first)."""
    table = csv.writer(out)
    table.writerow(["chooser", "seed", "decisions", "f1", "ap", "seconds"])
    for name, seed, curve in curves:
        for i, decisions in enumerate(curve.decisions):
            seconds = f"{curve.seconds[i - 1]:.4f}" if i else ""
            table.writerow([name, seed, decisions, f"{curve.f1[i]:.5f}", f"{curve.ap[i]:.5f}", seconds])
