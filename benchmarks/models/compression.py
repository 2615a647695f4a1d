"""Students and pruned models beside their teacher: how much is lost, how often they agree, how much quicker they read.

The teacher is the packaged encoder, fine-tuned. Its students are its own first block, taught by it on decided and
undecided products, and the same without a teacher. Speed is processor time of the ONNX graphs on the test products.
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models._kept import key_of
from benchmarks.models._runs import (
    MEASURE,
    Setting,
    chosen,
    follow,
    helpers_of,
    new_encoder,
    plan_of,
    points,
    problem,
)  # fmt: skip
from benchmarks.models.table import Row
from ml.evaluation.smaller import same_answers
from ml.text import render

TEACHER = Setting(
    "teacher", "magento_luma_en", 150,
    {"max_length": 40, "epochs": 6, "patience": 0, "freeze": "embeddings", "learning_rate": 3e-4}, 100.0,
)  # fmt: skip
STUDENTS: dict[str, dict[str, Any]] = {
    "first block, taught": {"keep_blocks": 1, "teacher": "memory", "epochs": 8},
    "first block, not taught": {"keep_blocks": 1, "epochs": 14},
    "half the heads and neurons pruned": {"prune_heads": 0.5, "prune_neurons": 0.5, "recover_epochs": 2},
}
"""Taught, it also reads the undecided products: as many steps as the one that isn't."""


def seconds(task: Any, texts: list[str]) -> float:
    """Of processor time to embed the texts with what would be served."""
    from ml.compression import compact
    from ml.encoders.export import export_text_encoder
    from ml.encoders.onnx import OnnxEncoder

    encoder = copy.deepcopy(task.model.encoder).eval()
    compact(encoder)
    encoder.backbone.set_attn_implementation("eager")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "encoder"
        export_text_encoder(encoder.backbone, encoder.tokenizer, place, max_length=encoder.max_length)
        served = OnnxEncoder.load(place)
        ids, took = [served.token_ids(text) for text in texts], []
        for _ in range(4):
            begun = time.process_time()
            for one in ids:
                served.run([one])
            took.append(time.process_time() - begun)
    return float(np.median(took[1:]))


def beside(seed: int) -> dict[str, float]:
    """``f1 NAME`` of the teacher and its students in points, and of each student ``same NAME`` (% of the teacher's answers)
    and ``speed NAME`` (times as fast), the last with the first seed alone."""
    given = problem(TEACHER.data, TEACHER.decided, seed)
    texts = [render(e).text for e in given.test]
    plan = plan_of(TEACHER, seed)
    teacher, _ = follow(plan, given, new_encoder(TEACHER, plan))
    answers = chosen(teacher, given)
    found = {"f1 teacher": points(given, answers)}
    was = seconds(teacher, texts) if seed == 1 else 0.0

    def teach(examples: Any) -> np.ndarray:
        taught: np.ndarray = teacher.logits(teacher.model.encoder.tokenise([render(e).text for e in examples]))
        return taught

    for name, changes in STUDENTS.items():
        own = plan_of(TEACHER, seed, **changes)
        student, _ = follow(own, given, _start(own, teacher), helpers=helpers_of(TEACHER, own, teacher=teach))
        mine = chosen(student, given)
        found[f"f1 {name}"] = points(given, mine)
        found[f"same {name}"] = 100 * same_answers(given.schema, answers, mine)
        if seed == 1:
            found[f"speed {name}"] = was / seconds(student, texts)
    return found


def rows(once: Any, seeds: int = 5) -> Iterator[Row]:
    found = [
        once(
            key_of("beside", TEACHER.what, TEACHER.plan, STUDENTS, f"seed {seed}"), TEACHER.seconds, lambda seed=seed: beside(seed)
        )
        for seed in range(1, seeds + 1)
    ]  # fmt: skip
    teacher = [f["f1 teacher"] for f in found]
    yield Row("teacher, 6 blocks", TEACHER.what, MEASURE, "", teacher, [], sum(f.seconds for f in found))
    for name in STUDENTS:
        same = np.mean([f[f"same {name}"] for f in found])
        note = f"{found[0][f'speed {name}']:.1f} times as fast; {same:.1f} % the same answers"
        yield Row(name, TEACHER.what, MEASURE, "teacher", [f[f"f1 {name}"] for f in found], teacher, 0.0, note)


def _start(plan: Any, teacher: Any) -> Any:
    """Students that are taught, and what is pruned, start from the teacher's weights; the control from the base's."""
    from ml.compression import keep_blocks

    if not (plan.teacher or plan.pruned):
        return new_encoder(TEACHER, plan)
    encoder = copy.deepcopy(teacher.model.encoder)
    if plan.keep_blocks:
        keep_blocks(encoder, plan.keep_blocks)
    return encoder
