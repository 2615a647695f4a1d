"""What a patch for a shop would say of some products now, and how their shop names its columns."""

from __future__ import annotations

from collections.abc import Mapping

from annotations.formats.exporting import ExportRow, ExportTag
from annotations.formats.headers import normal
from annotations.formats.patches import Metafield, ShopLayout, google_cells, shopify_metafield, shopify_tags
from annotations.formats.shapes import METAFIELD
from annotations.models import Catalogue, ImportBatch, ProductTag
from annotations.models.taxonomy import in_language
from annotations.queries.taxonomy import Names

LOOKED_AT = 20


def shop_layout(catalogue: Catalogue) -> ShopLayout:
    """The columns of the shop's own last export that was taken in, with the metafields that a facet fills."""
    taken = ImportBatch.objects.filter(catalogue=catalogue, dry_run=False, mapping__shape="shopify")
    for mapping in taken.exclude(finished_at=None).order_by("-id").values_list("mapping", flat=True)[:LOOKED_AT]:
        headers = {normal(column["header"]): column["header"] for column in mapping["columns"]}
        if "tags" not in headers:
            continue
        names = Names.of(catalogue)
        fields = []
        for column in mapping["columns"]:
            found = METAFIELD.search(column["header"])
            facet = names.facet(found[2]) or names.facet(column["facet"]) if found else None
            if found and facet is not None:
                fields.append(Metafield(column["header"], column["facet"] or found[2], facet.slug))
        handle = headers.get("handle") or headers.get("url handle") or "Handle"
        return ShopLayout(handle, headers.get("title", "Title"), headers["tags"], tuple(fields))
    return ShopLayout()


def patches_now(
    catalogue: Catalogue, shape: str, stored: Mapping[int, Mapping[str, list[str]]]
) -> dict[int, dict[str, list[str]]]:
    """Product (primary key, with its attributes as they came) to attribute to the values that a patch would give it.

    ``shape``: shopify or google. Only what approved tags stand behind; two or three queries.
    """
    approved: dict[int, dict[str, list[ExportTag]]] = {}
    standing = ProductTag.objects.filter(product__in=stored, state=ProductTag.State.APPROVED)
    for one in standing.select_related("tag__facet").order_by("tag__facet__slug", "tag__slug"):
        label = in_language(one.tag.labels, one.tag.slug, catalogue.language)
        tags = approved.setdefault(one.product_id, {}).setdefault(one.tag.facet.slug, [])
        tags.append(ExportTag(one.tag.slug, label))
    layout = shop_layout(catalogue) if shape == "shopify" and approved else ShopLayout()
    found: dict[int, dict[str, list[str]]] = {}
    for pk, tags_by_facet in approved.items():
        row = ExportRow("", tags=tags_by_facet, source=stored[pk])
        if shape == "google":
            found[pk] = google_cells(row)
        else:
            name = next((key for key in stored[pk] if normal(key) == "tags"), layout.tags)
            found[pk] = {name: shopify_tags(row)}
            found[pk] |= {field.key: shopify_metafield(row, field) for field in layout.metafields}
    return found
