"""Files of other tools go in without anybody mapping a column: what they say, where, and of what."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from annotations.formats.exporting import ExportRow, ExportTag
from annotations.formats.products import ProductReader, preview, read_products
from annotations.formats.rows import FileRefused, Row
from annotations.formats.writers import WRITERS

from .helpers import read


def lines(*objects: Any) -> bytes:
    return "\n".join(json.dumps(o, ensure_ascii=False) for o in objects).encode()


def test_label_studio_tasks_with_choices_labels_and_predictions() -> None:
    text = "⌚🎽 Warm wool coat in black"
    task = {
        "id": 17,
        "data": {"sku": "C-1", "title": "Coat", "text": text, "price": 12},
        "annotations": [
            {"was_cancelled": True, "result": [{"from_name": "colour", "value": {"choices": ["Red"]}}]},
            {"result": [
                {"from_name": "colour", "to_name": "text", "type": "choices", "value": {"choices": ["Black"]}},
                {"from_name": "topic", "to_name": "text", "type": "taxonomy", "value": {"taxonomy": [["Wear", "Coats"]]}},
                # two signs before it are one character each here and two units each there
                {"from_name": "spans", "to_name": "text", "type": "labels",
                 "value": {"start": 10, "end": 14, "text": "wool", "labels": ["material"]}},
            ]},
        ],
        "predictions": [{"model_version": "m", "result": [{"from_name": "fit", "value": {"choices": ["Slim"]}}]}],
    }  # fmt: skip
    rows, problems = read(json.dumps([task, {**task, "data": {"text": "x"}, "id": 18, "annotations": []}]).encode())
    assert not problems
    first, second = rows
    assert (first.id, first.title, first.description) == ("C-1", "Coat", text)
    assert first.attributes == {"colour": ["Black"], "topic": ["Coats"], "material": ["wool"]}
    (span,) = first.spans
    assert text[span["start"] : span["end"]] == "wool" and span["facet"] == "material"
    assert (second.id, second.attributes) == ("18", {})  # what only a model said is no annotation
    assert first.extra["predictions.fit"] == "Slim" and first.extra["price"] == "12"


def test_doccano_of_every_age() -> None:
    rows, problems = read(
        lines(
            {"id": 1, "text": "红色羊毛大衣", "label": [[0, 2, "颜色"], [2, 4, "材质"]]},
            {"text": "A black coat", "entities": [{"id": 9, "label": "colour", "start_offset": 2, "end_offset": 7}]},
            {"id": 3, "text": "Chair", "label": ["furniture", "wood"]},
            {"id": 4, "text": "Odd", "label": [[0, 99, "beyond"]]},
        ),
        "labels.jsonl",
    )
    assert not problems
    assert rows[0].attributes == {"颜色": ["红色"], "材质": ["羊毛"]} and rows[0].description == "红色羊毛大衣"
    assert [(s["start"], s["end"], s["facet"]) for s in rows[0].spans] == [(0, 2, "颜色"), (2, 4, "材质")]
    assert rows[1].attributes == {"colour": ["black"]} and rows[1].id.startswith("text-")
    assert rows[1].id == read(lines({"text": "A black coat", "label": []}), "b.jsonl")[0][0].id
    assert (rows[2].attributes, rows[3].attributes) == ({"label": ["furniture", "wood"]}, {})


GROUP = {
    "@context": "https://schema.org",
    "@type": "ProductGroup",
    "productGroupID": "G1",
    "name": "Parka",
    "brand": {"@type": "Brand", "name": "Northfold"},
    "hasVariant": [
        {"@type": "Product", "sku": "P-s", "color": "Black", "size": "S", "image": [{"@type": "ImageObject", "contentUrl": "a.jpg"}]},
        {"@type": "Product", "sku": "P-m", "name": "Parka M", "color": ["Black", "Navy"], "size": "M", "image": "b.jpg",
         "additionalProperty": [{"@type": "PropertyValue", "name": "Fill", "value": 600, "unitText": "cuin"}]},
    ],
}  # fmt: skip


@pytest.mark.parametrize("wrapped", [False, True])
def test_schema_org_products_and_their_variants(wrapped: bool) -> None:
    lamp = {"@type": "Product", "@id": "#lamp", "name": "Lamp", "category": {"@type": "Thing", "name": "Home > Light"}}
    whole = {"@context": "https://schema.org", "@graph": [GROUP, {"@type": "WebSite"}, lamp]} if wrapped else GROUP
    for data in (json.dumps(whole), json.dumps(whole, indent=1)):
        rows, problems = read(data.encode(), "shop.json")
        assert not problems
        assert [(r.id, r.title, r.family) for r in rows][:2] == [("P-s", "Parka", "G1"), ("P-m", "Parka M", "G1")]
        assert rows[1].attributes == {
            "color": ["Black", "Navy"], "size": ["M"], "brand": ["Northfold"], "Fill": ["600 cuin"],
        }  # fmt: skip
        assert [r.images for r in rows][:2] == [["a.jpg"], ["b.jpg"]]
        assert not wrapped or (rows[2].id, rows[2].category) == ("#lamp", "Home/Light")


def test_a_datasets_folder_and_a_zip_of_it(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    names = {"info": {"features": {"colour": {"names": ["black", "red"], "_type": "ClassLabel"}}}}
    schema = pa.schema(
        [("id", pa.string()), ("title", pa.string()), ("colour", pa.int64())],
        metadata={"huggingface": json.dumps(names)},
    )
    data = tmp_path / "set" / "data"
    data.mkdir(parents=True)
    (tmp_path / "set" / "README.md").write_text("---\nlicense: mit\n---\n")
    (tmp_path / "set" / "dataset_info.json").write_text("{}")
    for split, ids in (("test", ["3"]), ("train", ["1", "2"])):
        table = pa.table([ids, [f"Coat {i}" for i in ids], [1] * len(ids)], schema=schema)
        pq.write_table(table, data / f"{split}-00000-of-00001.parquet")
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for path in sorted((tmp_path / "set").rglob("*")):
            out.write(path, path.relative_to(tmp_path).as_posix())
    for place in (tmp_path / "set", archive):
        rows = [item for item in read_products(place) if isinstance(item, Row)]
        assert [(r.id, r.attributes["colour"], r.extra["split"]) for r in rows] == [
            ("1", ["red"], "train"), ("2", ["red"], "train"), ("3", ["red"], "test"),
        ]  # fmt: skip
    stream = tmp_path / "saved" / "data-00000-of-00001.arrow"
    stream.parent.mkdir()
    with pa.OSFile(str(stream), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
        writer.write_table(table)
    (stream.parent / "state.json").write_text("{}")
    assert [r.id for r in read_products(stream.parent) if isinstance(r, Row)] == ["1", "2"]
    (tmp_path / "empty").mkdir()
    zipfile.ZipFile(tmp_path / "nothing.zip", "w").close()
    for place, code in ((tmp_path / "empty", "no-rows"), (tmp_path / "nothing.zip", "zip")):
        with pytest.raises(FileRefused) as refused:
            read_products(place)
        assert refused.value.code == code


def test_lists_of_a_json_are_offered_and_one_is_picked() -> None:
    whole = {
        "meta": {"shops": [{"id": 1, "name": "A"}]},
        "data": {"products": [{"id": n, "title": f"T{n}"} for n in range(3)]},
    }
    seen = preview(io.BytesIO(json.dumps(whole).encode()), name="x.json")
    assert seen.choices == [("meta.shops", 1), ("data.products", 3)] and len(seen.rows) == 3
    mapping = seen.mapping.from_json({**seen.mapping.to_json(), "options": {"path": "meta.shops"}})
    picked = preview(io.BytesIO(json.dumps(whole).encode()), name="x.json", mapping=mapping)
    assert [row.id for row in picked.rows] == ["1"]


def test_how_many_rows_there_may_be() -> None:
    def about(rows: int, text: str) -> int:
        data = "id,title,text\n" + "".join(f'{n},Coat {n},"{text}"\n' for n in range(rows))
        with ProductReader(io.BytesIO(data.encode()), name="x.csv") as reader:
            return reader.about()

    assert about(7, "x") == 7
    assert abs(about(90_000, "short") - 90_000) < 4_500
    assert abs(about(5_000, "two\nlines") - 5_000) < 250


def test_our_own_datasets_folder_and_label_studio_tasks_come_back_in() -> None:
    pytest.importorskip("pyarrow")
    rows = [
        ExportRow("1", "Coat", "Warm wool.", "Wear", "en", "F1", {"colour": [ExportTag("black", "Black"), ExportTag("red", "Red|x")]}),
        ExportRow("2", "大衣", "", "", "zh-hans", "", {"fit": [ExportTag("slim", "Slim", source="policy")]}),
    ]  # fmt: skip
    out = io.BytesIO()
    assert WRITERS["huggingface"](iter(rows), out) == 2
    again = io.BytesIO()
    WRITERS["huggingface"](iter(rows), again)
    assert out.getvalue() == again.getvalue()
    with zipfile.ZipFile(out) as archive:
        card = archive.read("README.md").decode()
    assert "- en\n- zh\n" in card and "| colour | 1 | 2 |" in card
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(out.getvalue())
        file.flush()
        back = [item for item in read_products(file.name) if isinstance(item, Row)]
    assert [(r.id, r.title, r.description, r.category, r.family) for r in back] == [
        ("1", "Coat", "Warm wool.", "Wear", "F1"), ("2", "大衣", "", "", ""),
    ]  # fmt: skip
    assert back[0].raw["colour"] == ["Black", "Red|x"] and back[0].extra["split"] == "train"

    tasks = io.BytesIO()
    WRITERS["labelstudio"](iter(rows), tasks)
    found, problems = read(tasks.getvalue(), "tasks.json")
    assert not problems
    assert [(r.id, r.title, r.description, r.attributes) for r in found] == [
        ("1", "Coat", "Warm wool.", {"colour": ["Black", "Red|x"]}), ("2", "大衣", "", {}),
    ]  # fmt: skip
