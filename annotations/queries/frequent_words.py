"""Frequent words and phrases of titles that no name covers, those that belong together as one cluster."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from annotations.queries.tag_words import folded
from annotations.queries.taxonomy import key_of

LEAST = 5
"""Products with the word, and at least one in 500."""
MOST_SHARE = 0.5
"""A word of more than half of all titles tells no product from another."""
CANDIDATES = 300
CLUSTERS = 60
TOGETHER = 0.6
"""Jaccard similarity of the products of two words from which they are one cluster."""
WHOLE = 0.8
"""Share of a word's products that have the longer phrase, from which the phrase is what is meant."""

LONGEST = 12
"""Characters of a Chinese phrase, words of another, that pieces are joined to."""

_PIECE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+|[^\W_\u3400-\u9fff\uf900-\ufaff]+(?:['’][^\W\d_]+)?|[^\w\s]+")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
JOINING = """and the for with from set new pack per you your our all not its are this that into size one two und der die das
für mit von aus den ein eine im zum zur les des pour avec une aux dans sur los las con del para por una"""
STOP = frozenset(JOINING.split())
"""Words that join others, in the languages that shops' titles come in most; one alone is never proposed."""


def grams(title: str) -> Iterator[str]:
    """Words and phrases of up to three words; of Chinese, runs of two to four characters. Nothing with a number, and
    no phrase over a comma."""
    run: list[str] = []
    for piece in (*_PIECE.findall(key_of(title)), ","):
        if _HAN.match(piece):
            yield from (piece[i : i + n] for n in (2, 3, 4) for i in range(len(piece) - n + 1))
        word = not _HAN.match(piece) and piece[0].isalpha() and not any(c.isdecimal() for c in piece)
        if word:
            run.append(piece)
        else:
            yield from _phrases(run)
            run = []


def _phrases(run: list[str]) -> Iterator[str]:
    for n in (1, 2, 3):
        for start in range(len(run) - n + 1):
            words = run[start : start + n]
            ends = (words[0], words[-1])
            if all(len(word) > 2 and word not in STOP for word in ends):
                yield " ".join(words)


def stem(word: str) -> str:
    """What singular and plural have in common, roughly; good enough to put two words side by side."""
    for end, least in (("ies", 5), ("es", 5), ("s", 4)):
        if word.endswith(end) and len(word) >= least and not word.endswith("ss"):
            return word[: -len(end)] + ("y" if end == "ies" else "")
    return word.removesuffix("e") if len(word) > 4 else word


def covered_by(names: Collection[str]) -> Callable[[str], bool]:
    """Whether a word or phrase says what one of the folded names says: a phrase of which each word is in a name, and
    Chinese that is in one or has one in it."""
    words = {stem(word) for name in names for word in name.split()}
    han = {name for name in names if len(name) > 1 and _HAN.match(name)}
    inside = {name[i : i + n] for name in han for n in (2, 3, 4) for i in range(len(name) - n + 1)}

    def covered(text: str) -> bool:
        plain = folded(text)
        if _HAN.match(plain):
            return plain in inside or any(plain[i : i + n] in han for n in (2, 3) for i in range(len(plain) - n + 1))
        return any(stem(word) in words for word in plain.split())

    return covered


@dataclass(slots=True)
class Cluster:
    """``text`` stands for it; ``words`` are the others with their counts; ``products`` have any of them, ``own`` those
    that its first word was found in."""

    text: str
    products: set[int]
    own: set[int]
    members: Counter[str] = field(default_factory=Counter)

    @property
    def words(self) -> tuple[tuple[str, int], ...]:
        return tuple((w, n) for w, n in sorted(self.members.items(), key=lambda p: (-p[1], p[0])) if w != self.text)


class Clusters:
    """Fed with titles, one at a time; keeps the grams of each that are not covered, by their stems."""

    def __init__(self, covered: Callable[[str], bool]) -> None:
        self._covered = covered
        self._titles: dict[int, frozenset[str]] = {}
        self._counts: Counter[str] = Counter()
        self._stems: dict[str, str | None] = {}
        self._spelt: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, product: int, title: str, supplier: str = "") -> None:
        """A supplier's name in the title is none of the product's properties."""
        own = set(key_of(supplier).split())
        kept = set()
        for gram in set(grams(title)):
            words = gram.split(" ")
            stems = [self._stem(word) for word in words]
            if None in stems or not own.isdisjoint(words):
                continue
            name = " ".join(filter(None, stems))
            kept.add(name)
            if name != gram:
                self._spelt[name][gram] += 1
        self._titles[product] = frozenset(kept)
        self._counts.update(kept)

    def _stem(self, word: str) -> str | None:
        """None: a name covers the word. Kept, since a title's few words make many phrases."""
        if word not in self._stems:
            self._stems[word] = None if self._covered(word) else stem(word)
        return self._stems[word]

    def found(self) -> list[Cluster]:
        """The most frequent first. A word that nearly always stands in a longer phrase is that phrase."""
        total = len(self._titles)
        least, most = max(LEAST, total // 500), max(LEAST, MOST_SHARE * total)
        frequent = [(name, n) for name, n in self._counts.items() if least <= n <= most]
        frequent = sorted(frequent, key=lambda pair: (-pair[1], -len(pair[0]), pair[0]))[:CANDIDATES]
        having: dict[str, set[int]] = {name: set() for name, _ in frequent}
        for product, names in self._titles.items():
            for name in names & having.keys():
                having[name].add(product)
        clusters: list[Cluster] = []
        for name, n in frequent:
            spelt = self._spelt.get(name, Counter())
            spelt[name] = n - spelt.total()
            _join(clusters, min(spelt, key=lambda text: (-spelt[text], text)), having[name])
        return sorted(clusters, key=lambda c: (-len(c.products), c.text))[:CLUSTERS]


def _join(clusters: list[Cluster], text: str, products: set[int]) -> None:
    for cluster in clusters:
        both = len(cluster.own & products)
        if both >= TOGETHER * len(cluster.own | products):
            if both >= WHOLE * len(cluster.own):
                cluster.text = _whole(cluster.text, text)
            cluster.products |= products
            break
    else:
        cluster = Cluster(text, set(products), set(products))
        clusters.append(cluster)
    cluster.members[text] = len(products)


def _whole(one: str, other: str) -> str:
    """The longer of two of which one is in the other, or both joined where the end of one begins the other."""
    gap = "" if _HAN.match(one) else " "
    here, there = (list(one), list(other)) if not gap else (one.split(), other.split())
    for first, second in ((here, there), (there, here)):
        if any(second == first[i : i + len(second)] for i in range(len(first))):
            return gap.join(first)
        for n in range(min(len(first), len(second)) - 1, 1, -1):
            if first[-n:] == second[:n] and len(first) + len(second) - n <= LONGEST:
                return gap.join([*first, *second[n:]])
    return one
