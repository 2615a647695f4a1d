"""Words that people pointed at go into a training run's directory as spans; training them is a choice of the page."""

from __future__ import annotations

from pathlib import Path

from annotations import bridge
from annotations.forms.plan import PlanForm
from annotations.models import ChosenEvidence, Decision
from ml.examples import Span, read_jsonl
from tests.annotations.conftest import World


def test_chosen_words_are_spans_of_approved_tags(world: World, tmp_path: Path) -> None:
    product = world.products[0]
    world.decide(product, black="add", red="reject")
    title = len(product.title)
    spans = [{"field": "title", "start": 0, "end": 3}, {"field": "title", "start": title, "end": title + 4}]
    for decision in Decision.objects.filter(product=product, tag__isnull=False):
        ChosenEvidence.objects.create(decision=decision, spans=spans)
    bridge.write_job_directory(world.catalogue, tmp_path / "job", bridge.checked_plan({"preset": "quick"}))
    (example,) = read_jsonl(tmp_path / "job" / "examples.jsonl")
    assert example.spans == (Span("title", 0, 3, world.tags["black"].facet.slug, world.tags["black"].slug),)


def test_the_page_asks_for_them() -> None:
    for said, plan in (({}, None), ({"spans": "weak"}, "weak"), ({"spans": "none"}, None)):
        form = PlanForm({"base": "packaged-minilm", "preset": "quick", **said})
        assert form.is_valid() and form.plan().get("spans") == plan
        assert bridge.checked_plan(form.plan())["spans"] == (plan or "none")
