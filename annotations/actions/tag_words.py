"""Keeping the words of tags for type-ahead in step with their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from django.db import connection

from annotations.models import Catalogue, Tag, TagWord
from annotations.queries.tag_words import words_of

TAGS_AT_ONCE = 500


def index(tags: Sequence[Tag], *, new: bool = False) -> None:
    """Write anew the words of these tags, in the caller's transaction; a retired one has none. ``new``: none are there.

    By the driver's own ``executemany``: as model rows a whole taxonomy's half a million would take a minute.
    """
    table, names = TagWord._meta.db_table, ("catalogue_id", "facet_id", "tag_id", "key", "source", "place", "length")
    quoted = ", ".join(connection.ops.quote_name(name) for name in names)
    statement = f"INSERT INTO {connection.ops.quote_name(table)} ({quoted}) VALUES ({', '.join(['%s'] * len(names))})"  # noqa: S608  names of our own
    with connection.cursor() as cursor:
        for some in _chunks(tags):
            if not new:
                TagWord.objects.filter(tag__in=[tag.pk for tag in some]).delete()
            rows = [
                (tag.facet.catalogue_id, tag.facet_id, tag.pk, *word)
                for tag in some if tag.retired_at is None for word in words_of(tag)
            ]  # fmt: skip
            if rows:
                cursor.executemany(statement, rows)


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
