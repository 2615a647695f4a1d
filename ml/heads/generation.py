"""Tags and texts by generation: a sequence-to-sequence model asked in control words and read back.

Tags as a sequence follow SGM (Yang et al. 2018); the prefix trie that holds beams to known names is GENRE's (De Cao et
al. 2021); control words in the source are CTRL's (Keskar et al. 2019).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ml.bundle import BundleError, read_bundle
from ml.encoders.seq2seq import Seq2Seq, load_seq2seq
from ml.examples import Example
from ml.generation import TAGS, TEXTS, Control, Held, TagSequences, languages, source
from ml.knowledge import Relations
from ml.schema import Schema

FOLDER = "generator"  # inside a full bundle
FORMAT = 1
ROWS = 32  # products written for at a time
NO_REPEAT = 4  # tokens in a row that a text does not say twice


@dataclass(frozen=True)
class GeneratedTags:
    """Of n products. ``chosen`` ``(n, columns)`` bool: the tags of the best sequence, as the taxonomy's relations allow.
    ``scores`` ``(n, columns)``: the share of the beams' probability whose sequences have the tag; for ranking, not
    calibrated. ``unknown`` ``(n,)``: pieces of the best sequence that name no known tag; 0 where it was held."""

    chosen: np.ndarray
    scores: np.ndarray
    unknown: np.ndarray


class Generator:
    """A trained model and the schema whose tags it writes. ``kinds``: what it has learned to write."""

    def __init__(self, model: Seq2Seq, schema: Schema, kinds: Sequence[str] = (TAGS, *TEXTS)) -> None:
        self.model, self.schema, self.kinds = model, schema, tuple(kinds)
        self.languages = languages(schema)
        self._sequences: dict[str, TagSequences] = {}

    def sequences(self, language: str) -> TagSequences:
        if language not in self._sequences:
            self._sequences[language] = TagSequences(self.schema, self.model.tokenizer, language)
        return self._sequences[language]

    def tags(
        self, examples: Sequence[Example], controls: Control | Sequence[Control] | None = None, *, width: int = 4,
        held: bool = True,
    ) -> GeneratedTags:  # fmt: skip
        """Tags of each product by beam search ``width`` wide, one control for all or one each (by default: every tag).

        ``held`` writes only tags that may stand on the product; free, whatever comes is read, and what names no tag is
        counted. Raises ValueError when the model has not learned tags.
        """
        each = self._controls(controls or Control(language=self.languages[0]), len(examples), (TAGS,))
        shape = (len(examples), len(self.schema.columns))
        chosen, scores = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=np.float32)
        unknown = np.zeros(len(examples), dtype=np.int64)
        rules = [
            Held(self.sequences(c.language), e, c, self.model.end_id) if held else None
            for e, c in zip(examples, each, strict=True)
        ]
        for rows, found in self._beams(examples, each, width, rules):
            for row, beams in zip(rows, found, strict=True):
                parse = self.sequences(each[row].language).read
                parsed = [parse(ids, ended=ended) for ids, _, ended in beams]
                weights = _shares([total for _, total, _ in beams])
                for one, weight in zip(parsed, weights, strict=True):
                    scores[row, list(one.columns)] += weight
                chosen[row, list(parsed[0].columns)] = True
                unknown[row] = parsed[0].unknown
        return GeneratedTags(self._settled(chosen, scores, each), scores, unknown)

    def _settled(self, chosen: np.ndarray, scores: np.ndarray, controls: Sequence[Control]) -> np.ndarray:
        """As the relations have it, except where a number of tags was asked for: parents would be more."""
        settled = Relations.of(self.schema).settle(chosen, np.maximum(scores, 1e-6))
        counted = np.array([bool(c.count) for c in controls], dtype=bool).reshape(-1, 1)
        return np.where(counted, chosen, settled)

    def texts(
        self, examples: Sequence[Example], controls: Control | Sequence[Control], *, width: int = 4, several: int = 1
    ) -> list[list[str]]:
        """The ``several`` (at most ``width``) best texts for each product, from its category, approved tags and title.

        Raises ValueError when the model has not learned this kind of text.
        """
        each = self._controls(controls, len(examples), TEXTS)
        out: list[list[str]] = [[] for _ in examples]
        for rows, found in self._beams(examples, each, width, [None] * len(examples)):
            for row, beams in zip(rows, found, strict=True):
                texts = (self.model.tokenizer.decode(ids).strip() for ids, _, _ in beams)
                out[row] = list(dict.fromkeys(t for t in texts if t))[:several]
        return out

    def _controls(
        self, controls: Control | Sequence[Control], count: int, kinds: Sequence[str]
    ) -> Sequence[Control]:  # fmt: skip
        each = [controls] * count if isinstance(controls, Control) else controls
        if len(each) != count:
            raise ValueError(f"{len(each)} controls for {count} products")
        for kind in {c.kind for c in each}:
            if kind not in kinds or kind not in self.kinds:
                raise ValueError(f"{kind!r} is not what is written here, or was not learned ({', '.join(self.kinds)})")
        return each

    def _beams(
        self, examples: Sequence[Example], controls: Sequence[Control], width: int, rules: Sequence[Held | None]
    ) -> Any:
        """``(rows, beams of each)`` in batches of like lengths."""
        tokens = self.model.tokenise([source(self.schema, e, c) for e, c in zip(examples, controls, strict=True)])
        order = np.argsort(tokens.lengths, kind="stable")
        for start in range(0, len(order), ROWS):
            rows = [int(row) for row in order[start : start + ROWS]]
            ids, mask = tokens.batch(rows, self.model.pad_id, self.model.device)
            free = controls[rows[0]].kind != TAGS
            yield rows, self.model.beams(
                ids, mask, width=width, allowed=_allowed([rules[r] for r in rows]),
                no_repeat=NO_REPEAT if free else 0,
            )  # fmt: skip

    def save(self, directory: Path) -> None:
        """Weights in safetensors, the tokenizer and ``generator.json``; the schema is the bundle's."""
        self.model.save(directory)
        card = {
            "format": FORMAT, "kinds": list(self.kinds), "max_length": self.model.max_length,
            "max_output": self.model.max_output,
        }  # fmt: skip
        (directory / "generator.json").write_text(json.dumps(card, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, bundle: Path, *, verify: bool = True) -> Generator:
        """The generator of a full bundle. Raises BundleError or EncoderError where it has none or it is not whole."""
        read_bundle(bundle, verify)
        folder = bundle / FOLDER
        if not folder.is_dir():
            raise BundleError(f"{bundle.name}: has no generator; train with generation in the plan")
        try:
            card = json.loads((folder / "generator.json").read_text("utf-8"))
            if card["format"] != FORMAT:
                raise BundleError(f"{FOLDER}/generator.json: format {card['format']!r} is not one we read ({FORMAT})")
            schema, kinds = Schema.load(bundle / "schema.json"), [str(kind) for kind in card["kinds"]]
            sizes = {"max_length": int(card["max_length"]), "max_output": int(card["max_output"])}
        except (OSError, KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise BundleError(f"{bundle.name}: its generator is not whole ({error!r})") from error
        return cls(load_seq2seq(folder, **sizes).eval(), schema, kinds)


def _allowed(rules: Sequence[Held | None]) -> Callable[[int, Sequence[int]], list[int]] | None:
    if any(rule is None for rule in rules):
        return None
    held = [rule for rule in rules if rule is not None]
    return lambda row, ids: held[row].allowed(ids)


def _shares(totals: Sequence[float]) -> list[float]:
    """Log probabilities of the beams as shares of what they have together."""
    out: list[float] = torch.softmax(Tensor(totals), 0).tolist()
    return out
