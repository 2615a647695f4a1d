"""Settling by program: where reviewers differ, and the lead's last word."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.actions.decide import Circumstances
from annotations.actions.errors import NotFound, Refused
from annotations.actions.panels import ask_again, settle
from annotations.api.auth import SETTLE
from annotations.api.base import CatalogueDoor, Strict
from annotations.api.review import SavedSerializer
from annotations.api.schema import PROBLEMS, problems
from annotations.models import Facet, Input, Product, QueueItem, Tag
from annotations.queries import conflicts as questions

MOST = 50


class ConflictsQuery(Strict):
    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=10)


class SideSerializer(serializers.Serializer):  # type: ignore[type-arg]
    reviewer = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField(), help_text="slugs; empty: none fits")


class TornSerializer(serializers.Serializer):  # type: ignore[type-arg]
    facet = serializers.CharField()
    sides = SideSerializer(many=True)


class ConflictSerializer(serializers.Serializer):  # type: ignore[type-arg]
    product = serializers.CharField(help_text="external id")
    version = serializers.IntegerField(help_text="name it when you settle")
    facets = TornSerializer(many=True)


class ConflictListSerializer(serializers.Serializer):  # type: ignore[type-arg]
    total = serializers.IntegerField()
    results = ConflictSerializer(many=True)


class SettledFacetSerializer(Strict):
    facet = serializers.CharField(max_length=100)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=100), max_length=500, help_text="slugs of all that fit"
    )


class SettleSerializer(Strict):
    id = serializers.UUIDField(help_text="made by you; sending it again is not settling again")
    product = serializers.CharField(max_length=200, help_text="external id")
    version = serializers.IntegerField(min_value=0, max_value=2**31 - 1)
    answers = SettledFacetSerializer(many=True, min_length=1, max_length=200)  # type: ignore[call-arg]


class AgainSerializer(Strict):
    product = serializers.CharField(max_length=200, help_text="external id")
    version = serializers.IntegerField(min_value=0, max_value=2**31 - 1)


class TakenBackSerializer(serializers.Serializer):  # type: ignore[type-arg]
    undone = serializers.IntegerField(help_text="votes that were taken back")


class _ConflictDoor(CatalogueDoor):
    def product(self, external_id: str) -> Product:
        product = Product.objects.filter(catalogue=self.catalogue, external_id=external_id).first()
        if product is None or not QueueItem.objects.filter(product=product).exists():
            raise NotFound(_("there is no such product"), "no_product", product=external_id)
        product.catalogue = self.catalogue
        return product

    def by(self) -> Circumstances:
        return Circumstances(self.user, self.membership.role, Input.API)


class Conflicts(_ConflictDoor):
    needs = {"GET": SETTLE}
    queries = {"GET": ConflictsQuery}

    @extend_schema(
        tags=["review"], parameters=[ConflictsQuery], responses={200: ConflictListSerializer, **PROBLEMS},
        summary="Products on which reviewers differ, with both sides", description="For leads.",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        items = questions.waiting(self.catalogue, self.query["limit"])
        for item in items:
            item.catalogue = self.catalogue
        return Response(
            {"total": questions.how_many(self.catalogue), "results": [_body(questions.dispute(item)) for item in items]}
        )


class Settle(_ConflictDoor):
    needs = {"POST": SETTLE}

    @extend_schema(
        tags=["review"], request=SettleSerializer, responses={200: SavedSerializer, **problems(409, 422)},
        summary="Settle where reviewers differ",
        description="Exactly these tags fit; what others approved is rejected, and the facets are complete. For leads.",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        given = self.body(SettleSerializer)
        saved = settle(
            product=self.product(given["product"]), answers=self._answers(given["answers"]), version=given["version"],
            by=self.by(), batch=given["id"],
        )  # fmt: skip
        return Response(
            {
                "seq": saved.seq, "version": saved.version, "decisions": saved.decisions, "batch": saved.batch,
                "replayed": saved.replayed, "conflicts": [],
            }
        )  # fmt: skip

    def _answers(self, given: list[dict[str, Any]]) -> dict[Facet, list[Tag]]:
        known = {facet.slug: facet for facet in Facet.objects.live().filter(catalogue=self.catalogue)}
        found: dict[Facet, list[Tag]] = {}
        for one in given:
            facet = known.get(one["facet"])
            if facet is None:
                raise Refused(
                    _("there is no facet “%(slug)s”") % {"slug": one["facet"]}, "unknown_facet", facet=one["facet"]
                )
            tags = {tag.slug: tag for tag in Tag.objects.live().filter(facet=facet, slug__in=one["tags"])}
            for slug in one["tags"]:
                if slug not in tags:
                    where = {"facet": facet.slug, "tag": slug}
                    raise Refused(_("%(facet)s has no tag “%(tag)s”") % where, "unknown_tag", **where)
                tags[slug].facet = facet
            found[facet] = list(tags.values())
        return found


class AskAgain(_ConflictDoor):
    needs = {"POST": SETTLE}

    @extend_schema(
        tags=["review"], request=AgainSerializer, responses={200: TakenBackSerializer, **problems(409, 422)},
        summary="Take both answers back, so that reviewers are asked anew", description="For leads.",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        given = self.body(AgainSerializer)
        undone = ask_again(product=self.product(given["product"]), version=given["version"], by=self.by())
        return Response({"undone": undone})


def _body(dispute: questions.Dispute) -> dict[str, Any]:
    return {
        "product": dispute.product.external_id,
        "version": dispute.item.version,
        "facets": [
            {
                "facet": torn.facet.slug,
                "sides": [
                    {"reviewer": side.reviewer.username, "tags": [tag.slug for tag in side.tags]} for side in torn.sides
                ],
            }
            for torn in dispute.facets
        ],
    }
