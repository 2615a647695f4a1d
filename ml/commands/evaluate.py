"""``evaluate``: one bundle on decided products, or two against each other.

``config.json`` names the ``candidate`` (a path from the folder; default ``bundle``) and may name the ``current`` bundle.
Writes ``report.json``: metrics and facets of the candidate, and with a current one the ``comparison``. Products of
families that either bundle was trained on are left out, and counted in ``seen``.
"""

from __future__ import annotations

import json
from pathlib import Path

from ml.commands.channel import Channel
from ml.evaluation.compare import compare
from ml.examples import family_hash, targets
from ml.schema import Schema
from ml.serving.full import FullModel
from ml.training.errors import TrainingError
from ml.training.inputs import read_config, read_examples
from ml.training.report import answers, measure


def run(folder: Path, channel: Channel) -> dict[str, object]:
    config = read_config(folder, needed=False)
    candidate = FullModel.load(folder / config.get("candidate", "bundle"))
    current = FullModel.load(folder / config["current"]) if config.get("current") else None
    schema: Schema = candidate.schema
    if current is not None and current.schema.columns != schema.columns:
        raise TrainingError("the two bundles know different tags; compare bundles of one schema")
    try:
        examples = list(read_examples(folder))
    except (OSError, ValueError) as error:
        raise TrainingError(f"examples cannot be read: {error}") from error
    seen = candidate.families | (current.families if current else frozenset())
    fresh = [e for e in examples if family_hash(e.family) not in seen]
    y, known = targets(schema, fresh)
    if not known.any():
        raise TrainingError("no decided products of families that the bundles have not been trained on")
    found = answers(candidate, fresh)
    report = {"format": 1, "primary": "micro_f1", "direction": "higher", **measure(schema, fresh, found)}
    report["seen"] = len(examples) - len(fresh)
    if current is not None:
        ids, families = [e.id for e in fresh], [e.family for e in fresh]
        compared = compare(schema, y, known, answers(current, fresh), found, ids=ids, families=families)
        report["comparison"] = compared.to_json()
    (folder / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
    return {"report": "report.json", "metrics": report["metrics"]}
