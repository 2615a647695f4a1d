"""The instant model: everything known about a tag, refitted in about a second whenever people decide.

How it is fitted is in :mod:`ml.instant.fitting`. Here: what it reads of a product, how the kinds of evidence become a
probability, and how it is kept on disk.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors.numpy import load_file, save_file

from ml.bundle import Bundle, BundleError, read_bundle, write_bundle
from ml.encoders.base import Encoder, EncoderError, load_encoder, normalise
from ml.encoders.lexical import LexicalEncoder
from ml.examples import Example
from ml.instant import head
from ml.instant.cache import EmbeddingCache
from ml.instant.combine import KINDS, STRAIGHT, Combiner, support_step
from ml.instant.dictionary import Dictionary, Match
from ml.instant.evidence import Hits, dictionary_evidence, entry_precision, label_evidence
from ml.instant.scoring import Scorer
from ml.instant.siblings import Siblings, names_of
from ml.schema import Schema

KIND = "instant"
PARTS = ("weights", "slope", "shift", "facts", "bend")  # of the combiner, as a bundle names them
TOLD = "siblings."
WEIGHTS = "instant.safetensors"
SCHEMA = "schema.json"
DICTIONARY = "dictionary.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """How to fit.

    ridge: pull of the head's weights to zero; folds: families are left out in so many turns
    fold_rows: products with out-of-fold scores, enough to calibrate on however many are decided
    least: products that must have a tag before it gets a head; enough: known right tags below which the weights of
    evidence and the thresholds stay what they are by default
    stale: growth of the decided products since the last calibration from which another one is due
    """

    ridge: float = 0.05
    folds: int = 5
    fold_rows: int = 2000
    least: int = 2
    enough: int = 20
    stale: float = 0.05


@dataclass(frozen=True, slots=True)
class Features:
    """What a model reads of some products: one block an encoder, side by side in ``dense``, and dictionary hits."""

    dense: np.ndarray
    blocks: list[np.ndarray]
    matches: list[list[Match]]  # where in the text each hit is; empty where only scores are wanted
    hits: Hits
    applies: np.ndarray  # (n, T) bool: the tag's facet is a question about this product at all
    claimed: np.ndarray  # (n, T) bool: the product came with values for the tag's facet
    product: np.ndarray  # (n,) uint64: its name, and its family's, as from ``siblings.names_of``
    family: np.ndarray


@dataclass
class InstantModel:
    """Fitted.

    weights: ``(d + 1, T)``, zero for tags without a head; support: ``(T,)``, how many products have the tag
    labels: an encoder each, ``(T, dim)``, the tags' words as from ``facet_contrast``
    thresholds: ``(T,)``, the score from which a tag is checked; strong: the score from which it is hardly ever wrong
    siblings: what decided variants say of the others
    folds: the head's weights that left each fold out, where the next calibration starts; never saved
    """

    schema: Schema
    encoders: list[Encoder]
    dictionary: Dictionary
    weights: np.ndarray
    has_head: np.ndarray
    support: np.ndarray
    prior: np.ndarray
    centre: np.ndarray
    prototypes: np.ndarray
    labels: list[np.ndarray]
    combiner: Combiner
    thresholds: np.ndarray
    strong: np.ndarray
    siblings: Siblings
    report: dict[str, Any] = field(default_factory=dict)
    folds: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    @classmethod
    def fit(
        cls,
        schema: Schema,
        decided: Sequence[Example],
        encoders: Sequence[Encoder],
        *,
        previous: InstantModel | None = None,
        seed: int = 0,
        calibrate_on: set[str] | None = None,
        cache: EmbeddingCache | None = None,
        plan: Plan | None = None,
    ) -> InstantModel:
        """Fit on every decision there is; with none, labels, synonyms and facts of the source speak alone.

        calibrate_on: families whose labels the encoders have not seen, when one was fine-tuned on the others; only
        these say how scores are calibrated. previous: where the solver starts from. The same input gives the same
        model, to rounding. Raises ValueError when there is no encoder.
        """
        from ml.instant.fitting import fit_model  # it needs this class

        return fit_model(
            schema,
            decided,
            list(encoders),
            previous=previous,
            seed=seed,
            calibrate_on=calibrate_on,
            cache=cache,
            plan=plan or Plan(),
        )

    def features(self, examples: Sequence[Example], cache: EmbeddingCache | None = None) -> Features:
        return read_features(self.schema, self.dictionary, self.encoders, examples, cache)

    def evidence(self, features: Features) -> dict[str, np.ndarray]:
        """What speaks for each tag, kind by kind, ``(n, T)`` or ``(T,)`` each, before it is weighed."""
        prior = self.prior
        raw = head.logits(features.dense, self.weights) - prior
        found = {
            "prior": prior,
            "claimed": features.claimed,
            "head": np.where(self.has_head, raw, np.float32(0.0)),
            "prototype": normalise(features.dense - self.centre) @ self.prototypes.T,
            **dictionary_evidence(features.hits, entry_precision(self.dictionary), prior, raw.shape),
            **label_evidence(features.blocks, self.labels, self.lexical),
        }
        said = self.siblings.said(features.product, features.family)
        if said is not None:
            cells = np.ix_(said.rows, self.siblings.heads.columns)
            of_head, of_prototype = self.siblings.unseen(features.dense, self.centre, said)
            found["head"][cells] = np.where(said.what > 0, of_head, found["head"][cells])
            found["prototype"][cells] = np.where(said.what > 0, of_prototype, found["prototype"][cells])
            found["sibling"] = np.zeros(raw.shape, dtype=np.float32)
            found["sibling"][cells] = self.siblings.term(said)
        return found

    @cached_property
    def scorer(self) -> Scorer:
        """The model folded into matrix products; made once."""
        return Scorer(self)

    def probabilities(self, features: Features) -> np.ndarray:
        """``(n, T)`` calibrated; 0 where the facet is no question about the product."""
        return self.scorer.probabilities(features)

    def scores(self, examples: Sequence[Example], cache: EmbeddingCache | None = None, chunk: int = 4000) -> np.ndarray:
        """``(n, T)`` probabilities, computed ``chunk`` products at a time to bound memory."""
        parts = [
            self.probabilities(self.features(examples[begin : begin + chunk], cache))
            for begin in range(0, len(examples), chunk)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.schema.columns)), dtype=np.float32)

    @property
    def lexical(self) -> list[bool]:
        """Which encoders read words rather than sense."""
        return [isinstance(e, LexicalEncoder) for e in self.encoders]

    def directions(self, number: int, columns: Sequence[int], length: float) -> np.ndarray:
        """``(dim, k)``: what one unit of encoder ``number``'s vector adds to the log odds of some tags, before the bend.

        Head, prototype and label likeness together. length: of the product's features from the centre, by which the
        prototype's likeness is divided.
        """
        begin = sum(e.dim for e in self.encoders[:number])
        block = slice(begin, begin + self.encoders[number].dim)
        weight = self.combiner.weights[support_step(self.support[columns])]
        of_kind = dict(zip(KINDS, weight.T, strict=True))
        kind = "label_words" if self.lexical[number] else "label_sense"
        out = self.weights[block, columns] * (of_kind["head"] * self.has_head[columns])
        out = out + self.prototypes[columns, block].T * (of_kind["prototype"] / max(length, 1e-6))
        out = out + self.labels[number][columns].T * of_kind[kind]
        slope = self.combiner.slope[columns] if len(self.combiner.slope) else 1.0
        return np.asarray(out * slope, dtype=np.float32)

    def save(self, path: Path, card: dict[str, Any] | None = None, *, encoders_dir: Path | None = None) -> Bundle:
        """Write a bundle of kind ``instant``.

        Encoders go inside under ``encoders/<hash>/``, or, with ``encoders_dir``, into that folder (once for all
        bundles that use them) and the bundle only names their hashes. Raises FileExistsError when ``path`` is there.
        """
        names = [e.hash for e in self.encoders]
        for encoder in self.encoders if encoders_dir is not None else ():
            _save_once(encoder, encoders_dir / encoder.hash)  # type: ignore[operator]

        def fill(directory: Path) -> None:
            self.schema.save(directory / SCHEMA)
            rows = self.dictionary.to_json()
            (directory / DICTIONARY).write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
            save_file(self._arrays(), directory / WEIGHTS)
            for encoder in self.encoders if encoders_dir is None else ():
                encoder.save(directory / "encoders" / encoder.hash)

        whole = {"encoders": names, "schema": self.schema.hash, "report": self.report, **(card or {})}
        return write_bundle(path, KIND, whole, fill)

    @classmethod
    def load(cls, path: Path, encoders_dir: Path | None = None, *, verify: bool = True) -> Self:
        """Read a bundle; encoders that are not inside are looked for in ``encoders_dir/<hash>/``.

        Raises BundleError, naming the file, for anything that is not what the card says.
        """
        bundle = read_bundle(path, verify)
        if bundle.kind != KIND:
            raise BundleError(f"{path.name}: a bundle of kind {bundle.kind!r}, not {KIND!r}")
        try:
            schema = Schema.load(path / SCHEMA)
            rows = json.loads((path / DICTIONARY).read_text(encoding="utf-8"))
            dictionary = Dictionary.from_json(schema, rows)
            arrays: dict[str, Any] = load_file(path / WEIGHTS)
            names = [str(name) for name in bundle.card["encoders"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{path.name}: {error!r}") from error
        encoders = [_find_encoder(name, path / "encoders", encoders_dir) for name in names]
        labels = [arrays.pop(f"labels.{number}") for number in range(len(encoders))]
        arrays.setdefault("combiner.bend", np.array(STRAIGHT))  # of a bundle that is older than the bend
        combiner = Combiner(*(arrays.pop(f"combiner.{name}") for name in PARTS))
        told = {name.removeprefix(TOLD): arrays.pop(name) for name in list(arrays) if name.startswith(TOLD)}
        siblings = Siblings.from_arrays(told, sum(e.dim for e in encoders))
        if arrays["weights"].shape != (sum(e.dim for e in encoders) + 1, len(schema.columns)):
            raise BundleError(f"{path.name}/{WEIGHTS}: weights of shape {arrays['weights'].shape} do not fit")
        return cls(
            schema=schema, encoders=encoders, dictionary=dictionary, labels=labels, combiner=combiner,
            siblings=siblings, report=dict(bundle.card.get("report", {})), **arrays,
        )  # fmt: skip

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {
            name: getattr(self, name)
            for name in ("weights", "has_head", "support", "prior", "centre", "prototypes", "thresholds", "strong")
        }
        arrays |= {f"labels.{number}": block for number, block in enumerate(self.labels)}
        arrays |= {f"combiner.{name}": getattr(self.combiner, name) for name in PARTS}
        arrays |= {f"{TOLD}{name}": array for name, array in self.siblings.arrays().items()}
        return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def read_features(
    schema: Schema,
    dictionary: Dictionary,
    encoders: Sequence[Encoder],
    examples: Sequence[Example],
    cache: EmbeddingCache | None,
) -> Features:
    blocks = [cache.embed(e, examples) if cache is not None else e.embed(examples) for e in encoders]
    matches = [dictionary.match(e) for e in examples]
    return Features(
        dense=np.concatenate(blocks, axis=1),
        blocks=blocks,
        matches=matches,
        hits=Hits.of(matches),
        applies=applicable(schema, examples),
        claimed=claimed(schema, examples),
        product=names_of([e.id for e in examples]),
        family=names_of([e.family for e in examples]),
    )


def applicable(schema: Schema, examples: Sequence[Example]) -> np.ndarray:
    """``(n, T)`` bool: the tag's facet applies to the product's category."""
    lines = {category: applies_to(schema, category) for category in {e.category for e in examples}}
    return np.array([lines[e.category] for e in examples], dtype=bool).reshape(-1, len(schema.columns))


def applies_to(schema: Schema, category: str) -> np.ndarray:
    """``(T,)`` bool: the tag's facet applies to the category."""
    return np.array([f.applies(category) for f in schema.facets for _tag in f.tags], dtype=bool)


def claimed(schema: Schema, examples: Sequence[Example]) -> np.ndarray:
    """``(n, T)`` bool: the product came with values for the tag's facet."""
    out = np.zeros((len(examples), len(schema.columns)), dtype=bool)
    for row, example in enumerate(examples):
        if example.source:
            out[row] = claims_of(schema, [facet for facet, values in example.source.items() if values])
    return out


def claims_of(schema: Schema, facets: Iterable[str]) -> np.ndarray:
    """``(T,)`` bool: the tag's facet is one of these."""
    out = np.zeros(len(schema.columns), dtype=bool)
    for facet in facets:
        out[schema.facet_columns.get(facet, [])] = True
    return out


def _save_once(encoder: Encoder, directory: Path) -> None:
    """Write an encoder's directory unless it is there; two writers end with one whole directory."""
    if directory.exists():
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name[:12]}-", dir=directory.parent))
    encoder.save(temporary)
    temporary.chmod(0o755)
    try:
        temporary.rename(directory)
    except OSError:  # somebody else was quicker
        shutil.rmtree(temporary, ignore_errors=True)


def _find_encoder(name: str, inside: Path, beside: Path | None) -> Encoder:
    if not name or Path(name).name != name:
        raise BundleError(f"{name!r} is not the name of an encoder")
    for root in (inside, beside):
        if root is not None and (root / name).is_dir():
            try:
                encoder = load_encoder(root / name)
            except EncoderError as error:
                raise BundleError(str(error)) from error
            if encoder.hash != name:
                raise BundleError(f"encoders/{name}: it says it is {encoder.hash}")
            return encoder
    raise BundleError(f"encoder {name} is neither in the bundle nor in the encoders' folder")
