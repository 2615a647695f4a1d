"""Cleaning: named steps from text to text. Each can be listed, switched off and tested.

The steps run in the order of ``STEPS``; which of them changed a text is reported beside it. The original cell is kept
by the row, so nothing here has to be reversible.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

import ftfy
from ftfy.badness import is_bad

from annotations.formats.markup import html_to_text

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
_FULLWIDTH: dict[int, int | str] = {
    **{
        code: code - 0xFEE0 for a, z in (("０", "９"), ("Ａ", "Ｚ"), ("ａ", "ｚ")) for code in range(ord(a), ord(z) + 1)
    },
    **{ord(c): " " for c in "\xa0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"},
    **{ord(c): unicodedata.normalize("NFKC", c) for c in "ﬀﬁﬂﬃﬄﬅﬆ"},
}
_FOLDED = re.compile(f"[{''.join(map(chr, _FULLWIDTH))}]")
# Joiners (U+200C, U+200D) stay: Persian, Indic scripts and emoji mean something by them. So do direction marks, which
# are shown.
_ZERO_WIDTH = re.compile(r"[\u00ad\u180e\u200b\u2060\u2063\u2064]")
# Words that nothing could be done about, beyond ASCII: common hanzi and their punctuation. One space at a time.
_LETTERS = "[!-%'-;=-~、。《》「」『』【】一-鿿！，（）：；？]+"
_PLAIN = re.compile(f"{_LETTERS}(?: {_LETTERS})*")
_SPACES = re.compile(r"[ \t]{2,}|\t")
_MARGIN = re.compile(r" *\n *")
_GAPS = re.compile(r"\n{3,}")


def drop_control(text: str) -> str:
    """Control characters and byte order marks go; tab and newline stay. Zero-width characters stay and are shown."""
    return _CONTROL.sub("", text)


def drop_zero_width(text: str) -> str:
    """Zero-width spaces, word joiners and soft hyphens go, which split words that a reader sees whole."""
    return text if text.isascii() else _ZERO_WIDTH.sub("", text)


def mend_mojibake(text: str) -> str:
    """``fÃ¼r`` to ``für`` where ftfy is sure that UTF-8 was read as something else; anything else stays as it is."""
    if text.isascii() or not is_bad(text):
        return text
    return ftfy.fix_encoding(text)


def unescape_entities(text: str) -> str:
    """``&amp;`` to ``&``, twice at most, since exports like to escape what was escaped."""
    for _ in range(2):
        if "&" not in text or not _ENTITY.search(text):
            break
        text = html.unescape(text)
    return text


def fold_compatible(text: str) -> str:
    """Composes accents (NFC), and folds full-width letters and digits, odd spaces and ligatures to plain ones.

    Not NFKC as a whole: it would turn the full-width punctuation of Chinese into ASCII, and ``m²`` into ``m2``.
    """
    if text.isascii():
        return text
    if _FOLDED.search(text):
        text = text.translate(_FULLWIDTH)
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def tidy_space(text: str) -> str:
    """One kind of newline, one space at a time, no blank margins, at most one empty line in a row."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _SPACES.sub(" ", text)
    if "\n" in text:
        text = _GAPS.sub("\n\n", _MARGIN.sub("\n", text))
    return text.strip()


def one_line(text: str) -> str:
    """Newlines to spaces: titles, categories and values stand on one line."""
    return " ".join(text.split("\n")) if "\n" in text else text


STEPS: dict[str, Callable[[str], str]] = {
    "mojibake": mend_mojibake,  # before control: wrongly decoded Chinese is full of control characters
    "control": drop_control,
    "html": html_to_text,
    "entities": unescape_entities,
    "zero-width": drop_zero_width,  # after entities, which like to spell them
    "compatibility": fold_compatible,
    "space": tidy_space,
}


def is_clean(text: str) -> bool:
    """True where no step could change anything: plain letters without markup or odd spaces. Spares the calls."""
    if not text.isascii():
        return _PLAIN.fullmatch(text) is not None
    return (
        text.isprintable()
        and "<" not in text
        and "&" not in text
        and "  " not in text
        and text[:1] != " "
        and text[-1:] != " "
    )


def clean_text(text: str, *, steps: Iterable[str] = tuple(STEPS), single: bool = False) -> tuple[str, list[str]]:
    """``(cleaned, names of the steps that changed something)``. ``single`` puts the text on one line."""
    if is_clean(text):
        return text, []
    changed = []
    for name in steps:
        after = STEPS[name](text)
        if after != text:
            changed.append(name)
            text = after
    if single and "\n" in text:
        text = one_line(text)
        changed.append("one-line")
    return text, changed


def relocate(
    span: dict[str, Any], before: str, after: str, *, steps: Iterable[str] = tuple(STEPS)
) -> dict[str, Any] | None:
    """A span of ``before`` as it stands in ``after`` (``before`` cleaned): the occurrence of its cleaned text that is
    nearest in place, or None where there is none.

    Raises ValueError where the span does not even fit ``before``.
    """
    start, end = span.get("start"), span.get("end")
    if not (isinstance(start, int) and isinstance(end, int)) or not 0 <= start < end <= len(before):
        raise ValueError("start and end are no range of the text")
    text = before[start:end]
    if span.get("text") not in (None, "", text):
        raise ValueError("its text is not what stands there")
    if after[start:end] != text:
        text, _ = clean_text(text, steps=steps, single="\n" not in after)
        if not text:
            return None
        wanted = start * len(after) / len(before)
        starts = [m.start() for m in re.finditer(re.escape(text), after)]
        if not starts:
            return None
        start = min(starts, key=lambda place: abs(place - wanted))
    return {**span, "start": start, "end": start + len(text), "text": text}
