"""Keeping the words of tags for type-ahead in step with their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from annotations.models import Catalogue, Tag, TagWord
from annotations.queries.tag_words import words_of

TAGS_AT_ONCE = 500
ROWS_AT_ONCE = 5000


def index(tags: Sequence[Tag], *, new: bool = False) -> None:
    """Write anew the words of these tags, in the caller's transaction; a retired one has none. ``new``: none are there."""
    for some in _chunks(tags):
        if not new:
            TagWord.objects.filter(tag__in=[tag.pk for tag in some]).delete()
        rows = [
            row for tag in some if tag.retired_at is None for row in words_of(tag, tag.facet.catalogue_id)
        ]  # fmt: skip
        TagWord.objects.bulk_create(rows, batch_size=ROWS_AT_ONCE)


def index_catalogue(*, catalogue: Catalogue) -> int:
    """Write the words of every tag anew; returns how many tags there are."""
    count = 0
    for some in _chunks(
        Tag.objects.filter(facet__catalogue=catalogue).select_related("facet").iterator(chunk_size=2000)
    ):
        index(some)
        count += len(some)
    return count


def _chunks(tags: Iterable[Tag]) -> Iterator[list[Tag]]:
    source = iter(tags)
    while some := list(islice(source, TAGS_AT_ONCE)):
        yield some
