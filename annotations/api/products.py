"""Products: read, pushed in bulk, mended one by one."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.actions.errors import Refused
from annotations.actions.imports import PUSHED_AT_ONCE, upsert_products
from annotations.api.auth import IMPORT, LOOK
from annotations.api.base import CatalogueDoor, PageQuery, Strict, page, page_of
from annotations.api.schema import PROBLEMS, problems
from annotations.models import Draft, Product
from annotations.queries import products as questions
from annotations.queries.cards import card_of
from annotations.queries.drafts import approved
from annotations.queries.products import ARCHIVED, STATUSES, Filters, NoSuchName, matching, product_of

EDITABLE = ("title", "description", "category", "language", "family", "attributes")


class ProductsQuery(PageQuery):
    search = serializers.CharField(default="", max_length=500, help_text="part of a title or of an id, case ignored")
    status = serializers.ChoiceField(choices=[name for name, _label in STATUSES], default="")
    category = serializers.CharField(default="", max_length=500, help_text="a path: products in or below it")
    missing = serializers.CharField(default="", max_length=100, help_text="a facet of which nothing is approved")
    tag = serializers.CharField(default="", max_length=201, help_text="``facet:tag``: it is approved")
    supplier = serializers.CharField(default="", max_length=200, help_text="the brand or vendor, exactly")
    language = serializers.CharField(default="", max_length=16, help_text="``zh`` finds ``zh-hans`` too")
    problem = serializers.ChoiceField(choices=[name for name, _label in questions.PROBLEMS], default="")
    family = serializers.CharField(default="", max_length=200)
    archived = serializers.BooleanField(default=False, help_text="the archived ones, as ``status=archived``")


class ProductSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    id = serializers.CharField(source="external_id")

    class Meta:
        model = Product
        fields = (
            "id", "title", "description", "category", "language", "family", "attributes", "extra", "pictures",
            "revision", "archived_at", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class StandingSerializer(serializers.Serializer):  # type: ignore[type-arg]
    facet = serializers.CharField()
    complete = serializers.BooleanField(help_text="looked at as a whole")
    approved = serializers.ListField(child=serializers.CharField())
    rejected = serializers.ListField(child=serializers.CharField())


class WrittenSerializer(serializers.Serializer):  # type: ignore[type-arg]
    kind = serializers.ChoiceField(choices=Draft.Kind.values)
    language = serializers.CharField()
    text = serializers.CharField()
    approved_by = serializers.CharField()
    approved_at = serializers.DateTimeField()


class ProductWithTagsSerializer(ProductSerializer):
    status = serializers.CharField()
    version = serializers.IntegerField()
    facets = StandingSerializer(many=True)
    written = WrittenSerializer(many=True, help_text="texts that a model drafted and a person approved")

    class Meta(ProductSerializer.Meta):
        fields = (*ProductSerializer.Meta.fields, "status", "version", "facets", "written")  # type: ignore[assignment]


class ProductChange(Strict):
    title = serializers.CharField(required=False, allow_blank=True, max_length=100_000)
    description = serializers.CharField(required=False, allow_blank=True, max_length=1_000_000)
    category = serializers.CharField(required=False, allow_blank=True, max_length=500)
    language = serializers.CharField(required=False, allow_blank=True, max_length=16)
    family = serializers.CharField(required=False, allow_blank=True, max_length=200)
    attributes = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(max_length=10_000)), required=False
    )


class BulkQuery(Strict):
    attributes = serializers.ChoiceField(
        choices=["source", "suggestions", "approved"], default="source",
        help_text="what the rows' attributes are: facts beside the product, suggestions, or approved tags",
    )  # fmt: skip


class RowProblemSerializer(serializers.Serializer):  # type: ignore[type-arg]
    code = serializers.CharField()
    message = serializers.CharField()
    column = serializers.CharField()
    value = serializers.CharField()
    severity = serializers.ChoiceField(choices=["error", "warning"])


class RowAnswerSerializer(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.CharField()
    status = serializers.ChoiceField(choices=["created", "updated", "unchanged", "refused"])
    problems = RowProblemSerializer(many=True)


class PushedProduct(serializers.Serializer):  # type: ignore[type-arg]
    """Our JSONL shape; a name that is not here is kept with the product as an extra column."""

    id = serializers.CharField(max_length=200)
    title = serializers.CharField(required=False)
    description = serializers.CharField(required=False)
    category = serializers.CharField(required=False)
    language = serializers.CharField(required=False)
    family = serializers.CharField(required=False)
    attributes = serializers.DictField(child=serializers.ListField(child=serializers.CharField()), required=False)


class Products(CatalogueDoor):
    needs = {"GET": LOOK}
    queries = {"GET": ProductsQuery}

    @extend_schema(
        tags=["products"], parameters=[ProductsQuery], responses={200: page_of(ProductSerializer), **PROBLEMS},
        summary="Products, by id",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        filters = Filters.of(self.query)
        if self.query["archived"]:
            filters = replace(filters, status=ARCHIVED)
        try:
            found = matching(self.catalogue, filters)
        except NoSuchName as error:
            raise serializers.ValidationError({error.name: [str(error)]}) from None
        return Response(page(found, self.query, lambda row: ProductSerializer(row).data, key="external_id"))


class Bulk(CatalogueDoor):
    needs = {"POST": IMPORT}
    queries = {"POST": BulkQuery}

    @extend_schema(
        tags=["products"], parameters=[BulkQuery], request=PushedProduct(many=True),
        responses={200: RowAnswerSerializer(many=True), **problems(413, 422)}, summary="Create and update products",
        description=f"At most {PUSHED_AT_ONCE} at once. Each row is answered for itself, in the order given: one that "
        "cannot be taken does not stop the others. Pushing the same rows again changes nothing.",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        rows = request.data
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise serializers.ValidationError({"": [_("a list of products is expected")]})
        answers = upsert_products(
            catalogue=self.catalogue, rows=rows, user=self.user, attributes_as=self.query["attributes"]
        )
        return Response([asdict(answer) for answer in answers])


class OneProduct(CatalogueDoor):
    needs = {"GET": LOOK, "PATCH": IMPORT}

    def product(self, external_id: str) -> Product:
        found = product_of(self.catalogue, external_id)
        if found is None:
            raise Http404
        return found

    @extend_schema(
        tags=["products"], responses={200: ProductWithTagsSerializer, **PROBLEMS},
        summary="One product, and what stands of it",
    )  # fmt: skip
    def get(self, request: Request, slug: str, external_id: str) -> Response:
        return Response(product_body(self.product(external_id)))

    @extend_schema(
        tags=["products"], request=ProductChange, responses={200: ProductWithTagsSerializer, **problems(422)},
        summary="Change some of its fields", description="The same rules as for a row of a file; what is not named stays.",
    )  # fmt: skip
    def patch(self, request: Request, slug: str, external_id: str) -> Response:
        product = self.product(external_id)
        row = {
            **product.extra, "id": external_id, **{name: getattr(product, name) for name in EDITABLE},
            **self.body(ProductChange),
        }  # fmt: skip
        answer = upsert_products(catalogue=self.catalogue, rows=[row], user=self.user)[0]
        if answer.status == "refused":
            raise Refused(_("this cannot be taken as it is"), "row_refused", problems=answer.problems)
        return Response(product_body(self.product(external_id)))


def product_body(product: Product) -> dict[str, Any]:
    card = card_of(product)
    return {
        **ProductSerializer(product).data,
        "status": card.item.status,
        "version": card.version,
        "facets": [
            {
                "facet": row.facet.slug, "complete": row.complete,
                "approved": [chip.tag.slug for chip in row.chips if chip.standing == "approved"],
                "rejected": [chip.tag.slug for chip in row.chips if chip.standing == "rejected"],
            }
            for row in card.facets
        ],
        "written": [
            {
                "kind": d.kind, "language": d.language, "text": d.said, "approved_by": str(d.user or ""),
                "approved_at": d.decided_at,
            }
            for d in approved([product])
        ],
    }  # fmt: skip
