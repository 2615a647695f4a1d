"""Training a generator: its task for the loop, and what it is worth on products that no training has read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from ml.encoders.seq2seq import UNSCORED, Seq2Seq, load_seq2seq, new_seq2seq, train_writer_tokenizer
from ml.evaluation.generation import generation_scores
from ml.evaluation.metrics import Counts
from ml.examples import Example, targets
from ml.generation import TAGS, TEXTS, Control, answered, columns_of, source
from ml.heads.generation import Generator
from ml.schema import Schema
from ml.training.distributed import Team
from ml.training.errors import TrainingError
from ml.training.inputs import Parts
from ml.training.loop import in_buckets
from ml.training.pairs import draw_control, key_phrases, named, written_text
from ml.training.plan import Plan
from ml.training.tasks import groups

MEASURED = 500  # products at most that a report writes for: each takes as long as many trained on


class GenerationTask:
    """Teacher forcing on what ``train`` has to teach; validated by the share of tokens that it guesses right.

    A row is a product and a kind (tags, or one of TEXTS). What is asked of a product (facets, number of tags, language)
    is drawn anew in each step, a function of (seed, step).
    """

    name = "generation"

    def __init__(
        self, plan: Plan, schema: Schema, model: Seq2Seq, train: Sequence[Example], validation: Sequence[Example]
    ) -> None:
        self.plan, self.schema, self.model = plan, schema, model
        model.smoothing = plan.label_smoothing
        self.generator = Generator(model, schema)
        self.phrases = key_phrases([*train, *validation])
        self.rows = self._rows(train)
        self.validation = self._rows(validation)
        if not self.rows:
            raise TrainingError(
                "generation: no product here has what is to be written; tags need facets that were answered as a whole "
                "(complete), texts a title or a description with listed points"
            )
        self.generator.kinds = tuple(kind for kind in (TAGS, *TEXTS) if any(kind == k for _, k in self.rows))
        whole = [source(schema, e, self._control(e, kind)) for e, kind in self.rows]
        self.lengths = model.tokenise(whole).lengths

    def _rows(self, examples: Sequence[Example]) -> list[tuple[Example, str]]:
        wanted = kinds_of(self.plan)
        rows = [(e, TAGS) for e in examples if TAGS in wanted and answered(self.schema, e)]
        texts = [(e, kind) for kind in wanted if kind != TAGS for e in examples]
        return rows + [(e, kind) for e, kind in texts if written_text(e, kind, self.phrases)]

    def _control(self, example: Example, kind: str) -> Control:
        facets = named(self.schema, example, answered(self.schema, example)) if kind == TAGS else ()
        return Control(kind, facets, 0, self._language(example, kind))

    def _language(self, example: Example, kind: str) -> str:
        return self.generator.languages[0] if kind == TAGS else example.language or self.generator.languages[0]

    def batches(self, epoch: int) -> list[np.ndarray]:
        return in_buckets(self.lengths, self.plan.batch_size, self.plan.batch_unit, self.plan.seed, epoch)

    def pairs(
        self, rows: Sequence[tuple[Example, str]], rng: np.random.Generator, share: float
    ) -> tuple[list[str], list[list[int]]]:
        """Sources and the token ids of their targets."""
        sources, written = [], []
        for example, kind in rows:
            if kind == TAGS:
                spoken = self.generator.languages if share else self.generator.languages[:1]
                control, columns = draw_control(rng, self.schema, example, spoken, share=share)
                ids = self.generator.sequences(control.language).write(columns)
            else:
                control = self._control(example, kind)
                text = written_text(example, kind, self.phrases)
                ids = self.model.tokenizer.encode(text, add_special_tokens=False).ids
            sources.append(source(self.schema, example, control))
            written.append(ids)
        return sources, written

    def tensors(self, pairs: tuple[list[str], list[list[int]]]) -> tuple[Tensor, Tensor, Tensor]:
        """``(ids, mask, labels)`` of sources and targets, each ``(b, longest)``."""
        tokens = self.model.tokenise(pairs[0])
        ids, mask = tokens.batch(range(len(tokens)), self.model.pad_id, self.model.device)
        return ids, mask, self.model.labels(pairs[1])

    def loss(self, rows: np.ndarray, step: int, through: nn.Module, team: Team) -> tuple[Tensor, int]:
        rng = np.random.default_rng((self.plan.seed, step))  # the whole batch is drawn, whichever part is ours
        drawn = self.tensors(self.pairs([self.rows[row] for row in rows], rng, self.plan.control_share))
        part = torch.from_numpy(team.part(np.arange(len(rows)))).to(self.model.device)
        ids, mask, labels = (t[part] for t in drawn)
        scored = labels != UNSCORED
        loss = team.weigh(through(ids, mask, labels), rows, scored.sum(), (drawn[2] != UNSCORED).sum())
        return loss, int(drawn[1].sum() + (drawn[2] != UNSCORED).sum())

    def parameters(self) -> list[dict[str, Any]]:
        return groups(self.model, self.plan.generation_learning_rate, self.plan.weight_decay)

    @torch.inference_mode()
    def validate(self) -> dict[str, float]:
        if not self.validation:
            return {}
        was_training = self.model.training
        self.model.eval()
        right = count = 0
        loss = 0.0
        rng = np.random.default_rng(self.plan.seed)
        for start in range(0, len(self.validation), 2 * self.plan.batch_size):
            rows = self.validation[start : start + 2 * self.plan.batch_size]
            ids, mask, labels = self.tensors(self.pairs(rows, rng, 0.0))
            scores = self.model.scores(ids, mask, labels).float()
            scored = labels != UNSCORED
            right += int((scores.argmax(-1) == labels)[scored].sum())
            count += int(scored.sum())
            loss += float(nn.functional.cross_entropy(scores[scored], labels[scored], reduction="sum"))
        self.model.train(was_training)
        return {"primary": right / count, "token_accuracy": right / count, "loss": loss / count}

    @property
    def word_vectors(self) -> Tensor:
        return self.model.word_vectors

    def after_step(self, step: int) -> None:
        pass


def kinds_of(plan: Plan) -> tuple[str, ...]:
    """What the plan wants written; nothing where it wants no generator."""
    return {"none": (), "tags": (TAGS,), "texts": TEXTS, "tags and texts": (TAGS, *TEXTS)}[plan.generation]


def trained_writer(
    plan: Plan, schema: Schema, parts: Parts, base: Path | None, device: torch.device, *,
    made_once: Callable[[Callable[[], Tokenizer]], Tokenizer], fit_one: Callable[[GenerationTask], Any],
) -> Generator:  # fmt: skip
    """The generator that the plan wants, from the checkpoint at ``base`` or from the catalogue's texts alone.

    ``made_once(make)`` gives the tokenizer, perhaps one that was made before; ``fit_one(task)`` trains it.
    """
    taught = (*parts.train, *parts.validation, *parts.undecided)
    model = new_writer(plan, schema, taught, base, made_once).to(device)
    undecided = parts.undecided if "texts" in plan.generation else []  # a title needs nobody's decision
    task = GenerationTask(plan, schema, model, [*parts.train, *undecided], parts.validation)
    fit_one(task)
    return task.generator


def new_writer(
    plan: Plan, schema: Schema, examples: Sequence[Example], base: Path | None = None,
    made_once: Callable[[Callable[[], Tokenizer]], Tokenizer] = lambda make: make(),
) -> Seq2Seq:  # fmt: skip
    """The model that training starts from: the checkpoint at ``base``, or a small one for these examples' texts."""
    sizes: dict[str, Any] = {"max_length": plan.max_length, "max_output": plan.generation_length}
    if base is not None:
        return load_seq2seq(base, **sizes, dropout=plan.dropout, seed=plan.seed)
    made = made_once(lambda: train_writer_tokenizer(_spoken(schema, examples), plan.vocabulary))
    return new_seq2seq(made, layers=plan.layers, width=plan.width, dropout=plan.dropout, seed=plan.seed, **sizes)


def _spoken(schema: Schema, examples: Sequence[Example]) -> Iterator[str]:
    """What is read and written of these products, tags as often as they have them: so the usual ones are few tokens."""
    for example in examples:
        yield from (text for text in (*example.texts.values(), example.category, *example.written.values()) if text)
        for column in columns_of(schema, example, example.labels):
            facet, tag = schema.facet(schema.columns[column][0]), schema.tag_specs[column]
            yield from (*facet.labels.values(), *tag.labels.values())


def measure_generation(
    generator: Generator, examples: Sequence[Example], *, width: int, held: bool, seed: int = 0
) -> dict[str, float]:
    """The ``generation`` part of a report, each 0 to 1: ``tags_*`` of what was written against what people decided
    (unknown pieces are wrong tags), and for each kind of text BLEU and ROUGE against the one that the product has."""
    if len(examples) > MEASURED:
        order = np.random.default_rng(seed).permutation(len(examples))[:MEASURED]
        examples = [examples[row] for row in sorted(order)]
    out: dict[str, float] = {}
    if TAGS in generator.kinds and examples:
        out |= measure_tags(generator, examples, width=width, held=held)
    phrases = key_phrases(examples)
    for kind in (k for k in generator.kinds if k != TAGS):
        have = [(e, text) for e in examples if (text := written_text(e, kind, phrases))]
        if not have:
            continue
        spoken = generator.languages[0]
        controls = [Control(kind, language=e.language or spoken) for e, _ in have]
        written = generator.texts([e for e, _ in have], controls, width=width)
        scores = asdict(generation_scores([text for _, text in have], [(w or [""])[0] for w in written]))
        out |= {f"{kind}_{name}": round(scores[name], 6) for name in ("bleu", "rouge_1", "rouge_2", "rouge_l", "exact")}
    return out


def measure_tags(
    generator: Generator, examples: Sequence[Example], *, width: int, held: bool
) -> dict[str, float]:  # fmt: skip
    """Micro-averaged precision, recall and F1 of the tags written, and the share of pieces that name no tag."""
    y, known = targets(generator.schema, examples)
    controls = [
        Control(TAGS, named(generator.schema, e, answered(generator.schema, e)), 0, generator.languages[0])
        for e in examples
    ]
    found = generator.tags(examples, controls, width=width, held=held)
    unknown = int(found.unknown.sum())
    hits, chosen = ((a & known).sum() for a in (found.chosen & (y > 0.5), found.chosen))
    counts = Counts(float(hits), float(chosen + unknown), float((y > 0.5).sum()))
    return {
        "tags_micro_f1": round(counts.f1, 6),
        "tags_micro_precision": round(counts.precision, 6),
        "tags_micro_recall": round(counts.recall, 6),
        "tags_unknown": round(unknown / max(1, int(found.chosen.sum()) + unknown), 6),
    }
