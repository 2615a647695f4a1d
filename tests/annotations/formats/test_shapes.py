"""Exports of shops: Shopify in both generations of headers, Magento, and what makes them known."""

from __future__ import annotations

import pytest

from annotations.formats.mapping import find_separator, propose
from annotations.formats.shapes import magento_category, shape_of

from .helpers import read

OLD = (
    "Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,"
    "Option2 Value,Variant SKU,Variant Price,Image Src,Image Position,Variant Image,"
    "Farbmuster (product.metafields.shopify.color-pattern)\n"
    'tee,Tee,<p>Soft</p>,Acme,"Apparel & Accessories > Clothing",Shirts,"summer, cotton",true,Size,S,Color,Red,T-S-R,9.90,'
    "https://cdn.example/1.jpg,1,,red; blue\n"
    "tee,,,,,,,,,M,,Red,T-M-R,9.90,https://cdn.example/2.jpg,2,https://cdn.example/red.jpg,\n"
    "tee,,,,,,,,,,,,,,https://cdn.example/3.jpg,3,,\n"
    "mug,Mug,,Acme,Home,,,true,Title,Default Title,,,MUG,5,,,,\n"
)
NEW = (
    "Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Option1 name,Option1 value,"
    "Option2 name,Option2 value,SKU,Price,Product image URL,Image position,Variant image URL,"
    "Color pattern (product.metafields.shopify.color-pattern)\n"
    'Tee,tee,<p>Soft</p>,Acme,"Apparel & Accessories > Clothing",Shirts,"summer, cotton",TRUE,Size,S,Color,Red,T-S-R,9.90,'
    "https://cdn.example/1.jpg,1,,red; blue\n"
    ",tee,,,,,,,,M,,Red,T-M-R,9.90,https://cdn.example/2.jpg,2,https://cdn.example/red.jpg,\n"
    ",tee,,,,,,,,,,,,,https://cdn.example/3.jpg,3,,\n"
    "Mug,mug,,Acme,Home,,,TRUE,Title,Default Title,,,MUG,5,,,,\n"
)


@pytest.mark.parametrize("data", [OLD, NEW])
def test_shopify_rows_of_one_handle_are_one_product(data: str) -> None:
    rows, problems = read(data.encode(), "products_export.csv")
    assert not problems and [(r.id, r.line) for r in rows] == [("tee", 2), ("mug", 5)]
    tee, mug = rows
    assert (tee.title, tee.description, tee.category) == ("Tee", "Soft", "Apparel & Accessories/Clothing")
    assert tee.attributes == {
        "Vendor": ["Acme"], "Type": ["Shirts"], "Tags": ["summer", "cotton"], "color-pattern": ["red", "blue"],
        "Size": ["S", "M"], "Color": ["Red"],
    }  # fmt: skip
    assert tee.images == [f"https://cdn.example/{n}.jpg" for n in ("1", "2", "red", "3")]
    assert mug.attributes == {"Vendor": ["Acme"]} and "\0" not in "".join([*tee.raw, *tee.extra])


def test_magento_attributes_and_families() -> None:
    data = (
        "sku,name,categories,visibility,additional_attributes,configurable_variations,base_image,additional_images\n"
        'A-S,Shirt-S,"Default Category/Men/Tops,Default Category",Not Visible Individually,'
        '"has_options=0,size=S,climate=Cool|Indoor|Warm, dry",,/a/s.jpg,"/a/1.jpg,/a/2.jpg"\n'
        'A,Shirt,"Default Category/Men/Tops,Default Category","Catalog, Search",material=Wool,'
        '"sku=A-S,size=S|sku=A-M,size=M",,\n'
        'B,Bag,Default Category/Gear,"Catalog, Search",,,,\n'
    )
    rows, problems = read(data.encode(), "m.csv")
    assert not problems
    assert [(r.id, r.family, r.category) for r in rows] == [
        ("A-S", "A", "Men/Tops"),
        ("A", "A", "Men/Tops"),
        ("B", "", "Gear"),
    ]
    assert rows[0].attributes == {"size": ["S"], "climate": ["Cool", "Indoor", "Warm, dry"]}
    assert rows[0].images == ["/a/s.jpg", "/a/1.jpg", "/a/2.jpg"]
    assert magento_category("Default Category") == ""


def test_what_makes_an_export_known() -> None:
    assert shape_of(OLD.partition("\n")[0].split(",")) == shape_of(NEW.partition("\n")[0].split(",")) == "shopify"
    assert shape_of(["SKU", "Additional_Attributes"]) == "magento"
    assert shape_of(["id", "title", "image link", "availability"]) == "google"
    assert shape_of(["id", "title", "handle", "color"]) == ""


def test_unknown_columns_with_few_short_values_are_proposed_as_facets() -> None:
    rows = [
        {
            "id": str(n),
            "title": f"t{n}",
            "weave": ["twill", "plain"][n % 2],
            "price": "5",
            "serial": f"x{n}",
            "stock": "yes",
        }
        for n in range(40)
    ]
    columns = {c.header: c for c in propose(list(rows[0]), rows).columns}
    assert (columns["weave"].target, columns["weave"].reason) == ("attribute", "contents")
    assert columns["weave"].confidence < columns["id"].confidence == 1.0
    assert [columns[h].target for h in ("price", "serial", "stock")] == ["", "", ""]


@pytest.mark.parametrize(
    ("texts", "sign"),
    [
        (["S|M", "L"], "|"),
        (["Wool / Nylon", "Nylon / Wool", "Wool"], "/"),
        (["红色、蓝色", "蓝色", "红色"], "、"),
        (["red, blue", "blue", "red"], ","),
        (["Salt, coarse", "Pepper, black"], ""),
        (["1/2 inch", "1/4 inch", "1"], ""),
        ([], ""),
    ],
)
def test_separators_are_those_whose_parts_recur(texts: list[str], sign: str) -> None:
    assert find_separator(texts) == sign
