"""A shop's export in, tags approved, the patch out, and the patch in again: nothing changes, and nothing was lost.

The sample rows are ours, written after the shops' public descriptions of their files.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from annotations.actions import partial_rows
from annotations.actions.exports import export_file
from annotations.actions.imports import import_products
from annotations.models import Catalogue, Facet, ImportBatch, Product, QueueItem, Tag
from tests.annotations.conftest import World

FIRST = (
    "Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,"
    "Option2 Value,Variant SKU,Variant Grams,Variant Price,Image Src,Image Position,Variant Image,"
    "Farbmuster (product.metafields.shopify.color-pattern),Material (product.metafields.custom.material)\n"
    'parka,Winter parka,"<p>Warm &amp; dry</p>",Northfold,"Apparel & Accessories > Clothing > Outerwear",Parka,'
    '"winter, sale",true,Size,S,Color,Black,PK-S,900,199.00,https://cdn.example/p1.jpg,1,,black; red,wool\n'
    "parka,,,,,,,,,M,,Black,PK-M,950,199.00,https://cdn.example/p2.jpg,2,https://cdn.example/pm.jpg,,\n"
    "parka,,,,,,,,,,,,,,,https://cdn.example/p3.jpg,3,,,\n"
    "mug,Mug,,Northfold,Home & Garden,Mug,,true,Title,Default Title,,,MUG,300,9.00,,,,,\n"
    '=tee,"Tee, white",Soft cotton,Northfold,Apparel,Tee,cotton,true,Size,L,,,T-L,200,19.00,,,,,cotton\n'
)
SECOND = (
    "Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Status,SKU,Barcode,"
    "Option1 name,Option1 value,Option2 name,Option2 value,Price,Product image URL,Image position,Variant image URL,"
    "颜色 (product.metafields.shopify.color-pattern),材质 (product.metafields.custom.material)\n"
    'Winter parka,parka,"<p>Warm &amp; dry</p>",Northfold,"Apparel & Accessories > Clothing > Outerwear",Parka,'
    '"winter, sale",TRUE,Active,PK-S,,Size,S,Color,Black,199.00,https://cdn.example/p1.jpg,1,,black; red,wool\n'
    ",parka,,,,,,,,PK-M,,,M,,Black,199.00,https://cdn.example/p2.jpg,2,https://cdn.example/pm.jpg,,\n"
    ",parka,,,,,,,,,,,,,,,https://cdn.example/p3.jpg,3,,,\n"
    "Mug,mug,,Northfold,Home & Garden,Mug,,TRUE,Active,MUG,,Title,Default Title,,,9.00,,,,,\n"
    '"Tee, white",=tee,Soft cotton,Northfold,Apparel,Tee,cotton,TRUE,Active,T-L,,Size,L,,,19.00,,,,,cotton\n'
)
FEED = (
    "id\ttitle\tdescription\tlink\timage_link\tadditional_image_link\titem_group_id\tbrand\tavailability\tprice\t"
    "google_product_category\tproduct_type\tcolor\tgender\tage_group\tmaterial\tsize\tproduct_detail\tcustom_label_0\n"
    "P-s\tParka S\tWarm\thttps://x.example/p\thttps://x.example/1.jpg\thttps://x.example/2.jpg,https://x.example/3.jpg\t"
    "parka\tNorthfold\tin_stock\t199 EUR\t166\tWear > Outer\tblue\t\tadult\twool/down\tS\tGeneral:Fill:600 cuin\tq4\n"
    "P-m\tParka M\tWarm\thttps://x.example/p\thttps://x.example/1.jpg\t\tparka\tNorthfold\tin_stock\t199 EUR\t166\t"
    "Wear > Outer\tblack\tunisex\t\t\tM\t\t\n"
    "mug\tMug\t\thttps://x.example/m\t\t\t\tNorthfold\tin_stock\t9 EUR\t\tHome\twhite\t\t\t\t\t\t\n"
)
ITEMS = """<g:id>P-s</g:id><title>Parka S</title><description>Warm</description><link>https://x.example/p</link>
<g:image_link>https://x.example/1.jpg</g:image_link><g:additional_image_link>https://x.example/2.jpg</g:additional_image_link>
<g:additional_image_link>https://x.example/3.jpg</g:additional_image_link><g:item_group_id>parka</g:item_group_id>
<g:brand>Northfold</g:brand><g:availability>in_stock</g:availability><g:price>199 EUR</g:price>
<g:google_product_category>166</g:google_product_category><g:product_type>Wear &gt; Outer</g:product_type><g:color>blue</g:color><g:age_group>adult</g:age_group>
<g:material>wool/down</g:material><g:size>S</g:size><g:custom_label_0>q4</g:custom_label_0>
<g:product_detail><g:section_name>General</g:section_name><g:attribute_name>Fill</g:attribute_name><g:attribute_value>600 cuin</g:attribute_value></g:product_detail>
|<g:id>P-m</g:id><title>Parka M</title><description>Warm</description><link>https://x.example/p</link>
<g:image_link>https://x.example/1.jpg</g:image_link><g:item_group_id>parka</g:item_group_id><g:brand>Northfold</g:brand>
<g:availability>in_stock</g:availability><g:price>199 EUR</g:price><g:google_product_category>166</g:google_product_category>
<g:product_type>Wear &gt; Outer</g:product_type><g:color>black</g:color><g:gender>unisex</g:gender><g:size>M</g:size>
|<g:id>mug</g:id><title>Mug</title><link>https://x.example/m</link><g:brand>Northfold</g:brand>
<g:availability>in_stock</g:availability><g:price>9 EUR</g:price><g:product_type>Home</g:product_type><g:color>white</g:color>"""
RSS = (
    '<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>Shop</title>'
    "<link>https://x.example</link>" + "".join(f"<item>{i}</item>" for i in ITEMS.split("|")) + "</channel></rss>"
)
ATOM = (
    '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">'
    "<title>Shop</title>" + "".join(f"<entry>{i}</entry>" for i in ITEMS.split("|")) + "</feed>"
)
FIELDS = (
    "external_id", "title", "description", "category", "language", "family", "attributes", "extra", "pictures", "revision",
)  # fmt: skip


def shop_facets(world: World) -> None:
    """Facets that a metafield and Google's columns speak of, beside those of the small world."""
    Facet.objects.filter(pk=world.facets["colour"].pk).update(kind="multi")
    world.facets["colour"].refresh_from_db()
    for slug, tags in {"color-pattern": ("striped",), "gender": ("men", "women"), "age-group": ("kids",)}.items():
        facet = Facet.objects.create(catalogue=world.catalogue, slug=slug, labels={"en": slug}, position=9)
        world.facets[slug] = facet
        for tag in tags:
            world.tags[tag] = Tag.objects.create(facet=facet, slug=tag, labels={"en": tag.title()})


def take(world: World, path: Path, text: str | bytes, **more: Any) -> ImportBatch:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return import_products(catalogue=world.catalogue, path=path, user=world.people["lead"], **more)


def counts(batch: ImportBatch) -> tuple[int, int, int, int]:
    return batch.created, batch.updated, batch.unchanged, batch.problem_count


def stored(catalogue: Catalogue) -> list[dict[str, Any]]:
    return list(Product.objects.filter(catalogue=catalogue).order_by("pk").values(*FIELDS))


def approve(world: World, external_id: str, **verdicts: str) -> None:
    product = Product.objects.get(catalogue=world.catalogue, external_id=external_id)
    product.catalogue = world.catalogue
    QueueItem.objects.filter(product=product).update(status=QueueItem.Status.QUEUED)
    world.decide(product, **verdicts)


@pytest.mark.parametrize(("whole", "handle"), [(FIRST, "Handle"), (SECOND, "URL handle")])
def test_a_shopify_export_of_either_generation(world: World, tmp_path: Path, whole: str, handle: str) -> None:
    Product.objects.all().delete()
    shop_facets(world)
    first = take(world, tmp_path / "products_export.csv", whole)
    assert counts(first) == (3, 0, 0, 0)
    parka = Product.objects.get(external_id="parka")
    assert parka.attributes["Size"] == ["S", "M"] and parka.attributes["material"] == ["wool"]
    assert parka.description == "Warm & dry" and parka.category == "Apparel & Accessories/Clothing/Outerwear"
    approve(world, "parka", black="accept", wool="accept", leather="accept", striped="accept", red="reject")
    approve(world, "=tee", cotton="accept", white="accept")
    before = stored(world.catalogue)

    patch = tmp_path / "patch.csv"
    export_file(catalogue=world.catalogue, format="shopify", out=patch)
    text = patch.read_text()
    lines = {row[handle]: row for row in csv.DictReader(io.StringIO(text, newline=""))}
    meta = [c["header"] for c in first.mapping["columns"] if "metafields" in c["header"]]
    assert list(lines["parka"]) == [handle, "Title", "Tags", *meta]
    assert lines["parka"]["Tags"] == "winter, sale, Striped, Black, Leather, Wool"
    assert [lines["parka"][m] for m in meta] == ["Striped", "Leather; Wool"]
    # nothing is decided about the tee's colour pattern: the cell says what the shop had, which erases nothing
    assert [lines["=tee"][m] for m in meta] == ["", "Cotton"] and lines["=tee"]["Tags"] == "cotton, White"
    assert "mug" not in lines

    again = take(world, tmp_path / "patch-again.csv", patch.read_bytes(), dry_run=True)
    assert again.mapping["shape"] == "shopify" and counts(again) == (0, 0, 2, 0)
    assert counts(take(world, tmp_path / "patch-again.csv", patch.read_bytes())) == (0, 0, 2, 0)
    assert stored(world.catalogue) == before
    assert counts(take(world, tmp_path / "products_export.csv", whole)) == (0, 0, 3, 0)
    assert counts(take(world, tmp_path / "patch-again.csv", patch.read_bytes())) == (0, 0, 2, 0)

    # the shop drops one of its tags and adds one: that is news, and our own words beside it are not
    news = text.replace("winter, sale, Striped", "winter, outlet, Striped")
    assert counts(take(world, tmp_path / "news.csv", news)) == (0, 1, 1, 0)
    parka.refresh_from_db()
    assert parka.attributes["Tags"] == ["winter", "outlet"] and parka.attributes["Size"] == ["S", "M"]
    assert (parka.description, parka.extra["Published" if handle == "Handle" else "Status"]) == (
        "Warm & dry", "true" if handle == "Handle" else "Active",
    )  # fmt: skip


def test_without_knowing_our_own_words_the_patch_would_change_the_source(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what the round trip would find if the import took our approved tags for the source's claims."""
    Product.objects.all().delete()
    shop_facets(world)
    take(world, tmp_path / "products_export.csv", FIRST)
    approve(world, "parka", black="accept")
    patch = tmp_path / "patch.csv"
    export_file(catalogue=world.catalogue, format="shopify", out=patch)
    monkeypatch.setattr(partial_rows, "patches_now", lambda *a, **k: {})
    assert counts(take(world, tmp_path / "again.csv", patch.read_bytes())) == (0, 1, 0, 0)
    assert Product.objects.get(external_id="parka").attributes["Tags"] == ["winter", "sale", "Black"]


def test_a_column_left_out_keeps_and_an_empty_cell_erases(world: World, tmp_path: Path) -> None:
    Product.objects.all().delete()
    take(world, tmp_path / "a.csv", "sku,name,text,colour,price\n1,Coat,Warm,red,10\n2,Cape,Long,blue,20\n")
    batch = take(world, tmp_path / "b.csv", "sku,colour,price\n1,,12\n2,blue,20\n")
    assert counts(batch) == (0, 1, 1, 0)
    one = Product.objects.get(external_id="1")
    assert (one.title, one.attributes, one.extra["price"]) == ("Coat", {}, "12")
    assert counts(take(world, tmp_path / "c.csv", "sku,name\n1,\n2,Cape\n")) == (0, 1, 1, 1)  # and a word of warning
    one.refresh_from_db()
    assert (one.title, one.extra["price"], one.set_aside) == ("", "12", "")
    # a row of JSON is whole: what it does not name is empty
    take(world, tmp_path / "d.jsonl", '{"id": "2", "title": "Cape"}\n')
    assert Product.objects.get(external_id="2").attributes == {}


@pytest.mark.parametrize(("name", "whole"), [("feed.tsv", FEED), ("feed.xml", RSS), ("atom.xml", ATOM)])
def test_a_google_feed_and_its_supplement(world: World, tmp_path: Path, name: str, whole: str) -> None:
    Product.objects.all().delete()
    shop_facets(world)
    assert counts(take(world, tmp_path / name, whole)) == (3, 0, 0, 0)
    small = Product.objects.get(external_id="P-s")
    assert (small.family, small.category) == ("parka", "Wear/Outer")
    assert small.attributes == {
        "brand": ["Northfold"], "color": ["blue"], "age_group": ["adult"], "material": ["wool", "down"], "size": ["S"],
        "Fill": ["600 cuin"], "custom_label_0": ["q4"],
    }  # fmt: skip
    approve(world, "P-s", black="accept", red="accept", women="accept", kids="accept")
    approve(world, "mug", white="accept")
    before = stored(world.catalogue)
    patch = tmp_path / "supplemental.tsv"
    export_file(catalogue=world.catalogue, format="google", out=patch)
    lines = patch.read_text().splitlines()
    assert lines == [
        "id\tcolor\tgender\tage_group\tmaterial\tpattern\tsize",
        "P-s\tBlack/Red\tfemale\tkids\t\t\t",
        "mug\tWhite\t\t\t\t\t",
    ]
    assert counts(take(world, tmp_path / "again.tsv", patch.read_bytes())) == (0, 0, 2, 0)
    assert stored(world.catalogue) == before
    assert counts(take(world, tmp_path / name, whole)) == (0, 0, 3, 0)
    # somebody else's supplement is news, and makes no product of an id that the feed has not
    news = take(world, tmp_path / "news.tsv", "id\tcolor\tsize\nP-s\tgreen\t\nnobody\tred\tS\n")
    assert counts(news) == (0, 1, 0, 1)
    small.refresh_from_db()
    assert (small.attributes["color"], small.attributes["size"]) == (["green"], ["S"])
    assert news.problems.get().code == "unknown-product"  # type: ignore[attr-defined]
