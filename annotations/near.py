"""Which texts are nearly the same: MinHash signatures and banded locality-sensitive hashing.

Broder, "On the resemblance and containment of documents" (1997); banding as in Leskovec, Rajaraman and Ullman, Mining of
Massive Datasets, chapter 3. A signature is 64 numbers of four bytes, so that 100,000 products take 26 MB.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 64
BANDS = 16
SHINGLE = 4
TEXT_CHARS = 1200
"""How much of a text is looked at; what follows is mostly shared."""
GROUP_MOST = 200
"""The largest group that is told."""

_rng = np.random.default_rng(20_240_229)  # fixed: the same texts give the same groups every time
_A = _rng.integers(1, 2**63, PERMUTATIONS, dtype=np.uint64) | np.uint64(1)
_B = _rng.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64)
_POWERS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], dtype=np.uint64)
_GAP = re.compile(r"[\W_]+")

Signatures = NDArray[np.uint32]


def plain(text: str) -> str:
    """What is compared: case, width, punctuation and spaces make no difference."""
    return _GAP.sub(" ", unicodedata.normalize("NFKC", text[:TEXT_CHARS]).casefold()).strip()


def shingles(text: str) -> NDArray[np.uint64]:
    """Hashes of all runs of four characters; of a shorter text, of what there is."""
    codes = np.frombuffer(plain(text).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    if not len(codes):
        return codes
    if len(codes) < SHINGLE:
        codes = np.pad(codes, (0, SHINGLE - len(codes)))
    size = len(codes) - SHINGLE + 1
    mixed = np.zeros(size, dtype=np.uint64)
    for place in range(SHINGLE):
        mixed = (mixed ^ codes[place : place + size]) * _POWERS[place]
        mixed ^= mixed >> np.uint64(29)
    return np.unique(mixed)


def signature(text: str) -> Signatures:
    """(64,) uint32; all ones for an empty text, which is like no other."""
    found = shingles(text)
    if not len(found):
        return np.full(PERMUTATIONS, np.iinfo(np.uint32).max, dtype=np.uint32)
    return ((found[:, None] * _A + _B) >> np.uint64(32)).min(axis=0).astype(np.uint32)


def jaccard(one: str, other: str) -> float:
    """Shared runs of four characters over all of theirs, exactly; 0 to 1."""
    a, b = shingles(one), shingles(other)
    both = len(np.intersect1d(a, b, assume_unique=True))
    return both / (len(a) + len(b) - both) if len(a) or len(b) else 0.0


def alike(signatures: Signatures, one: int, others: NDArray[np.int64]) -> NDArray[np.float64]:
    """Estimated Jaccard similarity of one text to others, by place; standard error at most 0.063."""
    same: NDArray[np.float64] = (signatures[others] == signatures[one]).mean(axis=1)
    return same


def groups(signatures: Signatures, least: float) -> Iterator[tuple[list[int], float]]:
    """Groups of places of which each is at least ``least`` like the first, with the least of these similarities.

    A place is in one group at most; groups come by their first place. Texts that share a band are compared with the
    earliest of them and with their neighbour, so the cost grows with the texts and not with their pairs.
    """
    parent = np.arange(len(signatures))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = int(parent[place])
        return place

    rows = PERMUTATIONS // BANDS
    told = ~(signatures == np.iinfo(np.uint32).max).all(axis=1)
    for band in range(BANDS):
        key = np.zeros(len(signatures), dtype=np.uint64)
        for row in range(rows):
            key = (key ^ signatures[:, band * rows + row]) * _POWERS[row]
            key ^= key >> np.uint64(31)
        order = np.flatnonzero(told)[np.argsort(key[told], kind="stable")]
        same = key[order[1:]] == key[order[:-1]]
        starts = (
            np.maximum.accumulate(np.where(np.concatenate(([True], ~same)), np.arange(len(order)), 0))
            if len(order)
            else order
        )
        for left, right in ((order[:-1][same], order[1:][same]), (order[starts[1:]][same], order[1:][same])):
            near = (signatures[left] == signatures[right]).mean(axis=1) >= least
            for one, other in zip(left[near].tolist(), right[near].tolist(), strict=True):
                a, b = root(one), root(other)
                if a != b:
                    parent[max(a, b)] = min(a, b)
    roots = np.array([root(place) for place in range(len(parent))], dtype=np.int64)
    sizes = np.bincount(roots, minlength=len(roots)) if len(roots) else roots
    order = np.argsort(roots, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(roots[order])) + 1) if len(order) else []:
        if sizes[roots[members[0]]] > 1:
            yield from _around(signatures, np.sort(members), least)


def _around(signatures: Signatures, members: NDArray[np.int64], least: float) -> Iterator[tuple[list[int], float]]:
    """A chain of likenesses may join what is not alike: cut it into groups around their first."""
    while len(members) > 1:
        near = alike(signatures, int(members[0]), members)
        inside = near >= least
        if inside.sum() > 1:
            kept = members[inside][:GROUP_MOST]
            yield kept.tolist(), float(near[inside][:GROUP_MOST].min())
        members = members[~inside]
