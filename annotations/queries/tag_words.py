"""How names are cut for type-ahead, and the look-up: a range of one index, whatever the database and the language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping

from django.db.models import Q, QuerySet

from annotations.models import Catalogue, Facet, Tag, TagWord
from annotations.queries.offers import kept

KEY_BYTES = 60
STARTS = 12
"""Words of one name that are looked up; names are shorter than that."""
ROWS_LOOKED_AT = 600
"""Hits of one look-up that are ranked. Only a single letter has more, and then the shortest names come first anyway."""
TAGS_OF_A_WORD = 4000
"""Tags that one of several words may bring; more of them say nothing."""

_GAP = re.compile(r"[\W_]+")
_MARKS = re.compile(r"[\u0300-\u036f]")


def folded(text: str) -> str:
    """A name for comparing: width, case and accents make no difference, and neither does what joins its words."""
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", text)).casefold()
    return _GAP.sub(" ", unicodedata.normalize("NFC", plain)).strip()


def starts(name: str) -> Iterator[tuple[int, str]]:
    """(place, rest) for every word of a folded name: after a gap, at each Chinese character, where the script changes."""
    before, found = "", 0
    for place, character in enumerate(name):
        script = _script(character)
        if script and (script == "han" or script != before):
            yield place, name[place:]
            found += 1
            if found == STARTS:
                return
        before = script


def _script(character: str) -> str:
    if character == " ":
        return ""
    if "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or character >= "\U00020000":
        return "han"
    return "kana" if "\u3040" <= character <= "\u30ff" else "letter"


def key(text: str) -> bytes:
    """The beginning of a folded text as bytes, cut between two characters."""
    data = text.encode()
    return data if len(data) <= KEY_BYTES else data[:KEY_BYTES].decode(errors="ignore").encode()


Word = tuple[bytes, int, int, int]
"""key, source, place and length of a TagWord: plain, since a whole taxonomy has half a million."""


def words_of(tag: Tag) -> list[Word]:
    """Every way in which a typed beginning may lead to the tag; of two ways with one text the better."""
    names = [(0, label) for label in tag.labels.values()]
    names += [(1, word) for words in tag.synonyms.values() for word in words]
    names.append((2, tag.slug))
    best: dict[tuple[bytes, bool], Word] = {}
    for source, name in names:
        for place, rest in starts(folded(name)):
            start = key(rest)
            best.setdefault((start, place == 0), (start, source, min(place, 999), min(len(rest), 999)))
    return list(best.values())


def find(
    catalogue: Catalogue, text: str, *, facet: Facet | None = None, limit: int = 20, without: Collection[int] = ()
) -> list[Tag]:
    """Live tags that a typed text may mean, best first: a whole name, the beginning of one, the beginning of a later
    word; a label before a synonym. Of several words the last one names the tag, and the others may stand in its own
    names, in those above it or in its facet's: ``shoes boots``, ``colour > red``."""
    wanted = folded(text)
    if not wanted:
        return []
    ranked = dict(_hits(catalogue, facet, wanted))
    words = wanted.split()
    if len(words) > 1 and len(ranked) < limit:
        for pk in _by_path(catalogue, facet, words):
            ranked.setdefault(pk, (4, 0, 0))
    order = sorted(ranked, key=lambda pk: ranked[pk])
    found: list[Tag] = []
    for start in range(0, len(order), 5 * limit):
        some = order[start : start + 5 * limit]
        live = Tag.objects.live().filter(pk__in=some, facet__retired_at=None).select_related("facet", "parent")
        tags = {tag.pk: tag for tag in live.exclude(pk__in=without)}
        here = [tags[pk] for pk in some if pk in tags]
        found += sorted(here, key=lambda t: (ranked[t.pk], t.facet.position, t.position, t.pk))
        if len(found) >= limit:
            break
    return found[:limit]


def _range(catalogue: Catalogue, facet: Facet | None, wanted: str) -> Q:
    first = key(wanted)
    scope = Q(facet=facet) if facet is not None else Q(catalogue=catalogue)
    return scope & Q(key__gte=first, key__lt=first + b"\xff")


def _hits(catalogue: Catalogue, facet: Facet | None, wanted: str) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """(tag, rank) of the best hits, the best rank of each tag first."""
    rows = TagWord.objects.filter(_range(catalogue, facet, wanted))
    # one letter of an alphabet begins half of all names: they are taken as the index gives them
    order = ("key",) if len(wanted) == 1 and wanted.isascii() else ("place", "length", "source")
    best: dict[int, tuple[int, int, int]] = {}
    for tag, source, place, length in rows.order_by(*order).values_list("tag", "source", "place", "length")[
        :ROWS_LOOKED_AT
    ]:
        whole = length == len(wanted)
        rank = (0 if whole and not place else 1 if not place else 2, source, length)
        best[tag] = min(rank, best.get(tag, rank))
    yield from best.items()


def _by_path(catalogue: Catalogue, facet: Facet | None, words: list[str]) -> list[int]:
    """Tags whose own name has the last word, and whose names, tags above or facet have all the others."""
    # "de", "y", "d'": half of all names have them, and they tell nothing apart
    others = {w for w in words[:-1] if len(w) > 2 or _script(w[0]) != "letter"} or set(words[:-1])
    having = {word: set(_tags_with(catalogue, facet, word)) for word in others}
    facets = _facets_with(catalogue, others)
    places = kept(catalogue, "places", lambda: _places(catalogue))
    candidates = [pk for pk in dict.fromkeys(_tags_with(catalogue, facet, words[-1])) if pk in places]
    for word in sorted(others, key=lambda w: len(having[w])):  # the rarest leaves the fewest for the next
        tags, within = having[word], facets[word]
        candidates = [
            pk for pk in candidates if places[pk][0] in within or any(up in tags for up in _upwards(pk, places))
        ]
    return candidates


def _tags_with(catalogue: Catalogue, facet: Facet | None, word: str) -> QuerySet[TagWord, int]:
    rows = TagWord.objects.filter(_range(catalogue, facet, word)).values_list("tag", flat=True)
    return rows[:TAGS_OF_A_WORD]


def _upwards(tag: int | None, places: Mapping[int, tuple[int, int | None]]) -> Iterator[int]:
    """The tag and those above it, nearest first."""
    seen: set[int] = set()
    while tag is not None and tag in places and tag not in seen:
        seen.add(tag)
        yield tag
        tag = places[tag][1]


def _places(catalogue: Catalogue) -> dict[int, tuple[int, int | None]]:
    """Every tag's facet and the tag above it, by primary key."""
    rows = Tag.objects.filter(facet__catalogue=catalogue).values_list("pk", "facet", "parent")
    return {pk: (facet, parent) for pk, facet, parent in rows}


def _facets_with(catalogue: Catalogue, words: Collection[str]) -> dict[str, set[int]]:
    """To each word the facets one of whose names has a word that begins with it."""
    names = kept(catalogue, "facet names", lambda: _facet_names(catalogue))
    return {
        word: {pk for pk, said in names if f" {word}" in said or (_script(word[0]) == "han" and word in said)}
        for word in words
    }


def _facet_names(catalogue: Catalogue) -> list[tuple[int, str]]:
    """All names of each live facet, folded, in one text where every word follows a space."""
    rows = Facet.objects.live().filter(catalogue=catalogue).values_list("pk", "labels")
    return [(pk, "".join(f" {folded(label)}" for label in labels.values())) for pk, labels in rows]
