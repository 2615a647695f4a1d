"""BLEU and ROUGE of generated text: small functions, held in the tests against sacrebleu, nltk and Google's rouge-score.

Words are those of :func:`words`: runs of letters and digits, ideographs one by one, so that Chinese needs no segmenter.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ml.text import fold, is_ideograph

_RUN = re.compile(r"\w+")


@dataclass(frozen=True)
class GenerationScores:
    """Of a corpus, 0 to 1: BLEU-4; mean F of ROUGE-1, ROUGE-2 and ROUGE-L; share that equals its reference."""

    bleu: float
    rouge_1: float
    rouge_2: float
    rouge_l: float
    exact: float
    texts: int


def words(text: str) -> list[str]:
    found: list[str] = []
    for run in _RUN.findall(fold(text)):
        letters = ""
        for character in run:
            if is_ideograph(character):
                found += [letters, character] if letters else [character]
                letters = ""
            else:
                letters += character
        found += [letters] if letters else []
    return found


def generation_scores(references: Sequence[str], outputs: Sequence[str]) -> GenerationScores:
    """One reference for each output. Raises ValueError when there are not as many of one as of the other, or none."""
    if len(references) != len(outputs) or not outputs:
        raise ValueError(f"{len(references)} references for {len(outputs)} outputs")
    pairs = [(words(r), words(o)) for r, o in zip(references, outputs, strict=True)]
    n = len(pairs)
    return GenerationScores(
        bleu=bleu([r for r, _o in pairs], [o for _r, o in pairs]),
        rouge_1=sum(rouge_n(r, o, 1) for r, o in pairs) / n,
        rouge_2=sum(rouge_n(r, o, 2) for r, o in pairs) / n,
        rouge_l=sum(rouge_l(r, o) for r, o in pairs) / n,
        exact=sum(r == o for r, o in pairs) / n,
        texts=n,
    )


def _grams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def bleu(references: Sequence[Sequence[str]], outputs: Sequence[Sequence[str]], most: int = 4) -> float:
    """Corpus BLEU (Papineni et al. 2002), not smoothed: 0 when no gram of some length is right."""
    hits, whole = [0] * most, [0] * most
    for reference, output in zip(references, outputs, strict=True):
        for n in range(1, most + 1):
            given = _grams(output, n)
            hits[n - 1] += (given & _grams(reference, n)).total()
            whole[n - 1] += given.total()  # a text shorter than n has none, as in sacrebleu; nltk counts a miss
    if not all(hits):
        return 0.0
    said, wanted = sum(map(len, outputs)), sum(map(len, references))
    brevity = 1.0 if said > wanted else math.exp(1 - wanted / said)
    return brevity * math.exp(sum(math.log(h / w) for h, w in zip(hits, whole, strict=True)) / most)


def rouge_n(reference: Sequence[str], output: Sequence[str], n: int) -> float:
    """F of the grams of length ``n`` (Lin 2004); 0 where either text has none."""
    wanted, given = _grams(reference, n), _grams(output, n)
    return _f((wanted & given).total(), wanted.total(), given.total())


def rouge_l(reference: Sequence[str], output: Sequence[str]) -> float:
    """F of the longest common subsequence (Lin 2004)."""
    before = [0] * (len(output) + 1)
    for word in reference:
        row = [0]
        for at, other in enumerate(output):
            row.append(before[at] + 1 if word == other else max(before[at + 1], row[at]))
        before = row
    return _f(before[-1], len(reference), len(output))


def _f(common: int, wanted: int, given: int) -> float:
    return 2 * common / (wanted + given) if common else 0.0
