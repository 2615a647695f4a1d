"""Suggestions for products that need not be stored, answered at once from the model at work."""

from __future__ import annotations

import time
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.actions.errors import Conflict, Refused
from annotations.api.auth import SUGGEST
from annotations.api.base import CatalogueDoor
from annotations.api.review import SpanSerializer
from annotations.api.schema import problems
from tagstudio import timing

MOST = 200  # products in one request: a second or so of one web worker


class AskedProduct(serializers.Serializer):  # type: ignore[type-arg]
    """Our JSONL shape, as much of it as a model reads; other names are left alone."""

    id = serializers.CharField(max_length=200, allow_blank=True, default="")
    title = serializers.CharField(allow_blank=True, allow_null=True, default="", max_length=100_000)
    description = serializers.CharField(allow_blank=True, allow_null=True, default="", max_length=100_000)
    category = serializers.CharField(allow_blank=True, allow_null=True, default="", max_length=500)
    language = serializers.CharField(allow_blank=True, allow_null=True, default="", max_length=16)
    family = serializers.CharField(allow_blank=True, allow_null=True, default="", max_length=200)
    attributes = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(allow_blank=True, max_length=10_000), max_length=1000),
        default=dict,
    )


class SuggestedSerializer(serializers.Serializer):  # type: ignore[type-arg]
    tag = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    score = serializers.FloatField(min_value=0, max_value=1)
    band = serializers.ChoiceField(choices=["strong", "likely", "unsure"])
    source = serializers.CharField()  # type: ignore[assignment]
    spans = SpanSerializer(many=True)


class AnswerSerializer(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.CharField()
    suggestions = serializers.DictField(child=SuggestedSerializer(many=True), help_text="facet to suggestions")


class Suggest(CatalogueDoor):
    needs = {"POST": SUGGEST}

    @extend_schema(
        tags=["suggest"], request=AskedProduct(many=True),
        responses={200: AnswerSerializer(many=True), **problems(409, 413, 422)}, summary="Suggest, and store nothing",
        description=f"At most {MOST} products, answered in their order. 409: the catalogue has no model yet.",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        if isinstance(request.data, list) and len(request.data) > MOST:
            raise Refused(_("at most %(n)s products at a time") % {"n": MOST}, "too_many", limit=MOST)
        rows: list[dict[str, Any]] = self.body(AskedProduct, many=True)
        from annotations import bridge  # brings scikit-learn: only once somebody asks

        began = time.perf_counter()
        try:
            answer = bridge.suggest(self.catalogue, rows)
            timing.suggested(slug, time.perf_counter() - began)
            return Response(answer)
        except LookupError:
            raise Conflict(_("there is no model yet: decide on some products first"), "no_model") from None
