"""The full tier over a catalogue: the directory that a run reads, and what its result is compared with."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.bridge import shelf
from annotations.bridge.encoders import lexical_encoder, sentence_encoders
from annotations.bridge.rows import Examples, embedding_cache, schema_of
from annotations.models import Catalogue, ModelVersion
from annotations.queries import asking, drafts
from annotations.queries import examples as questions
from ml.bundle import BundleError, pack_bundle, unpack_bundle
from ml.encoders.base import Encoder, EncoderError
from ml.evaluation.latency import one_at_a_time
from ml.evaluation.succession import compare_successor
from ml.examples import Example, Span, data_hash, write_jsonl
from ml.schema import Schema
from ml.serving.full import FullModel
from ml.training.inputs import read_blind, read_examples


def write_job_directory(catalogue: Catalogue, directory: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """``config.json``, ``schema.json``, ``examples.jsonl`` (decided), ``blind.json`` (ids of those that were decided
    blind) and ``unlabelled.jsonl`` (the rest).

    Returns ``data_hash`` (the same decisions give the same), ``decided_seq``, ``decision_count``, ``product_count``.
    """
    decided_seq = Catalogue.objects.values_list("seq", flat=True).get(pk=catalogue.pk)
    directory.mkdir(parents=True, exist_ok=True)
    schema = schema_of(catalogue)
    schema.save(directory / "schema.json")
    examples = Examples(schema)
    rows = questions.decided_facts(catalogue)
    blind = asking.decided_blind(catalogue)
    (directory / "blind.json").write_text(json.dumps(sorted(r.external_id for r in rows if r.pk in blind)), "utf-8")
    chosen = questions.chosen_spans(catalogue)
    written = drafts.approved_texts(catalogue)  # what a generator learns to write
    decided = [_portable(with_chosen(examples.of(row), chosen.get(row.pk, ()))) for row in rows]
    decided = [replace(e, written=written.get(e.id, {})) for e in decided]
    write_jsonl(directory / "examples.jsonl", decided)
    known = {e.id for e in decided}
    rest = (_portable(examples.of(row)) for row in questions.facts(catalogue) if row.external_id not in known)
    write_jsonl(directory / "unlabelled.jsonl", rest)
    config = {"plan": dict(plan), "pictures": str(settings.MEDIA_ROOT)}
    (directory / "config.json").write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
    facts = sum(
        sum(map(len, e.labels.values())) + sum(map(len, e.rejected.values())) + len(e.complete) for e in decided
    )
    return {
        "data_hash": data_hash(decided),
        "decided_seq": decided_seq,
        "decision_count": facts,
        "product_count": len(decided),
    }


def with_chosen(example: Example, chosen: Iterable[tuple[str, str, Mapping[str, Any]]]) -> Example:
    """With the words that people pointed at as spans; those whose text has changed under them are left out."""
    spans = [Span(s["field"], s["start"], s["end"], facet, tag) for facet, tag, s in chosen]
    there = (s for s in spans if 0 <= s.start < s.end <= len(example.texts.get(s.field, "")))
    return replace(example, spans=tuple(there))


def _portable(example: Example) -> Example:
    """Its picture by the path below the pictures' folder, which differs from machine to machine."""
    if not example.image:
        return example
    return replace(example, image=Path(example.image).relative_to(settings.MEDIA_ROOT).as_posix())


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

    With ``latency_ms`` of both, the p95 of one product, measured here and now, and their size in ``bytes``.

    Read from the run's own directory, so that decisions made since do not mix in. None when too little was held out.
    """
    schema = Schema.load(directory / "schema.json")
    # the head that serves reads no chosen words, so what is compared must not, either
    decided = [replace(e, spans=()) for e in read_examples(directory)]
    successor = FullModel.load(bundle, verify=False)
    lexical = lexical_encoder(catalogue, Examples(schema), lambda step: None)
    now = _full(catalogue.encoder) if catalogue.encoder else None
    current = [lexical, *sentence_encoders(catalogue, lambda step: None)]
    candidate: list[Encoder] = [lexical, successor.encoder]
    found = compare_successor(
        schema,
        decided,
        current,
        candidate,
        seen_by_candidate=successor.families,
        seen_by_current=now.families if now else frozenset(),
        blind=read_blind(directory),
        cache=embedding_cache(),
    )
    if found is None:
        return None
    sides = {"current": current, "candidate": candidate}
    return {
        **found.to_json(),
        "latency_ms": {name: one_at_a_time(encoders, decided) for name, encoders in sides.items()},
        "bytes": {name: sum(map(_bytes_of, encoders)) for name, encoders in sides.items()},
    }


def _full(model: ModelVersion) -> FullModel:
    return FullModel.load(shelf.at_hand(model.path, model.sha256), verify=False)


def _bytes_of(encoder: Encoder) -> int:
    """What the encoder takes on disk as it is served."""
    with tempfile.TemporaryDirectory() as folder:
        encoder.save(Path(folder))
        return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
