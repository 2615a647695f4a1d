"""One or two letters for each tag of a facet, taken from its own name, that lead to it and to no other.

Menus have had such letters for as long as there have been keyboards. Here they make the way to any tag the same
length, however many begin alike: type-ahead alone needs as many keys as it takes to tell ``Cotton`` from ``Cotton
blend``. They are given out by age, so that a new tag moves nobody else's. Chinese names are typed by the first letter
of each character's pinyin, which is how their readers abbreviate them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from string import ascii_lowercase, digits

from django.utils.translation import get_language

from annotations.models import Catalogue, Facet, Tag
from annotations.queries.offers import kept
from annotations.queries.tag_words import folded

MOST = 900
"""Tags of one facet that get letters, the oldest first. Two letters, or a letter and a digit, make 936."""

# The first level of GB 2312-80 (3,755 characters) is in the order of pinyin: where each letter's stretch begins in GBK.
_PINYIN = dict(
    zip(
        "abcdefghjklmnopqrstwxyz",
        (0xB0A1, 0xB0C5, 0xB2C1, 0xB4EE, 0xB6EA, 0xB7A2, 0xB8C1, 0xB9FE, 0xBBF7, 0xBFA6, 0xC0AC, 0xC2E8, 0xC4C3, 0xC5B6,
         0xC5BE, 0xC6DA, 0xC8BB, 0xC8F6, 0xCBFA, 0xCDDA, 0xCEF4, 0xD1B9, 0xD4D1),
        strict=True,
    )
)  # fmt: skip
_PINYIN_END = 0xD7F9


def pinyin_initial(character: str) -> str:
    """``h`` for 黑; empty for what is none of the 3,755 commonest characters."""
    code = int.from_bytes(character.encode("gbk", "ignore"), "big")
    if not _PINYIN["a"] <= code <= _PINYIN_END:
        return ""
    return max((start, letter) for letter, start in _PINYIN.items() if start <= code)[1]


def mnemonics_of(names: Iterable[str]) -> list[str]:
    """A mnemonic for each name, all different; empty where none is left. Names of one or two letters are their own;
    others begin with their first letter as long as that has any left."""
    spelled = [_spelled(name) for name in names]
    given = [""] * len(spelled)
    taken: set[str] = set()
    for place, words in enumerate(spelled):
        whole = "".join(words)
        if len(words) == 1 and len(whole) <= 2 and whole not in taken:
            given[place] = whole
            taken.add(whole)
    for place, words in enumerate(spelled):
        if not given[place]:
            given[place] = next((pair for pair in _candidates(words) if pair not in taken), "")
            taken.add(given[place])
    return given


def _spelled(name: str) -> list[str]:
    """The words of a name in keys that can be pressed; a Chinese character is a word of one letter."""
    words = [""]
    for character in folded(name):
        if "\u3400" <= character <= "\u9fff":
            words += [pinyin_initial(character), ""]
        elif character == " ":
            words.append("")
        elif character.isalnum() and not "\u1100" <= character <= "\u11ff" and not "\u3040" <= character <= "\ud7af":
            words[-1] += character  # kana and Hangul want an input method, as Chinese does
    return [word for word in words if word]


def _candidates(words: list[str]) -> Iterator[str]:
    """Pairs in the order in which one would guess them: the first two letters, initials, the first letter and any
    other of the name, the first letter and any; then what begins with another letter of the name; then any."""
    letters = "".join(words)
    firsts = dict.fromkeys(letters)
    for first in (*firsts, *ascii_lowercase):
        after = letters[letters.find(first) + 1 :]
        own = after[:1] + "".join(word[0] for word in words[1:]) + after
        for second in dict.fromkeys(own + ascii_lowercase + digits):
            yield first + second


def mnemonics(catalogue: Catalogue, facet: Facet, tags: Collection[Tag] | None = None) -> dict[int, str]:
    """Tag to mnemonic, for the names that the reader's language has; worked out once until the taxonomy changes.
    ``tags``: all that the facet has, where they are at hand; else it takes a query."""

    def work_out() -> dict[int, str]:
        live = Tag.objects.live().filter(facet=facet).order_by("pk")[:MOST] if tags is None else tags
        oldest = sorted(live, key=lambda tag: tag.pk)
        found = zip(oldest, mnemonics_of(tag.label for tag in oldest), strict=True)
        return {tag.pk: letters for tag, letters in found if letters}

    return kept(catalogue, f"mnemonics {facet.pk} {get_language()}", work_out)
