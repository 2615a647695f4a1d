"""Catalogues: those of the token's user."""

from __future__ import annotations

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.actions.catalogues import change_settings, create_catalogue
from annotations.actions.errors import Forbidden
from annotations.api.auth import LOOK, MANAGE, Needs
from annotations.api.base import CatalogueDoor, Door, PageQuery, ShareField, Strict, page, page_of
from annotations.api.schema import PROBLEMS, problems
from annotations.models import Catalogue
from annotations.queries.people import catalogues_of, may_create_catalogues


class CatalogueSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    serving = serializers.CharField(source="serving.name", default=None, allow_null=True, help_text="the model at work")

    class Meta:
        model = Catalogue
        fields = (
            "slug", "name", "languages", "seq", "taxonomy_revision", "blind_share", "lease_minutes", "serving",
            "created_at", "reviewers", "reviewers_by_queue", "gold_share", "gold_threshold", "absent_hours",
        )  # fmt: skip
        read_only_fields = fields


class LanguagesField(serializers.ListField):
    child = serializers.CharField(max_length=16)


class NewCatalogue(Strict):
    slug = serializers.SlugField(max_length=60)
    name = serializers.CharField(max_length=200, default="")
    languages = LanguagesField(default=["en"], min_length=1, max_length=20)


class CatalogueSettings(Strict):
    name = serializers.CharField(max_length=200, required=False)
    languages = LanguagesField(required=False, min_length=1, max_length=20)
    blind_share = ShareField(required=False)
    lease_minutes = serializers.IntegerField(min_value=1, max_value=1440, required=False)
    reviewers = serializers.IntegerField(min_value=1, max_value=9, required=False, help_text="people per product")
    gold_share = ShareField(required=False)
    gold_threshold = ShareField(required=False)
    absent_hours = serializers.IntegerField(min_value=1, max_value=2000, required=False)


class Catalogues(Door):
    needs = {"GET": LOOK, "POST": Needs(("import",))}
    queries = {"GET": PageQuery}

    @extend_schema(
        tags=["catalogues"], parameters=[PageQuery], responses={200: page_of(CatalogueSerializer), **PROBLEMS},
        summary="The catalogues you are a member of",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        mine = catalogues_of(self.user).select_related("serving")
        return Response(page(mine, self.query, lambda row: CatalogueSerializer(row).data))

    @extend_schema(
        tags=["catalogues"], request=NewCatalogue, responses={201: CatalogueSerializer, **problems(409, 422)},
        summary="A new catalogue, with you as its admin", description="For admins of some catalogue.",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        if not may_create_catalogues(self.user):
            raise Forbidden(_("only an admin of some catalogue may make another"), "role", needs="admin")
        made = create_catalogue(user=self.user, **self.body(NewCatalogue))
        return Response(CatalogueSerializer(made).data, status=201)


class OneCatalogue(CatalogueDoor):
    needs = {"GET": LOOK, "PATCH": MANAGE}

    @extend_schema(tags=["catalogues"], responses={200: CatalogueSerializer, **PROBLEMS}, summary="One catalogue")
    def get(self, request: Request, slug: str) -> Response:
        return Response(CatalogueSerializer(self.catalogue).data)

    @extend_schema(
        tags=["catalogues"], request=CatalogueSettings, responses={200: CatalogueSerializer, **problems(422)},
        summary="Change its settings",
    )  # fmt: skip
    def patch(self, request: Request, slug: str) -> Response:
        changed = change_settings(catalogue=self.catalogue, user=self.user, **self.body(CatalogueSettings))
        return Response(CatalogueSerializer(changed).data)
