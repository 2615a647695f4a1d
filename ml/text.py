"""One rendering of a product to text, used for training and for serving alike, and the way back to the fields."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from ml.examples import Example

FIELDS = ("title", "description")  # read in this order; what else a product has follows in its own order
SEPARATOR = " \n "


@dataclass(frozen=True, slots=True)
class Rendered:
    """``text`` and where each field lies in it: ``parts`` are (field, start, end) in code points of ``text``."""

    text: str
    parts: tuple[tuple[str, int, int], ...]

    def locate(self, start: int, end: int) -> tuple[str, int, int] | None:
        """A range of ``text`` as (field, start, end) inside one field; None where it leaves every field."""
        for name, begin, stop in self.parts:
            if begin <= start < end <= stop:
                return name, start - begin, end - begin
        return None


def render(example: Example) -> Rendered:
    """Category path, then title, description and the other fields.

    Field texts go in unchanged, so that a range found in the rendering is a range of what a person sees.
    """
    pieces: list[str] = []
    parts: list[tuple[str, int, int]] = []
    length = 0
    ordered = [f for f in FIELDS if f in example.texts] + [f for f in example.texts if f not in FIELDS]
    category = example.category.replace("/", " / ")
    for name, text in [("category", category), *((f, example.texts[f]) for f in ordered)]:
        if not text:
            continue
        if pieces:
            pieces.append(SEPARATOR)
            length += len(SEPARATOR)
        pieces.append(text)
        if name != "category":
            parts.append((name, length, length + len(text)))
        length += len(text)
    return Rendered("".join(pieces), tuple(parts))


def _fold_code(code: int) -> int:
    """The folded form of one code point; the code point itself where the form has another length."""
    folded = unicodedata.normalize("NFKC", chr(code)).lower()
    return ord(folded) if len(folded) == 1 else code


class _Folding(dict[int, int]):
    """Fills itself with the characters it meets, so that ``str.translate`` does the work."""

    def __missing__(self, code: int) -> int:
        self[code] = folded = _fold_code(code)
        return folded


_folding = _Folding()


def fold(text: str) -> str:
    """Lower case and width-folded **character by character**, so that positions stay those of ``text``.

    A character whose folded form has another length is kept as it is.
    """
    return text.translate(_folding)


def is_ideograph(char: str) -> bool:
    """True for characters written without spaces between words: Chinese characters and Japanese kana."""
    code = ord(char)
    return (
        0x3040 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x3FFFF
    )
