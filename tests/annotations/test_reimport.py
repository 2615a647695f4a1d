"""A file that comes again: rows the products have already are told by their cells and not read any further."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from annotations.actions import bulk, imports, taxonomy
from annotations.actions.cleaning import switch_steps
from annotations.actions.imports import import_products, upsert_products
from annotations.formats import known
from annotations.formats.apply import Applier
from annotations.formats.cleaning import Cleaning
from annotations.formats.mapping import Column, Mapping
from annotations.formats.rows import Limits, Record, Row, Same
from annotations.models import Catalogue, ImportBatch, Original, Product, QueueItem
from annotations.queries.taxonomy import Names
from tests.annotations.conftest import World


@pytest.fixture
def catalogue(db: None) -> Catalogue:
    return Catalogue.objects.create(slug="day", name="Day", languages=["en"])


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every row and Same that imports take in."""
    taken: list[Any] = []
    confined = imports.read_products_confined

    def noted(items: Any) -> Any:
        for item in items:
            taken.append(item)
            yield item

    def spied(*args: Any, **kwargs: Any) -> Any:
        return noted(confined(*args, **kwargs))  # opened at once, as the real one is

    monkeypatch.setattr(imports, "read_products_confined", spied)
    return taken


def table(path: Path, rows: list[list[str]]) -> Path:
    header = ["id", "title", "description", "colour", "language"]
    path.write_text("".join(",".join(row) + "\n" for row in [header, *rows]), encoding="utf-8")
    return path


def some(n: int) -> list[list[str]]:
    return [[f"S{i}", f"Coat &amp; cape {i}", "<p>Warm</p>", "red", "en"] for i in range(n)]


def counts(batch: ImportBatch) -> tuple[int, int, int, int, int]:
    return batch.rows, batch.created, batch.updated, batch.unchanged, batch.problem_count


def test_only_what_changed_is_read(catalogue: Catalogue, tmp_path: Path, read: list[Any]) -> None:
    rows = some(1200)
    file = table(tmp_path / "a.csv", rows)
    assert counts(import_products(catalogue=catalogue, path=file)) == (1200, 1200, 0, 0, 0)
    assert all(isinstance(item, Row) for item in read)
    before = list(Product.objects.order_by("pk").values())
    read.clear()
    assert counts(import_products(catalogue=catalogue, path=file)) == (1200, 0, 0, 1200, 0)
    assert [type(item) for item in read] == [Same] * 1200 and [item.id for item in read] == [row[0] for row in rows]
    assert list(Product.objects.order_by("pk").values()) == before
    read.clear()
    rows[700][3] = "blue"
    assert counts(import_products(catalogue=catalogue, path=table(file, rows))) == (1200, 0, 1, 1199, 0)
    assert [item.id for item in read if isinstance(item, Row)] == ["S700"]
    assert Product.objects.get(external_id="S700").attributes == {"colour": ["blue"]}


def test_ids_that_repeat_are_told_also_among_rows_that_are_not_read(catalogue: Catalogue, tmp_path: Path) -> None:
    file = table(tmp_path / "a.csv", [*some(3), *some(1)])
    assert counts(import_products(catalogue=catalogue, path=file)) == (4, 3, 0, 0, 1)
    again = import_products(catalogue=catalogue, path=file)
    assert counts(again) == (4, 0, 0, 3, 1)
    assert again.problems.get().params == {"detail": 2}  # type: ignore[attr-defined]


def test_a_row_with_a_warning_says_it_every_time(catalogue: Catalogue, tmp_path: Path) -> None:
    file = table(tmp_path / "a.csv", [*some(2), ["S9", "", "", "", "en"]])
    for unchanged in (0, 3):
        batch = import_products(catalogue=catalogue, path=file)
        assert (batch.unchanged, [p.code for p in batch.problems.all()]) == (unchanged, ["blank-product"])  # type: ignore[attr-defined]


def test_what_a_program_changed_meanwhile_is_as_the_file_has_it_again(catalogue: Catalogue, tmp_path: Path) -> None:
    file = table(tmp_path / "a.csv", some(3))
    import_products(catalogue=catalogue, path=file)
    upsert_products(catalogue=catalogue, rows=[{"id": "S1", "title": "Pushed"}], user=None)
    assert counts(import_products(catalogue=catalogue, path=file)) == (3, 0, 1, 2, 0)
    assert Product.objects.get(external_id="S1").title == "Coat & cape 1"


def test_another_mapping_or_other_code_reads_every_row_anew(
    catalogue: Catalogue, tmp_path: Path, read: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = table(tmp_path / "a.csv", some(3))
    plain = {"id": "id", "title": "title", "description": "description", "colour": "attribute", "language": "language"}
    import_products(catalogue=catalogue, path=file, mapping=plain)
    first = set(Product.objects.values_list("source_hash", flat=True))
    other = import_products(catalogue=catalogue, path=file, mapping={**plain, "colour": "category"})
    assert (other.updated, Product.objects.get(external_id="S1").category) == (3, "red")
    import_products(catalogue=catalogue, path=file, mapping=plain)
    assert set(Product.objects.values_list("source_hash", flat=True)) == first
    # As after an upgrade that cleans otherwise, and finds the same all the same.
    Product.objects.update(source_hash="0" * 32)
    read.clear()
    assert import_products(catalogue=catalogue, path=file, mapping=plain).unchanged == 3
    assert all(isinstance(item, Row) for item in read)
    assert set(Product.objects.values_list("source_hash", flat=True)) == first


def test_the_name_of_a_reading_holds_what_decides_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def name(confidence: float = 1.0, file: str = "a", **more: Any) -> bytes:
        columns = (Column("id", "id", confidence=confidence), Column("f", "attribute", "Facet", more.pop("by", "|")))
        return known.reading(Applier(Mapping(columns), file=file, limits=Limits(), table=True, **more))

    assert name() == name(confidence=0.3, file="b")
    assert len({name(), name(by=";"), name(cleaning=Cleaning(steps=("html",)))}) == 3
    before = name()
    monkeypatch.setattr(known, "code", lambda: "other")
    assert name() != before


def test_long_records_are_not_piled_up() -> None:
    asked: list[int] = []

    class Nobody:
        def ask(self, heads: list[tuple[str, str]]) -> None:
            asked.append(len(heads))

        def answer(self) -> list[int]:
            return []

    applier = Applier(Mapping((Column("id", "id"), Column("title", "title"))), file="", limits=Limits(), table=True)
    records = [Record(n, {"id": str(n), "title": "x" * 90_000}) for n in range(100)]
    assert sum(isinstance(item, Row) for item in known.Recognised(applier, Nobody()).items(records)) == 100
    assert max(asked) < 30


def test_rows_that_are_put_in_at_once_are_as_the_orm_makes_them(catalogue: Catalogue) -> None:
    given = {"title": "ü'%s", "attributes": {"a": ["“b”"]}, "extra": {}, "pictures": [], "row_hash": "1"}
    Product.objects.create(catalogue=catalogue, external_id="orm", **given)
    rows = [{"catalogue_id": catalogue.pk, "external_id": f"bulk-{n}", **given} for n in range(3)]
    bulk.insert(Product, rows)
    QueueItem.objects.create(catalogue=catalogue, product=Product.objects.get(external_id="orm"))
    chosen = Product.objects.filter(external_id__startswith="bulk")
    bulk.insert_selected(QueueItem, chosen, {"product_id": "id", "catalogue_id": "catalogue_id"})
    for model in (Product, QueueItem):
        first, *others = model.objects.order_by("pk").values()
        differing = {"id", "external_id", "words", "product_id", "created_at", "updated_at"}
        assert len(others) == 3
        assert {k for one in others for k in first if first[k] != one[k]} <= differing
    assert Product.objects.filter(attributes__a=["“b”"], pictures=[]).count() == 4
    created = Product.objects.get(external_id="bulk-1").created_at
    rows[1]["title"] = "changed"
    bulk.insert(Product, rows[1:2], unique=("catalogue_id", "external_id"), update=("title", "updated_at"))
    one = Product.objects.get(external_id="bulk-1")
    assert (one.title, one.created_at, Product.objects.count()) == ("changed", created, 4) and one.updated_at > created
    with connection.cursor() as cursor:  # stored as text of JSON, not as a text within JSON
        cursor.execute("SELECT attributes FROM annotations_product ORDER BY id")
        stored = {json.dumps(v) if isinstance(v := row[0], dict) else v for row in cursor.fetchall()}
    assert len(stored) == 1


def test_a_child_may_ask_while_it_works() -> None:
    from annotations.formats.sandbox import stream_limited

    from .formats import hostile

    said: list[int] = []

    def double(n: int) -> int:
        said.append(n)
        return 2 * n

    assert list(stream_limited(hostile.curious, 5, answer=double)) == [0, 2, 4, 6, 8]
    assert said == [0, 1, 2, 3, 4]


def test_entities_in_attributes_are_resolved_where_asked_for_and_once(world: World, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": "E-1", "title": "Tee", "attributes": {"material": ["Lycra&reg;", "A &amp; B"]}}\n')
    catalogue = world.catalogue

    def take_in() -> tuple[int, int, int]:
        batch = import_products(catalogue=catalogue, path=path)
        return batch.created, batch.updated, batch.unchanged

    def values() -> list[str]:
        return list(Product.objects.get(external_id="E-1").attributes["material"])

    assert take_in() == (1, 0, 0) and take_in() == (0, 0, 1)
    assert values() == ["Lycra&reg;", "A &amp; B"]
    switch_steps(catalogue=catalogue, user=None, off=[])
    assert take_in() == (0, 1, 0) and take_in() == (0, 0, 1)
    assert values() == ["Lycra®", "A & B"]
    original = Original.objects.get(product__external_id="E-1")
    assert original.cells["material"]["steps"] == ["entities"]
    made = taxonomy.add_tag(facet=world.facets["material"], labels={"en": "Lycra&reg;"}, user=None)
    assert Names.of(catalogue).tag(made.facet, "Lycra®") == made  # one name in two spellings
