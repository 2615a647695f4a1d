"""The full tier over a catalogue: plans, the directory that a run reads, and what its result is compared with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.bridge.encoders import lexical_encoder, sentence_encoders
from annotations.bridge.rows import Examples, embedding_cache, models_root, schema_of
from annotations.models import Catalogue
from annotations.queries import examples as questions
from ml.bundle import BundleError, pack_bundle, unpack_bundle
from ml.encoders.base import Encoder, EncoderError
from ml.evaluation.latency import one_at_a_time
from ml.evaluation.succession import compare_successor
from ml.examples import Example, data_hash, read_jsonl, write_jsonl
from ml.schema import Schema
from ml.serving.full import FullModel
from ml.training.plan import PRESETS, Plan, PlanError


def checked_plan(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The plan with every field filled in. Raises Refused naming the field that cannot be followed."""
    try:
        return Plan.from_json(plan).to_json()
    except PlanError as error:
        raise Refused(str(error), "plan") from error


def plan_presets() -> dict[str, dict[str, Any]]:
    return {name: Plan.from_json({"preset": name}).to_json() for name in PRESETS}


def write_job_directory(catalogue: Catalogue, directory: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """``config.json``, ``schema.json``, ``examples.jsonl`` (decided) and ``unlabelled.jsonl`` (the rest).

    Returns ``data_hash`` (the same decisions give the same), ``decided_seq``, ``decision_count``, ``product_count``.
    """
    decided_seq = Catalogue.objects.values_list("seq", flat=True).get(pk=catalogue.pk)
    directory.mkdir(parents=True, exist_ok=True)
    schema = schema_of(catalogue)
    schema.save(directory / "schema.json")
    examples = Examples(schema)
    decided = examples.all(questions.decided_facts(catalogue))
    write_jsonl(directory / "examples.jsonl", decided)
    known = {e.id for e in decided}
    rest = (examples.of(row) for row in questions.facts(catalogue) if row.external_id not in known)
    write_jsonl(directory / "unlabelled.jsonl", rest)
    (directory / "config.json").write_text(json.dumps({"plan": dict(plan)}, ensure_ascii=False), encoding="utf-8")
    facts = sum(
        sum(map(len, e.labels.values())) + sum(map(len, e.rejected.values())) + len(e.complete) for e in decided
    )
    return {
        "data_hash": data_hash(decided),
        "decided_seq": decided_seq,
        "decision_count": facts,
        "product_count": len(decided),
    }


def take_apart(archive: Path, target: Path, *, max_bytes: int) -> dict[str, Any]:
    """Unpack a model from elsewhere into ``target`` and try it. Returns its card, ``hash`` included.

    Raises Refused, saying which file and why, for what is no whole full bundle, names code, or reads as something else.
    """
    try:
        bundle = unpack_bundle(archive, target, max_bytes=max_bytes)
        model = FullModel.load(target, verify=False)
        tried = model.encoder.embed([Example("try", {"title": "try"})])
    except (BundleError, EncoderError) as error:
        shutil.rmtree(target, ignore_errors=True)
        raise Refused(str(error), "bundle") from error
    if tried.shape != (1, model.encoder.dim) or not np.isfinite(tried).all():
        shutil.rmtree(target, ignore_errors=True)
        raise Refused(_("Its encoder does not answer as its card says."), "bundle")
    return {**bundle.card, "hash": bundle.hash}


def pack(bundle: Path, stream: IO[bytes]) -> None:
    pack_bundle(bundle, stream)


def comparison(catalogue: Catalogue, directory: Path, bundle: Path) -> dict[str, Any] | None:
    """What would serve once ``bundle`` is promoted against what serves now, on the run's held-out products.

    With ``latency_ms`` of both: the p95 of one product, measured here and now.

    Read from the run's own directory, so that decisions made since do not mix in. None when too little was held out.
    """
    schema = Schema.load(directory / "schema.json")
    decided = list(read_jsonl(directory / "examples.jsonl"))
    successor = FullModel.load(bundle, verify=False)
    lexical = lexical_encoder(catalogue, Examples(schema), lambda step: None)
    now = FullModel.load(models_root() / catalogue.encoder.path, verify=False) if catalogue.encoder else None
    current = [lexical, *sentence_encoders(catalogue, lambda step: None)]
    candidate: list[Encoder] = [lexical, successor.encoder]
    found = compare_successor(
        schema,
        decided,
        current,
        candidate,
        seen_by_candidate=successor.families,
        seen_by_current=now.families if now else frozenset(),
        cache=embedding_cache(),
    )
    if found is None:
        return None
    sides = {"current": current, "candidate": candidate}
    return {
        **found.to_json(),
        "latency_ms": {name: one_at_a_time(encoders, decided) for name, encoders in sides.items()},
    }
