"""Rows that a catalogue numbers in a row: its models, training runs, searches."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import IntegrityError, models, transaction
from django.db.models import Max

from annotations.models import Catalogue

TRIES = 5
Row = TypeVar("Row", bound=models.Model)


def create_next(model: type[Row], *, catalogue: Catalogue, **fields: Any) -> Row:
    """The catalogue's next row of ``model``, which is unique in (catalogue, number); two at once find different numbers.

    Raises IntegrityError when others were faster every time, or when something else about the row is wrong.
    """
    rows = model._default_manager
    for attempt in range(TRIES):
        last = rows.filter(catalogue=catalogue).aggregate(last=Max("number"))["last"] or 0
        try:
            with transaction.atomic():
                return rows.create(catalogue=catalogue, number=last + 1, **fields)
        except IntegrityError:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")
