"""How facets and tags are named and placed: slugs, labels, lists of words, paths of categories, positions."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db.models import Max
from django.utils.text import slugify
from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.actions.revisions import Revising
from annotations.models import Catalogue, Facet, Tag
from annotations.queries.taxonomy import number_of

NAME_CHARS = 100


def slug_of(label: str, taken: Collection[str], fallback: str = "tag") -> str:
    """A readable name for addresses and exports that is not ``taken`` yet.

    Latin letters lose their accents and become ASCII; Chinese and other scripts stay as they are.
    """
    said = html.unescape(label).replace("ß", "ss").replace("&", " and ")
    plain = "".join(_plain(c) for c in unicodedata.normalize("NFKC", said))
    base = slugify(plain, allow_unicode=True)[: NAME_CHARS - 6].strip("-_") or fallback
    slug, n = base, 2
    while slug in taken:
        slug, n = f"{base}-{n}", n + 1
    return slug


def slug_of_tag(facet: Facet, label: str, taken: Collection[str]) -> str:
    """As ``slug_of``. Slugs have neither points nor signs, and 1.5 is no 15: a number reads 1p5 or minus-5."""
    if number_of(facet, label) is not None:
        label = label.replace(",", ".").replace(".", "p", 1)
        label = "minus " + label[1:] if label.startswith("-") else label
    return slug_of(label, taken)


def _plain(character: str) -> str:
    first = unicodedata.normalize("NFKD", character)[0]
    return first if first.isascii() else character


def clean_label(label: str) -> str:
    label = " ".join(label.split())
    if not label:
        raise Refused(_("a name is needed"), "no_name")
    if len(label) > NAME_CHARS:
        raise Refused(_("a name has at most %(n)s characters") % {"n": NAME_CHARS}, "long_name", value=label[:80])
    return label


def texts(texts: Mapping[str, str]) -> dict[str, str]:
    return {language: clean_label(text) for language, text in texts.items() if text and text.strip()}


def word_lists(words: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    cleaned = {lang: list(dict.fromkeys(clean_label(w) for w in listed if w.strip())) for lang, listed in words.items()}
    return {language: listed for language, listed in cleaned.items() if listed}


def texts_of_any_length(said: Mapping[str, str]) -> dict[str, str]:
    return {language: text.strip() for language, text in said.items() if text and text.strip()}


def next_position(rows: Any) -> int:
    highest = rows.aggregate(m=Max("position"))["m"]
    return 0 if highest is None else highest + 1


def paths(categories: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(c.strip().strip("/") for c in categories if c.strip().strip("/")))


def swap(change: Revising, beside: Sequence[Any], row: Facet | Tag, step: int) -> None:
    """Trade places with a neighbour. Rows that share a position (there are such in old catalogues) are numbered anew."""
    place = next(i for i, other in enumerate(beside) if other.pk == row.pk)
    other = place + (1 if step > 0 else -1)
    if not 0 <= other < len(beside):
        return
    positions = sorted(item.position for item in beside)
    if len(set(positions)) < len(positions):
        positions = list(range(positions[0], positions[0] + len(positions)))
    order = list(beside)
    order[place], order[other] = order[other], order[place]
    for position, item in zip(positions, order, strict=True):
        mine = row if item.pk == row.pk else item
        change.change(mine, position=position)


def language_of(text: str, catalogue: Catalogue) -> str:
    """The catalogue's language that a short text is most likely in: Chinese characters tell, else its first."""
    han = any("一" <= c <= "鿿" for c in text)
    first: str = catalogue.language
    if han == first.startswith("zh"):
        return first
    return next((code for code in catalogue.languages if code.startswith("zh") == han), first)


def readable(name: str) -> str:
    """A program's name for a property as a person would write it: ``eco_collection`` to ``Eco collection``."""
    if name.isascii() and name == name.lower() and not name[:1].isdecimal():
        return " ".join(name.replace("_", " ").split()).capitalize()
    return name
