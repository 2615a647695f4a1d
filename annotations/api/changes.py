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
    product = serializers.CharField(allow_null=True, help_text="external id; null: a change of the taxonomy")
    facet = serializers.CharField(allow_null=True, help_text="slug")
    tag = serializers.CharField(allow_null=True, help_text="slug")
    state = serializers.ChoiceField(choices=Change.State.choices, allow_null=True)
    score = serializers.FloatField(allow_null=True, help_text="of the suggestion that was shown; null: none was")
    source = serializers.CharField(help_text="where the suggestion came from; empty: none was shown")  # type: ignore[assignment]
    model_version = serializers.CharField(allow_null=True)
    decided_by = serializers.CharField()
    decided_at = serializers.DateTimeField()
    event = serializers.CharField(
        allow_null=True,
        help_text="what happened to the taxonomy: tag merged, tag renamed ...; null: a product's change",
    )
    revision = serializers.IntegerField(required=False, help_text="of the taxonomy, with an event")
    into = serializers.JSONField(required=False, help_text="slug of the tag it went into; a list where it was split")  # type: ignore[assignment]
    rows = serializers.ListField(
        child=serializers.DictField(), required=False,
        help_text="facets and tags that the event touched, with what is new of them: labels, parent, retired, "
        "merged_into. Empty after a long list went in: fetch the taxonomy.",
    )  # fmt: skip


class FeedSerializer(serializers.Serializer):  # type: ignore[type-arg]
    changes = ChangeSerializer(many=True)
    next = serializers.IntegerField(help_text="``after`` of the next request; the same number: nothing new yet")


class Changes(CatalogueDoor):
    needs = {"GET": EXPORT}
    queries = {"GET": FeedQuery}

    @extend_schema(
        tags=["out"], parameters=[FeedQuery], responses={200: FeedSerializer, **PROBLEMS}, summary="The feed of changes",
        description="Ask with ``after=0`` once and with ``next`` from then on: nothing is missed, nothing comes twice, "
        "removals are changes too. The last state of each product and tag is what stands. Merges, renames and other "
        "changes of the taxonomy come in the same order with an ``event`` and no product; what they mean for a product "
        "follows as changes of its own, so a reader of states alone may pass them over.",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        told = changes(self.catalogue, self.query["after"], self.query["limit"])
        return Response({"changes": told, "next": told[-1]["seq"] if told else self.query["after"]})
