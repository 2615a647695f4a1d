"""The lexical encoder: TF-IDF of words and character n-grams, reduced by a singular value decomposition.

It needs nothing but the catalogue, works in every language (Chinese needs no segmenter: n-grams run over the clause)
and is linear up to its normalisation, so that what each word adds to a score can be said exactly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy import sparse

from ml.encoders.base import EncoderError, normalise, read_card, write_card
from ml.encoders.ngrams import Grams, TextBatch
from ml.examples import Example
from ml.text import is_ideograph, render

WEIGHTS = "lexical.safetensors"
BATCH = 1000  # texts at a time; bounds memory at about 200 MB for long texts


@dataclass(frozen=True, slots=True)
class LexicalPlan:
    """How to fit. ``spread`` raises the singular values to this power: 1 is plain SVD, 0 weighs all directions alike."""

    dim: int = 256
    sizes: tuple[int, ...] = (2, 3, 4)
    max_words: int = 20_000
    max_grams: int = 40_000
    min_count: int = 2  # texts a feature must occur in
    sample: int = 10_000  # texts that vocabulary and SVD are fitted on; all of them where there are fewer
    spread: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TokenScores:
    """Occurrences in one text: characters ``start:end`` add ``score`` (``(n, k)``, one column a direction)."""

    start: np.ndarray
    end: np.ndarray
    score: np.ndarray


class LexicalEncoder:
    """Fitted TF-IDF + SVD. Feature codes are sorted 64-bit hashes, so that no dictionary of strings is kept."""

    def __init__(self, plan: LexicalPlan, codes: np.ndarray, words: int, idf: np.ndarray, components: np.ndarray):
        """``codes``: words sorted, then n-grams sorted; ``words``: how many are words; components ``(len(codes), d)``."""
        self.plan = plan
        self._word_codes, self._gram_codes = codes[:words], codes[words:]
        self._idf = idf.astype(np.float32)
        self._components = components.astype(np.float32)
        digest = hashlib.sha256(json.dumps([list(plan.sizes), words]).encode())
        for array in (codes, self._idf, self._components):
            digest.update(np.ascontiguousarray(array).tobytes())
        self._hash = digest.hexdigest()

    @property
    def hash(self) -> str:
        return self._hash

    @property
    def dim(self) -> int:
        return int(self._components.shape[1])

    @classmethod
    def fit(cls, examples: Sequence[Example], plan: LexicalPlan | None = None) -> Self:
        """Fit on the whole catalogue (labels are not read). Deterministic for a given order of examples.

        Raises ValueError for an empty catalogue.
        """
        plan = plan or LexicalPlan()
        if not examples:
            raise ValueError("an encoder cannot be fitted on no products")
        chosen: Sequence[Example] = examples
        if len(examples) > plan.sample:
            order = np.random.default_rng(plan.seed).permutation(len(examples))[: plan.sample]
            chosen = [examples[i] for i in np.sort(order)]
        texts = [render(e).text for e in chosen]
        words, grams = _vocabulary(texts, plan)
        encoder = cls(
            plan,
            np.concatenate([words, grams]),
            len(words),
            np.ones(len(words) + len(grams), dtype=np.float32),
            np.zeros((len(words) + len(grams), 0), dtype=np.float32),
        )
        counts = encoder._counts(texts)
        found = np.bincount(counts.indices, minlength=counts.shape[1])
        idf = (np.log((1 + len(texts)) / (1 + found)) + 1).astype(np.float32)
        encoder = cls(plan, np.concatenate([words, grams]), len(words), idf, encoder._components)
        components = _decompose(encoder._weigh(counts), plan)
        return cls(plan, np.concatenate([words, grams]), len(words), idf, components)

    def embed(self, examples: Sequence[Example]) -> np.ndarray:
        return self.embed_texts([render(e).text for e in examples])

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Like :meth:`embed`, for texts that are rendered already (labels, for example)."""
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        for begin in range(0, len(texts), BATCH):
            part = texts[begin : begin + BATCH]
            out[begin : begin + len(part)] = self._weigh(self._counts(part)) @ self._components
        return normalise(out)

    def token_scores(self, text: str, directions: np.ndarray) -> TokenScores:
        """What each occurrence of a word or n-gram adds to ``embed_texts([text]) @ directions``.

        ``directions`` is ``(dim, k)``. The scores sum to that product exactly (up to rounding).
        """
        grams = self._known(self._grams([text]))
        counts = sparse.csr_matrix(
            (np.ones(len(grams.code), dtype=np.float32), (grams.row, grams.code)), shape=(1, len(self._idf))
        )
        weighed = self._weigh(counts)
        length = float(np.linalg.norm(weighed @ self._components)) or 1.0
        of_column = np.zeros(len(self._idf), dtype=np.float32)
        of_column[weighed.indices] = weighed.data / length
        of_column[counts.indices] /= np.maximum(counts.data, 1)
        used, inverse = np.unique(grams.code, return_inverse=True)
        per_feature = of_column[used, None] * (self._components[used] @ directions)
        return TokenScores(grams.start, grams.end, per_feature[inverse])

    def cohesion(self, text: str) -> dict[int, float]:
        """How firmly two neighbouring ideographs hold together, by the position of the first.

        The number of texts with the pair, over the geometric mean of those with either: near 1 inside a word of the
        catalogue, near 0 between two.
        """
        batch = TextBatch([text])
        single, pairs = batch.words(pairs=False), batch.characters((2,))
        short = single.end - single.start == 1
        of_single = dict(zip(single.start[short].tolist(), self._share(single.code[short], 0).tolist(), strict=True))
        of_pair = zip(pairs.start.tolist(), pairs.end.tolist(), self._share(pairs.code, 1).tolist(), strict=True)
        found = {}
        for start, end, share in of_pair:
            if end - start == 2 and is_ideograph(text[start]) and is_ideograph(text[start + 1]):
                either = of_single.get(start, 0.0) * of_single.get(start + 1, 0.0)
                found[start] = share / either**0.5 if either else 0.0
        return found

    def _share(self, codes: np.ndarray, which: int) -> np.ndarray:
        """The share of texts that have each word (0) or n-gram (1); 0 for what is not known."""
        known = (self._word_codes, self._gram_codes)[which]
        idf = (self._idf[: len(self._word_codes)], self._idf[len(self._word_codes) :])[which]
        if not len(known):
            return np.zeros(len(codes))
        at = np.searchsorted(known, codes)
        at[at == len(known)] = 0
        out: np.ndarray = np.where(known[at] == codes, np.exp(1.0 - idf[at]), 0.0)
        return out

    def save(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        save_file(
            {
                "word_codes": np.ascontiguousarray(self._word_codes),
                "gram_codes": np.ascontiguousarray(self._gram_codes),
                "idf": self._idf,
                "components": np.ascontiguousarray(self._components),
            },
            directory / WEIGHTS,
        )
        plan = {name: getattr(self.plan, name) for name in LexicalPlan.__slots__}
        write_card(directory, {"kind": "lexical", "hash": self.hash, "dim": self.dim, "plan": plan})

    @classmethod
    def load(cls, directory: Path) -> Self:
        card = read_card(directory, "lexical")
        try:
            arrays = load_file(directory / WEIGHTS)
            codes = np.concatenate([arrays["word_codes"], arrays["gram_codes"]])
            plan = LexicalPlan(**{**card["plan"], "sizes": tuple(card["plan"]["sizes"])})
            encoder = cls(plan, codes, len(arrays["word_codes"]), arrays["idf"], arrays["components"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise EncoderError(f"{directory.name}/{WEIGHTS}: {error!r}") from error
        if encoder.hash != card["hash"]:
            raise EncoderError(f"{directory.name}/{WEIGHTS}: its contents are not what the card says (hash differs)")
        return encoder

    def _grams(self, texts: Sequence[str]) -> tuple[Grams, Grams]:
        batch = TextBatch(texts)
        return batch.words(), batch.characters(self.plan.sizes)

    def _known(self, parts: tuple[Grams, Grams]) -> Grams:
        """The occurrences of known features, ``code`` replaced by the column."""
        kept = []
        for grams, codes, offset in zip(
            parts, (self._word_codes, self._gram_codes), (0, len(self._word_codes)), strict=True
        ):
            column = np.searchsorted(codes, grams.code)
            column[column == len(codes)] = 0
            known = codes[column] == grams.code if len(codes) else np.zeros(len(column), dtype=bool)
            kept.append((grams.row[known], grams.start[known], grams.end[known], column[known] + offset))
        return Grams(*(np.concatenate(arrays) for arrays in zip(*kept, strict=True)))

    def _counts(self, texts: Sequence[str]) -> sparse.csr_matrix:
        parts = list(self._count_batches(texts))
        return sparse.vstack(parts, format="csr") if parts else sparse.csr_matrix((0, len(self._idf)), dtype=np.float32)

    def _count_batches(self, texts: Sequence[str]) -> Iterator[sparse.csr_matrix]:
        for begin in range(0, len(texts), BATCH):
            part = texts[begin : begin + BATCH]
            known = self._known(self._grams(part))
            yield sparse.csr_matrix(
                (np.ones(len(known.code), dtype=np.float32), (known.row, known.code)),
                shape=(len(part), len(self._idf)),
            )

    def _weigh(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        """1 + log of the count, times idf; words and n-grams each scaled to length 1."""
        weighed = counts.copy()
        weighed.data = (1 + np.log(weighed.data)) * self._idf[weighed.indices]
        rows = np.repeat(np.arange(weighed.shape[0]), np.diff(weighed.indptr))
        block = 2 * rows + (weighed.indices >= len(self._word_codes))
        lengths = np.sqrt(np.bincount(block, weighed.data**2, minlength=2 * weighed.shape[0]))
        weighed.data = (weighed.data / lengths[block]).astype(np.float32)
        return weighed


def _vocabulary(texts: Sequence[str], plan: LexicalPlan) -> tuple[np.ndarray, np.ndarray]:
    """Sorted codes of the words and of the n-grams that enough texts have, the most frequent where there are many."""
    found = []
    for which, cap in ((0, plan.max_words), (1, plan.max_grams)):
        codes, counts = np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
        for begin in range(0, len(texts), BATCH):
            batch = TextBatch(texts[begin : begin + BATCH])
            grams = batch.words() if which == 0 else batch.characters(plan.sizes)
            order = np.lexsort((grams.row, grams.code))
            code, row = grams.code[order], grams.row[order]
            first = np.ones(len(code), dtype=bool)
            first[1:] = (code[1:] != code[:-1]) | (row[1:] != row[:-1])
            more, of_more = np.unique(code[first], return_counts=True)
            codes, inverse = np.unique(np.concatenate([codes, more]), return_inverse=True)
            counts = np.bincount(inverse, np.concatenate([counts, of_more]), minlength=len(codes)).astype(np.int64)
        enough = np.flatnonzero(counts >= min(plan.min_count, len(texts)))
        if len(enough) > cap:
            enough = enough[np.argsort(-counts[enough], kind="stable")[:cap]]
        found.append(np.sort(codes[enough]))
    return found[0], found[1]


def _decompose(weighed: sparse.csr_matrix, plan: LexicalPlan) -> np.ndarray:
    """Right singular vectors ``(features, d)``, d at most ``plan.dim`` and the rank, scaled by ``spread``."""
    if min(weighed.shape) == 0:
        return np.zeros((weighed.shape[1], 1), dtype=np.float32)
    if weighed.shape[0] <= 1200:  # exact, through the small matrix of inner products
        values, left = np.linalg.eigh((weighed @ weighed.T).toarray().astype(np.float64))
        top = np.argsort(-values, kind="stable")[: plan.dim]
        top = top[values[top] > 1e-6 * max(values[top[0]], 1e-12)]
        singular = np.sqrt(values[top])
        right = (weighed.T @ left[:, top]) / singular
    else:
        from sklearn.utils.extmath import randomized_svd  # takes seconds to import, and only fitting needs it

        size = min(plan.dim, min(weighed.shape) - 1)
        _, singular, transposed = randomized_svd(weighed, n_components=size, n_iter=3, random_state=plan.seed)
        right = transposed.T
    signs = np.sign(right[np.abs(right).argmax(axis=0), np.arange(right.shape[1])])
    scale = (singular / singular[0]) ** (plan.spread - 1)
    return np.asarray(right * signs * scale, dtype=np.float32)
