"""Facets: read and kept in order."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.actions import taxonomy
from annotations.api.auth import LOOK, TAXONOMY
from annotations.api.base import IsSet, Strict, page, page_of
from annotations.api.schema import PROBLEMS, problems
from annotations.api.taxonomy import FacetsQuery, Labels, NoBody, TaxonomyDoor
from annotations.models import Facet
from annotations.queries.taxonomy import facets_of


class FacetSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    retired = IsSet(source="retired_at")

    class Meta:
        model = Facet
        fields = (
            "slug", "label", "labels", "descriptions", "kind", "unit", "variant_axis", "required", "implied_parents",
            "categories", "position", "retired",
        )  # fmt: skip
        read_only_fields = fields


class NewFacet(Strict):
    labels = Labels()
    kind = serializers.ChoiceField(choices=Facet.Kind.choices, default=Facet.Kind.MULTI)
    unit = serializers.CharField(max_length=20, default="", allow_blank=True, help_text="of a numeric facet")
    variant_axis = serializers.BooleanField(default=False)
    required = serializers.BooleanField(default=False)  # type: ignore[assignment]
    implied_parents = serializers.BooleanField(default=False, help_text="accepting a tag accepts those above it")
    descriptions = Labels(default=dict)
    categories = serializers.ListField(child=serializers.CharField(max_length=500), default=list, max_length=1000)


class FacetChange(Strict):
    labels = Labels(required=False)
    kind = serializers.ChoiceField(choices=Facet.Kind.choices, required=False)
    unit = serializers.CharField(max_length=20, required=False, allow_blank=True)
    variant_axis = serializers.BooleanField(required=False)
    required = serializers.BooleanField(required=False)  # type: ignore[assignment]
    implied_parents = serializers.BooleanField(required=False)
    descriptions = Labels(required=False)
    categories = serializers.ListField(child=serializers.CharField(max_length=500), required=False, max_length=1000)


class Facets(TaxonomyDoor):
    needs = {"GET": LOOK, "POST": TAXONOMY}
    queries = {"GET": FacetsQuery}

    @extend_schema(
        tags=["taxonomy"], parameters=[FacetsQuery], responses={200: page_of(FacetSerializer), **PROBLEMS},
        summary="Facets",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        found = facets_of(self.catalogue, retired=self.query["retired"])
        return Response(page(found, self.query, lambda row: FacetSerializer(row).data))

    @extend_schema(
        tags=["taxonomy"], request=NewFacet, responses={201: FacetSerializer, **problems(422)}, summary="A new facet"
    )
    def post(self, request: Request, slug: str) -> Response:
        made = taxonomy.add_facet(catalogue=self.catalogue, user=self.user, **self.body(NewFacet))
        return Response(FacetSerializer(made).data, status=201)


class OneFacet(TaxonomyDoor):
    needs = {"GET": LOOK, "PATCH": TAXONOMY}

    @extend_schema(tags=["taxonomy"], responses={200: FacetSerializer, **PROBLEMS}, summary="One facet")
    def get(self, request: Request, slug: str, facet: str) -> Response:
        return Response(FacetSerializer(self.facet(facet)).data)

    @extend_schema(
        tags=["taxonomy"], request=FacetChange, responses={200: FacetSerializer, **problems(422)},
        summary="Change some of it",
    )  # fmt: skip
    def patch(self, request: Request, slug: str, facet: str) -> Response:
        changed = taxonomy.edit_facet(facet=self.facet(facet), user=self.user, **self.body(FacetChange))
        return Response(FacetSerializer(changed).data)


class RetireFacet(TaxonomyDoor):
    needs = {"POST": TAXONOMY}

    @extend_schema(
        tags=["taxonomy"], request=NoBody, responses={200: FacetSerializer, **problems(422)}, summary="Ask no longer"
    )
    def post(self, request: Request, slug: str, facet: str) -> Response:
        self.body(NoBody)
        return Response(FacetSerializer(taxonomy.retire_facet(facet=self.facet(facet), user=self.user)).data)


class RestoreFacet(TaxonomyDoor):
    needs = {"POST": TAXONOMY}

    @extend_schema(
        tags=["taxonomy"], request=NoBody, responses={200: FacetSerializer, **problems(422)}, summary="Ask again",
        description="Products that were done without it wait for its answer.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, facet: str) -> Response:
        self.body(NoBody)
        return Response(FacetSerializer(taxonomy.restore_facet(facet=self.facet(facet), user=self.user)).data)
