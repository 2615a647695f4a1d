"""Other ways to say the same product, drawn anew at each step: its tags stay what they are.

Fields in another order, tags called by another of their words, tokens dropped (word dropout, Iyyer et al. 2015) or
replaced by what a masked language model would say there (Kobayashi 2018; Wu et al. 2019, without their conditioning).
What is drawn for a product is a function of (seed, step, product) alone, except for the last, which is one of (seed,
step) and the batch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ml.encoders.hf import TextEncoder
from ml.examples import Example
from ml.heads.masked import UNSCORED, MaskedModel, hide
from ml.schema import Schema
from ml.text import SEPARATOR, fold, is_ideograph, render
from ml.training.plan import Plan


class Synonyms:
    """The words of the taxonomy: a tag's labels and synonyms, each of which may stand for another of the same script.

    Words that name several tags are left alone, as are those of a tag with a single word.
    """

    def __init__(self, schema: Schema) -> None:
        owners: dict[str, set[tuple[str, ...]]] = {}
        for spec in schema.tag_specs:
            words = spec.words
            for word in words:
                same = tuple(w for w in words if fold(w) != fold(word) and _script(w) == _script(word))
                owners.setdefault(fold(word), set()).add(same)
        self.others = {word: next(iter(o)) for word, o in owners.items() if len(o) == 1 and next(iter(o))}
        longest = sorted(self.others, key=len, reverse=True)
        self.pattern = re.compile("|".join(map(_whole, longest))) if longest else None

    def swapped(self, text: str, share: float, rng: np.random.Generator) -> str:
        """Each occurrence is replaced with a probability of ``share``."""
        if self.pattern is None:
            return text
        out, end = [], 0
        for found in self.pattern.finditer(fold(text)):  # folding keeps positions
            if rng.random() < share:
                others = self.others[found[0]]
                out += [text[end : found.start()], others[rng.integers(len(others))]]
                end = found.end()
        return "".join([*out, text[end:]])


class Augment:
    """read(rows, step) -> (ids, mask), int64 (n, longest), of products said another way.

    masked: a pre-trained masked model, asked for by ``plan.masked_replace``; it is read, never trained
    """

    def __init__(
        self, plan: Plan, schema: Schema, encoder: TextEncoder, examples: Sequence[Example],
        masked: MaskedModel | None = None,
    ) -> None:  # fmt: skip
        self.plan, self.encoder, self.masked = plan, encoder, masked
        self.pieces = [_pieces(e) for e in examples]
        self.synonyms = Synonyms(schema) if plan.synonym_swap else None
        self.words = bool(plan.synonym_swap or plan.shuffle_fields)
        self.tokens = encoder.tokenise([SEPARATOR.join(p) for p in self.pieces])
        self.special = np.array(sorted(encoder.special_ids))

    def read(self, rows: np.ndarray, step: int) -> tuple[Tensor, Tensor]:
        draws = [np.random.default_rng((self.plan.seed, step, int(row))) for row in rows]
        tokens = self.tokens
        if self.words:
            texts = [self.text(int(row), rng) for row, rng in zip(rows, draws, strict=True)]
            tokens, rows = self.encoder.tokenise(texts), np.arange(len(texts))
        kept = [self._dropped(tokens.text(int(row)), rng) for row, rng in zip(rows, draws, strict=True)]
        ids, mask = tokens.joined(kept).batch(range(len(kept)), self.encoder.pad_id, self.encoder.device)
        return (self._replaced(ids, mask, step) if self.masked is not None else ids), mask

    def text(self, row: int, rng: np.random.Generator) -> str:
        """The rendering of a product with its fields in another order and its tags in other words."""
        pieces = list(self.pieces[row])
        if rng.random() < self.plan.shuffle_fields:
            pieces = [pieces[i] for i in rng.permutation(len(pieces))]
        text = SEPARATOR.join(pieces)
        return self.synonyms.swapped(text, self.plan.synonym_swap, rng) if self.synonyms else text

    def _dropped(self, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if not self.plan.token_drop:
            return ids
        special = np.isin(ids, self.special)
        keep = special | (rng.random(len(ids)) >= self.plan.token_drop)
        return ids[keep] if (keep & ~special).any() else ids

    @torch.no_grad()
    def _replaced(self, ids: Tensor, mask: Tensor, step: int) -> Tensor:
        model, encoder = self.masked, self.encoder
        assert model is not None and encoder.mask_id is not None
        generator = torch.Generator().manual_seed((self.plan.seed * 1_000_003 + step) % 2**63)
        hidden, wanted = hide(
            ids, mask, share=self.plan.masked_replace, mask_id=encoder.mask_id,
            special=torch.from_numpy(self.special).to(ids.device), vocabulary=len(encoder.word_vectors),
            generator=generator,
        )  # fmt: skip
        picked = wanted != UNSCORED
        if not picked.any():
            return ids
        hidden = torch.where(picked, torch.full_like(ids, encoder.mask_id), ids)
        states, _ = model.eval().encoder(hidden, mask)
        scores = model.head(states[picked], model.encoder.word_vectors).float()
        scores[:, torch.from_numpy(self.special).to(ids.device)] = float("-inf")
        drawn = torch.multinomial(scores.softmax(1).cpu(), 1, generator=generator)[:, 0].to(ids.device)
        return ids.masked_scatter(picked, drawn)


def _pieces(example: Example) -> list[str]:
    """What :func:`ml.text.render` joins."""
    rendered = render(example)
    fields = [rendered.text[start:end] for _, start, end in rendered.parts]
    category = rendered.text[: rendered.parts[0][1] - len(SEPARATOR)] if rendered.parts else rendered.text
    return [category, *fields] if category and (not rendered.parts or rendered.parts[0][1]) else fields


def _script(word: str) -> bool:
    return any(map(is_ideograph, word))


def _whole(word: str) -> str:
    """A pattern of the word, not inside a longer one where words have spaces between them."""
    escaped = re.escape(word)
    left = "" if is_ideograph(word[0]) else r"(?<!\w)"
    return left + escaped + ("" if is_ideograph(word[-1]) else r"(?!\w)")
