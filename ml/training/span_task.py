"""Tags and spans from one encoder in one loop (Caruana 1997): the weighted sum of both losses, each a mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml.encoders.fusion import ProductEncoder
from ml.encoders.hf import TextEncoder
from ml.evaluation.spans import entity_scores
from ml.examples import Example, Span
from ml.heads.masked import MaskedModel
from ml.heads.spans import SpanHead
from ml.heads.tags import TagHead
from ml.instant.phrases import Phrases
from ml.schema import Schema
from ml.serving.full import PHRASES, SPANS
from ml.serving.labelling import Labels, encode, known_facets, possible, read_words
from ml.serving.spans import SpanReader, Value
from ml.text import render
from ml.training.distributed import Team
from ml.training.errors import TrainingError
from ml.training.mentions import Mentions
from ml.training.plan import Plan
from ml.training.tasks import Inputs, TagTask, groups
from ml.training.weak import with_weak_spans


class SpanModel(nn.Module):
    """``forward(ids, mask, at, found) -> (tag logits (b, columns), emissions (b, w, k))``."""

    def __init__(self, encoder: TextEncoder, head: TagHead, spans: SpanHead) -> None:
        super().__init__()
        self.encoder, self.head, self.spans = encoder, head, spans

    def forward(self, ids: Tensor, mask: Tensor, at: Tensor, found: Tensor | None = None) -> tuple[Tensor, Tensor]:
        states, pooled = self.encoder(ids, mask)
        return self.head(pooled), self.spans(states, at, found)


class Marked:
    """The words of examples and what they may be, padded batch by batch. found: what the dictionary says of them."""

    def __init__(
        self, labels: Labels, encoder: TextEncoder, examples: Sequence[Example], phrases: Phrases | None, *, own: bool
    ) -> None:
        self.labels, self.examples = labels, list(examples)
        self.rendered = [render(e) for e in examples]
        self.words = read_words(encoder.tokenizer, self.rendered)
        triples = list(zip(examples, self.rendered, self.words, strict=True))
        self.label = [encode(labels, *triple) for triple in triples]
        self.asked = np.array([labels.asked(e) for e in examples]).reshape(-1, len(labels))
        self.found = [phrases.found(*triple, own=own) for triple in triples] if phrases else None

    def forget(self, row: int, spans: Sequence[Span]) -> None:
        """The dictionary says nothing of these: as if their values had never been seen."""
        if self.found is None:
            return
        words, begin = self.words[row], {name: start for name, start, _ in self.rendered[row].parts}
        for span in spans:
            self.found[row][words.inside(span.start + begin[span.field], span.end + begin[span.field])] = 0.0

    def read(self, rows: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """``(at (b, w), found (b, w, k) or None)``: what the head takes of the rows, padded on the right."""
        longest = self._longest(rows)
        at = np.zeros((len(rows), longest), np.int64)
        found = None if self.found is None else np.zeros((len(rows), longest, len(self.labels)), np.float32)
        for n, row in enumerate(rows):
            at[n, : len(self.words[row])] = self.words[row].token
            if found is not None and self.found is not None:
                found[n, : len(self.words[row])] = self.found[row]
        return torch.from_numpy(at).to(device), None if found is None else torch.from_numpy(found).to(device)

    def truth(self, rows: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """``(mask (b, w), asked (b, w, k), possible (b, w, k))``, as :meth:`SpanHead.loss` takes them."""
        shape = (len(rows), self._longest(rows), len(self.labels))
        mask, asked, may = np.zeros(shape[:2], bool), np.ones(shape, bool), np.ones(shape, bool)
        for n, row in enumerate(rows):
            words, size = self.words[row], len(self.words[row])
            mask[n, :size] = True
            asked[n, :size] = words.asked(self.asked[row], self.labels.begins)
            may[n, :size] = asked[n, :size] & possible(self.labels, self.examples[row], self.label[row])
        return tuple(torch.from_numpy(a).to(device) for a in (mask, asked, may))  # type: ignore[return-value]

    def _longest(self, rows: np.ndarray) -> int:
        return max(1, *(len(self.words[row]) for row in rows))


@dataclass(frozen=True)
class Drawn:
    """Products as one step reads them, and which of them."""

    tokens: Inputs
    marked: Marked
    rows: np.ndarray
    step: int


class SpanTask(TagTask):
    """The tag task with spans beside it. ``primary`` is the mean of both F1s, weighed as the losses are."""

    name = "tags"

    def __init__(
        self, plan: Plan, schema: Schema, encoder: TextEncoder, train: Sequence[Example], validation: Sequence[Example]
    ) -> None:
        super().__init__(plan, schema, encoder, train, validation)
        if plan.spans == "weak":
            train = with_weak_spans(schema, train)
            validation = with_weak_spans(schema, validation)
        self.labels = Labels(schema)
        torch.manual_seed(plan.seed)  # the head starts random, each time the same
        head = SpanHead(self.labels, encoder.width, dropout=plan.dropout, crf=plan.span_layer == "crf")
        self.model: Any = SpanModel(encoder, self.model.head, head.to(encoder.device))
        self.phrases = Phrases.learn(schema, train) if plan.span_features == "dictionary" else None
        self.marked = Marked(self.labels, encoder, train, self.phrases, own=True)
        self.mentions = Mentions(train, plan.value_swap, plan.seed) if plan.value_swap else None
        self.drawn = Drawn(self.tokens, self.marked, np.zeros(0, np.int64), -1)  # what was read last
        self.validation_marked = self.marked_as(validation)

    def read(self, part: np.ndarray, step: int) -> tuple[Any, ...]:
        """``(ids, mask, at, found)`` of these products at this step."""
        encoder, drawn = self.model.encoder, self._drawn(part, step)
        self.drawn = drawn
        ids = drawn.tokens.batch(drawn.rows, encoder.pad_id, encoder.device)
        return (*ids, *drawn.marked.read(drawn.rows, encoder.device))

    def judged(self, logits: Any, part: np.ndarray, rows: np.ndarray, team: Team) -> Tensor:
        """Of what :meth:`read` read last, which was ``part``."""
        pooled, emissions = logits
        tags = super().judged(pooled, part, rows, team)
        words, asked, may = self.drawn.marked.truth(self.drawn.rows, emissions.device)
        spans = self.model.spans.loss(emissions, words, asked, may) / words.sum().clamp(min=1.0)
        if team.size > 1:
            whole = self._drawn(rows, self.drawn.step)
            count = torch.tensor(
                float(sum(len(whole.marked.words[row]) for row in whole.rows)), device=emissions.device
            )
            spans = team.weigh(spans, rows, words.sum(), count)
        out: Tensor = self.plan.tag_weight * tags + self.plan.span_weight * spans
        return out

    def _drawn(self, part: np.ndarray, step: int) -> Drawn:
        """The products as they are, or while training with other values, which the dictionary then does not know."""
        if self.mentions is None or not self.model.training:
            return Drawn(self.tokens, self.marked, part, step)
        said = [self.mentions.said(int(row), step) for row in part]
        encoder, examples = self.model.encoder, [s.example for s in said]
        marked = Marked(self.labels, encoder, examples, self.phrases, own=True)
        for row, one in enumerate(said):
            marked.forget(row, one.new)
        return Drawn(encoder.read(examples), marked, np.arange(len(said)), step)

    def parameters(self) -> list[dict[str, Any]]:
        plan = self.plan
        return [*super().parameters(), *groups(self.model.spans, plan.head_learning_rate, plan.weight_decay)]

    def validate(self) -> dict[str, float]:
        measures = super().validate() if self.schema.columns else {}
        if not len(self.validation_marked.examples):
            return measures
        truth = self.validation_marked
        gold, answered = [], []
        for example, values in zip(truth.examples, self.values(truth), strict=True):
            known = known_facets(example)
            gold.append({(s.facet, s.field, s.start, s.end) for s in example.spans})
            answered.append({(v.facet, v.span.field, v.span.start, v.span.end) for v in values if v.facet in known})
        f1 = entity_scores(gold, answered)["micro"].f1
        weights, plan = (self.plan.tag_weight, self.plan.span_weight), self.plan
        mean = (plan.tag_weight * measures.get("primary", 0.0) + plan.span_weight * f1) / sum(weights)
        return {**measures, "span_f1": f1, "primary": mean}

    def marked_as(self, examples: Sequence[Example]) -> Marked:
        """Products that no training has read, as :meth:`values` takes them."""
        return Marked(self.labels, self.model.encoder, examples, self.phrases, own=False)

    def values(self, marked: Marked) -> list[list[Value]]:
        """What it reads in the products, as serving will read it."""
        return self.reader().read(marked.examples)

    def reader(self) -> SpanReader:
        """What serving will read with."""
        weights = self.model.spans.exported()
        return SpanReader(self.schema, self, self.model.encoder.tokenizer, weights, self.phrases)

    def save(self, directory: Path) -> None:
        """Its part of a bundle (see ``ml.serving.full``)."""
        self.model.spans.exported().save(directory / SPANS)
        if self.phrases is not None:
            rows = json.dumps(self.phrases.to_json(), ensure_ascii=False)
            (directory / PHRASES).write_text(rows, encoding="utf-8")

    def states(self, ids: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Token states ``(tokens, d)`` of each text, without dropout."""
        found: list[np.ndarray] = self.model.encoder.states(ids)
        return found


def task_of(
    plan: Plan, schema: Schema, encoder: ProductEncoder, train: Sequence[Example], validation: Sequence[Example], *,
    masked: MaskedModel | None = None,
) -> TagTask:  # fmt: skip
    """The task of a plan's fine-tuning. Raises TrainingError where spans are to be learned and none are marked."""
    if plan.spans == "none":
        return TagTask(plan, schema, encoder, train, validation, masked=masked)
    if not isinstance(encoder, TextEncoder):
        raise TrainingError("spans: are read by an encoder of text alone")
    task = SpanTask(plan, schema, encoder, train, validation)
    if not any(label.any() for label in task.marked.label):
        way = "take 'weak', which finds the words of accepted tags" if plan.spans == "marked" else "set spans to 'none'"
        raise TrainingError(f"spans: '{plan.spans}', but no product to train on has a marked span; {way}")
    return task
