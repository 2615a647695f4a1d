"""The feed: every change of what stands, in commit order."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.api.auth import EXPORT
from annotations.api.base import BIGGEST, CatalogueDoor, Strict
from annotations.api.schema import PROBLEMS
from annotations.models import Change
from annotations.queries.feed import MOST, changes


class FeedQuery(Strict):
    after = serializers.IntegerField(min_value=0, max_value=BIGGEST, default=0, help_text="the last seq you have seen")
    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=MOST)


class ChangeSerializer(serializers.Serializer):  # type: ignore[type-arg]
    seq = serializers.IntegerField()
    product = serializers.CharField(help_text="external id")
    facet = serializers.CharField(help_text="slug")
    tag = serializers.CharField(help_text="slug")
    state = serializers.ChoiceField(choices=Change.State.choices)
    score = serializers.FloatField(allow_null=True, help_text="of the suggestion that was shown; null: none was")
    source = serializers.CharField(help_text="where the suggestion came from; empty: none was shown")  # type: ignore[assignment]
    model_version = serializers.CharField(allow_null=True)
    decided_by = serializers.CharField()
    decided_at = serializers.DateTimeField()


class FeedSerializer(serializers.Serializer):  # type: ignore[type-arg]
    changes = ChangeSerializer(many=True)
    next = serializers.IntegerField(help_text="``after`` of the next request; the same number: nothing new yet")


class Changes(CatalogueDoor):
    needs = {"GET": EXPORT}
    queries = {"GET": FeedQuery}

    @extend_schema(
        tags=["out"], parameters=[FeedQuery], responses={200: FeedSerializer, **PROBLEMS}, summary="The feed of changes",
        description="Ask with ``after=0`` once and with ``next`` from then on: nothing is missed, nothing comes twice, "
        "removals are changes too. The last state of each product and tag is what stands.",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        told = changes(self.catalogue, self.query["after"], self.query["limit"])
        return Response({"changes": told, "next": told[-1]["seq"] if told else self.query["after"]})
