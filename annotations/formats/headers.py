"""Column names that are known without asking: ours, English, German, Chinese, and those of common exports."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

TARGETS = (
    "id", "title", "description", "category", "language", "family",
    "attribute", "attributes", "spans", "absent", "images", "", "ignore",
)  # fmt: skip
"""What a column can be mapped to. ``attribute``: one facet's values; ``attributes``: many facets in one cell;
empty: kept with the product and mapped to nothing; ``ignore``: left out."""

# Names in order of preference: where a file has several, the first named here wins.
_NAMES: dict[str, str] = {
    "id": (
        "external id|id|product id|productid|item id|sku|variant sku|item number|item no|article number|article no|"
        "article id|product number|product code|part number|model number|asin|style number|"
        "artikel nr|artikelnr|artikelnummer|artikel nummer|art nr|produktnummer|produkt id|bestellnummer|"
        "商品编号|商品id|产品编号|产品id|货号|商品货号|商品编码|产品编码|编号|款号|sku编码|sku编号|物料编码|"
        "url handle|handle|ean|gtin|barcode|条码|商品条码"
    ),
    "title": (
        "title|name|product name|product title|item name|item title|produktname|bezeichnung|artikelbezeichnung|"
        "produktbezeichnung|titel|artikelname|标题|商品名称|商品标题|产品名称|产品标题|名称|品名|商品名"
    ),
    "description": (
        "description|body (html)|body html|body|long description|product description|beschreibung|"
        "produktbeschreibung|langtext|langbeschreibung|描述|商品描述|产品描述|简介|商品简介|卖点|商品卖点|副标题|"
        "详情|商品详情|产品详情|详细描述|short description|kurzbeschreibung|kurztext|summary|bullet points|features"
    ),
    "category": (
        "category|product category|category path|google product category|product type|type|categories|warengruppe|"
        "kategorie|kategorien|produktkategorie|produktgruppe|类目|分类|商品分类|商品类目|产品分类|类别|品类|所属分类"
    ),
    "language": "language|lang|locale|sprache|语言|语种",
    "family": (
        "family|group|item group id|group id|parent sku|parent id|parent|product group|variant group|master sku|spu|"
        "spu编码|spu id|style id|artikelfamilie|hauptartikel|父sku|款式|系列编号"
    ),
    "images": (
        "images|image|image url|image urls|image link|additional image link|image src|image path|main image|picture|"
        "pictures|photo|photos|product image url|base image|additional images|bild|bilder|bild url|foto|produktbild|"
        "图片|主图|商品图片|商品主图|图片地址|图片链接|图片url|主图链接"
    ),
    "attributes": (
        "attributes|additional attributes|product attributes|properties|specifications|specs|product detail|merkmale|"
        "eigenschaften|attribute|参数|属性|商品参数|商品属性|产品参数|产品属性|规格参数|规格"
    ),
    "spans": "spans|evidence spans",
    "absent": "absent|absent facets",
    "attribute": (
        "color|colour|colors|colours|farbe|farben|颜色|颜色分类|material|materials|materialien|材质|材料|面料|成分|"
        "size|sizes|größe|groesse|grösse|尺寸|尺码|大小|brand|marke|品牌|manufacturer|hersteller|vendor|制造商|厂商|"
        "gender|geschlecht|性别|适用性别|age group|altersgruppe|适用年龄|适用人群|人群|audience|zielgruppe|"
        "pattern|muster|图案|花纹|style|stil|风格|season|saison|季节|适用季节|occasion|anlass|场合|适用场景|场景|"
        "function|funktion|功能|tags|tag|schlagworte|标签|keywords|关键词|flavour|flavor|geschmack|口味|"
        "scent|duft|香型|origin|country of origin|country of manufacture|herkunft|herkunftsland|产地|fit|passform|版型|"
        "neckline|ausschnitt|领型|sleeve length|ärmellänge|袖长|shape|form|形状|finish|oberfläche|工艺|theme|thema|主题|"
        "features list|product highlight|size type|size system|condition|zustand|room|raum|适用空间"
    ),
}  # fmt: skip

NOT_FACETS = re.compile(
    r"price|preis|价|cost|kosten|date|datum|日期|时间|time|url|link|http|qty|quantity|menge|stock|bestand|库存|数量|"
    r"weight|gewicht|重量|status|state|visib|tax|steuer|enabled|online|policy|shipping|versand|availab|lager|"
    r"created|updated|_at$|_id$|\bid\b|sku|ean|gtin|barcode|discount|rating|bewertung|评分|sort|position|"
    r"website|store|layout|config|seo|meta|unit|einheit|单位|currency|währung|split|version|flag|deleted|warranty",
    re.IGNORECASE,
)
"""Columns that hold few values but are bookkeeping and not facets."""


def normal(header: str) -> str:
    """The header as it is looked up: folded, without marks of order, case, separators or a required-star."""
    text = unicodedata.normalize("NFKC", header).casefold().strip()
    text = re.sub(r"[\s_\-./:：]+", " ", text.strip("*:：# \t\ufeff"))
    return text.strip()


KNOWN: dict[str, tuple[str, int]] = {}
"""Normal header to ``(target, rank)``; rank 0 is the most preferred name of its target."""
for _target, _names in _NAMES.items():
    for _rank, _name in enumerate(_names.split("|")):
        KNOWN.setdefault(normal(_name), (_target, _rank))

OWN: dict[str, str] = {
    **{t: t for t in ("id", "title", "description", "category", "language", "family", "attributes", "spans", "absent")},
    "group": "family",
    "image": "images",
    "images": "images",
}
"""Keys of our own JSONL shape, to their targets: valid in every JSON row, also where the sample did not show them."""


def is_known(header: str) -> bool:
    return normal(header) in KNOWN


def known_target(header: str) -> tuple[str, int] | None:
    """``(target, rank)`` of a header, or None. A unit or a language in brackets does not hide the name."""
    name = normal(header)
    if found := KNOWN.get(name):
        return found
    bare = re.sub(r"\s*[(\[（【].*?[)\]）】]\s*", " ", name).strip()
    return KNOWN.get(bare) if bare != name else None


def unique(headers: Iterable[str]) -> list[str]:
    """Headers as keys: trimmed, empty ones named by their place, repeated ones numbered."""
    seen: set[str] = set()
    result: list[str] = []
    for place, header in enumerate(headers, start=1):
        name = header.strip().lstrip("\ufeff") or f"column {place}"
        base, n = name, 1
        while name in seen:
            n += 1
            name = f"{base} ({n})"
        seen.add(name)
        result.append(name)
    return result
