"""Tag lists: a row per tag or facets with their tags, in whatever language their columns are named."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from annotations.formats.rows import FileRefused, Problem
from annotations.formats.tags import TagRow, read_tags


def tags(data: bytes, name: str = "tags.csv", **options: str) -> tuple[list[TagRow], list[Problem]]:
    items = list(read_tags(io.BytesIO(data), name=name, **options))
    return [i for i in items if isinstance(i, TagRow)], [i for i in items if isinstance(i, Problem)]


def test_a_row_per_tag() -> None:
    data = (
        "facet,tag,parent,label_de,label (zh-CN),synonyms,synonyms_de,categories,kind,variant axis,definition,note\n"
        'Colour,Navy,Blue,Marineblau,藏青,"dark blue|midnight",Nachtblau,Men/Tops|Women,single,yes,Deep blue,x\n'
        "Colour,Blue,,Blau,蓝色,,,,,,,\n"
    )
    rows, problems = tags(data.encode())
    assert not problems
    navy, blue = rows
    assert (navy.facet, navy.tag, navy.parent, navy.kind, navy.variant_axis) == (
        "Colour",
        "Navy",
        "Blue",
        "single",
        True,
    )
    assert navy.labels == {"en": "Navy", "de": "Marineblau", "zh-hans": "藏青"}
    assert navy.synonyms == {"en": ["dark blue", "midnight"], "de": ["Nachtblau"]}
    assert navy.categories == ["Men/Tops", "Women"] and navy.definitions == {"en": "Deep blue"}
    assert navy.extra == {"note": "x"}
    assert (blue.kind, blue.variant_axis, blue.categories, blue.synonyms) == ("", None, None, {})


def test_bad_rows_are_problems_with_their_line() -> None:
    rows, problems = tags(b"facet,tag,kind\nColour,Red,\n,Blue,\nColour,,\nColour,Green,sometimes\n")
    assert [r.tag for r in rows] == ["Red", "Green"]
    assert [(p.line, p.column, p.code, p.severity) for p in problems] == [
        (3, "facet", "missing-facet", "error"),
        (4, "tag", "missing-tag", "error"),
        (5, "kind", "unknown-kind", "warning"),
    ]


NESTED = {
    "version": 1,
    "categories": ["A/B", "C"],
    "facets": [
        {
            "slug": "material",
            "labels": {"en": "Material", "zh-hans": "材质"},
            "kind": "multi",
            "variant_axis": False,
            "categories": ["Fashion"],
            "definition": {"en": "What it is made of."},
            "tags": [
                {"slug": "cotton", "labels": {"en": "Cotton"}, "synonyms": {"en": ["jersey"], "zh-CN": ["纯棉"]}},
                {"slug": "organic-cotton", "labels": {"en": "Organic cotton"}, "parent": "cotton", "threshold": 0.7},
                "Wool",
                {"labels": {}},
            ],
        },
        {"slug": "size", "labels": {"en": "Size"}, "tags": []},
    ],
}


@pytest.mark.parametrize("kind", ["json", "jsonl", "yaml"])
def test_facets_with_their_tags_inside(kind: str) -> None:
    if kind == "json":
        data = json.dumps(NESTED, indent=1, ensure_ascii=False).encode()
    elif kind == "jsonl":
        data = "".join(json.dumps(f, ensure_ascii=False) + "\n" for f in NESTED["facets"]).encode()  # type: ignore[attr-defined]
    else:
        yaml = pytest.importorskip("yaml")
        data = yaml.safe_dump(NESTED, allow_unicode=True).encode()
    rows, problems = tags(data, f"t.{kind}")
    assert [(r.facet, r.tag, r.parent) for r in rows] == [
        ("material", "cotton", ""),
        ("material", "organic-cotton", "cotton"),
        ("material", "Wool", ""),
        ("size", "", ""),
    ]
    assert rows[0].synonyms == {"en": ["jersey"], "zh-hans": ["纯棉"]} and rows[1].threshold == 0.7
    assert rows[0].facet_labels == {"en": "Material", "zh-hans": "材质"} and rows[2].labels == {"en": "Wool"}
    assert (rows[0].kind, rows[0].variant_axis, rows[0].categories) == ("multi", False, ["Fashion"])
    assert rows[3].categories is None
    assert [p.code for p in problems] == ["missing-tag"]


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (b"", "t.csv", "empty"),
        (b"", "t.yaml", "empty"),
        (b"colour,shade\nred,dark\n", "t.csv", "no-tags"),
        (b"tag,label_de\nRed,Rot\n", "t.csv", "no-tags"),
        (b"a: [1, 2\n", "t.yaml", "unreadable"),
        (b"a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nfacets: [*b,*b,*b]\n", "t.yaml", "unreadable"),
        (b"!!python/object/apply:os.system ['true']\n", "t.yaml", "unreadable"),
        (b"facets: nothing\n", "t.yaml", "no-list"),
    ],
)
def test_lists_that_are_none_are_refused(data: bytes, name: str, code: str) -> None:
    with pytest.raises(FileRefused) as refused:
        read_tags(io.BytesIO(data), name=name)
    assert refused.value.code == code


@pytest.mark.shared
@pytest.mark.parametrize("file", ["raw_clothing_tags_zh_gb18030.csv", "raw_clothing_tags_zh_utf16.csv"])
def test_chinese_sheets_in_two_encodings_say_the_same(shared: Path, file: str) -> None:
    items = list(read_tags(shared / "shopify_taxonomy" / file))
    rows = [i for i in items if isinstance(i, TagRow)]
    assert len(rows) == len(items) == 779
    assert rows[0].labels == {"zh-hans": "重", "en": "Heavy"} and rows[0].facet == "吸水性等级"
    assert rows[0].extra == {"id": "3663"} and rows[0].facet_definitions


@pytest.mark.shared
def test_the_whole_taxonomy_is_read(shared: Path) -> None:
    rows = [i for i in read_tags(shared / "shopify_taxonomy/attributes.jsonl.gz") if isinstance(i, TagRow)]
    assert (len(rows), len({r.facet for r in rows})) == (20635, 1987)
    assert set(rows[0].labels) == {"en", "zh-hans", "zh-hant", "ja", "de", "fr", "es"}
