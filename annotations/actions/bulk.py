"""Many rows of one table in one statement, without an object for each: what an import spends most of its time on.

Values go in as the ORM would write them and columns that nobody names get their fields' defaults; no signals, no
primary keys back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, models
from django.db.models.expressions import RawSQL

from tagstudio.presence import let_pass, somebody_is_here

_AS_IS = (models.CharField, models.TextField, models.IntegerField, models.FloatField, models.ForeignKey)

GIVE_WAY_SECONDS = 0.003
"""Longer than who waits for SQLite's one place takes to ask again."""
REST_SECONDS = 0.1
"""The longest rest between two transactions while somebody is at the pages."""
LEAST_ROWS = 25
"""Below this a commit costs more than the rows in it."""
FIRST_ROWS = 200
"""Before it is known what a row costs."""


def among(names: Iterable[str]) -> RawSQL:
    """For ``name__in``: hundreds of texts as one parameter, which neither the ORM nor the database has to look at each."""
    texts = "json_each" if connection.vendor == "sqlite" else "jsonb_array_elements_text"
    return RawSQL(f"SELECT value FROM {texts}(%s)", (json.dumps(list(names)),))  # noqa: S608, S611  one of two words


def locked(rows: models.QuerySet[Any]) -> models.QuerySet[Any]:
    """``rows`` locked in the order of their keys, so that two who lock the same ones never wait for each other.

    SQLite has one writer and locks no rows; an order by key would make it walk the whole table to find a few of them.
    """
    return rows.select_for_update().order_by("pk") if connection.features.has_select_for_update else rows.order_by()


@dataclass(slots=True)
class Pace:
    """How many rows a transaction of a long job holds, so that it takes about ``seconds`` on this machine today.

    SQLite has one writer at a time: whoever waits gets its turn after each transaction (``tagstudio.sqlite``). While
    somebody is at the pages transactions are a fifth as long, the job rests as long as it works, and begins none while a
    page is being made, unless there is always one.

    rows: for the next one, from ``LEAST_ROWS`` to ``most``. Where writers don't wait for each other it stays ``most``.
    """

    most: int
    seconds: float
    rows: int = 0

    def __post_init__(self) -> None:
        first = FIRST_ROWS if connection.vendor == "sqlite" else self.most
        self.rows = self.rows or min(first, self.most)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Around a transaction; lets others write after it."""
        begun = time.monotonic()
        yield
        if connection.vendor != "sqlite":
            return
        took = max(time.monotonic() - begun, 1e-6)
        quiet = not somebody_is_here()
        fit = self.rows * (self.seconds if quiet else self.seconds / 5) / took
        self.rows = round(min(self.most, max(LEAST_ROWS, (self.rows + fit) / 2)))
        time.sleep(GIVE_WAY_SECONDS if quiet else max(GIVE_WAY_SECONDS, min(took, REST_SECONDS)))
        if not quiet:
            let_pass(REST_SECONDS)


def insert(
    model: type[models.Model],
    rows: Sequence[Mapping[str, Any]],
    *,
    unique: Sequence[str] = (),
    update: Sequence[str] = (),
) -> None:
    """Insert ``rows``, all with the same attributes (``catalogue_id``, not ``catalogue``).

    unique, update: where a row with the same ``unique`` columns is there, its columns ``update`` are set instead
    """
    if not rows:
        return
    fields = [
        field for field in model._meta.concrete_fields if not (field.generated or isinstance(field, models.AutoField))
    ]
    given = [(field.attname, _writer(field)) for field in fields if field.attname in rows[0]]
    rest = [field for field in fields if field.attname not in rows[0]]
    fixed = [_default(field) for field in rest]
    columns = [_column(field) for field in fields if field.attname in rows[0]] + [_column(field) for field in rest]
    values = [[write(row[name]) for name, write in given] + fixed for row in rows]
    sql = f"INSERT INTO {_name(model._meta.db_table)} ({_names(columns)}) VALUES "  # noqa: S608  our own names
    tail = ""
    if unique:
        by_attribute = {field.attname: _column(field) for field in fields}
        changed = ", ".join(f"{_name(c)} = excluded.{_name(c)}" for c in (by_attribute[name] for name in update))
        tail = f" ON CONFLICT ({_names([by_attribute[name] for name in unique])}) DO UPDATE SET {changed}"
    _each(sql, values, tail)


def insert_selected(
    model: type[models.Model], chosen: models.QuerySet[Any], columns: Mapping[str, str], **values: Any
) -> None:
    """A row of ``model`` for each of ``chosen``: ``columns`` (its attribute: theirs) are copied, ``values`` are alike."""
    fields = [
        field for field in model._meta.concrete_fields if not (field.generated or isinstance(field, models.AutoField))
    ]
    copied = [field for field in fields if field.attname in columns]
    rest = [field for field in fields if field.attname not in columns]
    fixed = [_writer(f)(values[f.attname]) if f.attname in values else _default(f) for f in rest]
    inner, given = chosen.order_by().values("pk", *columns.values()).query.sql_with_params()
    theirs = {field.attname: _column(field) for field in chosen.model._meta.concrete_fields}
    taken = [f"chosen.{_name(theirs[columns[field.attname]])}" for field in copied]
    # A server takes a text for a text, unless it is told what it is; SQLite's own types would bend it.
    sqlite = connection.vendor == "sqlite"
    marks = ["%s" if sqlite else f"CAST(%s AS {field.cast_db_type(connection)})" for field in rest]
    names = _names([_column(field) for field in (*copied, *rest)])
    with connection.cursor() as cursor:
        # Found first and sorted then: asked for in order, SQLite would walk the whole table for a few of its rows.
        cursor.execute(
            f"WITH chosen AS MATERIALIZED ({inner}) INSERT INTO {_name(model._meta.db_table)} ({names}) "  # noqa: S608  names of our own columns
            f"SELECT {', '.join([*taken, *marks])} FROM chosen ORDER BY chosen.pk",
            [*given, *fixed],
        )


def update_one_column(model: type[models.Model], attribute: str, by_pk: Mapping[int, Any]) -> None:
    """Set one column of several rows, each to its own value."""
    if not by_pk:
        return
    field = next(field for field in model._meta.concrete_fields if field.attname == attribute)
    write, pk = _writer(field), model._meta.pk
    key = _name(_column(pk) if pk else "id")
    marks = ", ".join(["(%s, %s)"] * len(by_pk))
    table = _name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH given(pk, val) AS (VALUES {marks}) UPDATE {table} SET {_name(_column(field))} = given.val "  # noqa: S608
            f"FROM given WHERE {table}.{key} = given.pk",
            [part for number, value in by_pk.items() for part in (number, write(value))],
        )


def _each(sql: str, values: Sequence[Sequence[Any]], tail: str) -> None:
    """SQLite runs one prepared statement many times; a server is rather told everything at once."""
    marks = f"({', '.join(['%s'] * len(values[0]))})"
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.executemany(sql + marks + tail, values)
        else:
            cursor.execute(sql + ", ".join([marks] * len(values)) + tail, [value for row in values for value in row])


def _writer(field: models.Field[Any, Any]) -> Callable[[Any], Any]:
    """What a value of the field is on its way into the database."""
    if isinstance(field, _AS_IS):
        return _as_is
    if isinstance(field, models.JSONField) and field.encoder is None:
        return _as_json
    return lambda value: field.get_db_prep_save(value, connection)


def _as_is(value: Any) -> Any:
    return value


def _as_json(value: Any) -> str:
    """Text, which both databases take for a JSON column."""
    return json.dumps(value)


def _default(field: models.Field[Any, Any]) -> Any:
    value = field.pre_save(field.model(), True) if getattr(field, "auto_now", False) else None
    if getattr(field, "auto_now_add", False):
        value = field.pre_save(field.model(), True)
    return _writer(field)(field.get_default() if value is None else value)


def _column(field: models.Field[Any, Any]) -> str:
    return str(field.column)


def _name(name: str) -> str:
    return connection.ops.quote_name(name)


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(_name, names))
