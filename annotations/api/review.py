"""Reviewing by program: the next product, the decisions about it, and taking them back."""

from __future__ import annotations

import uuid
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.actions.decide import Card, Choice, Circumstances, save_card
from annotations.actions.errors import NotFound, Refused
from annotations.actions.queue import QUEUES, lease_next
from annotations.actions.undo import Undone, redo, undo
from annotations.api.auth import REVIEW
from annotations.api.base import CatalogueDoor, Strict
from annotations.api.schema import PROBLEMS, problems
from annotations.models import Facet, Input, Product, Reason, Tag, Verdict
from annotations.queries import cards

VERDICTS = (Verdict.ACCEPT, Verdict.REJECT, Verdict.ADD, Verdict.REMOVE)
DECISIONS_MOST = 500


class NextQuery(Strict):
    queue = serializers.ChoiceField(choices=tuple(QUEUES), default="uncertain")
    facet = serializers.CharField(default="", max_length=100, help_text="slug: only products where it is still open")
    category = serializers.CharField(default="", max_length=500, help_text="a path: only products in or below it")
    search = serializers.CharField(default="", max_length=200, help_text="words in the title or the external id")


class SpanSerializer(serializers.Serializer):  # type: ignore[type-arg]
    field = serializers.CharField()
    start = serializers.IntegerField(help_text="code point of the field's text")
    end = serializers.IntegerField()


class SuggestionSerializer(serializers.Serializer):  # type: ignore[type-arg]
    tag = serializers.CharField()
    score = serializers.FloatField(min_value=0, max_value=1)
    band = serializers.ChoiceField(choices=["strong", "likely", "unsure"])
    source = serializers.CharField()  # type: ignore[assignment]
    spans = SpanSerializer(many=True)


class TagNameSerializer(serializers.Serializer):  # type: ignore[type-arg]
    slug = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class FacetRowSerializer(serializers.Serializer):  # type: ignore[type-arg]
    facet = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=Facet.Kind.choices)
    complete = serializers.BooleanField()
    tags = TagNameSerializer(many=True, help_text="the first of them, in order")  # type: ignore[call-arg]
    more_tags = serializers.IntegerField(help_text="that the facet has beyond these; tags/find/ finds them")
    suggestions = SuggestionSerializer(many=True)
    approved = serializers.ListField(child=serializers.CharField())
    rejected = serializers.ListField(child=serializers.CharField())


class CardProductSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    class Meta:
        model = Product
        fields = ("external_id", "title", "description", "category", "language", "family", "attributes", "pictures")


class ClashSideSerializer(serializers.Serializer):  # type: ignore[type-arg]
    tag = serializers.CharField()
    score = serializers.FloatField(min_value=0, max_value=1)


class ClashSerializer(serializers.Serializer):  # type: ignore[type-arg]
    facet = serializers.CharField()
    gap = serializers.FloatField(min_value=0, max_value=1)
    text = ClashSideSerializer(help_text="what the model says by the text alone")
    picture = ClashSideSerializer(help_text="and by the picture alone")


class CardSerializer(serializers.Serializer):  # type: ignore[type-arg]
    product = CardProductSerializer()
    version = serializers.IntegerField(help_text="name it when you decide")
    lease_until = serializers.DateTimeField()
    blind = serializers.BooleanField(help_text="served without suggestions, for honest measurement")
    facets = FacetRowSerializer(many=True)
    clashes = ClashSerializer(many=True, help_text="open facets on which text and picture say something else")


@extend_schema_field({"oneOf": [{"type": "array", "items": {"type": "string"}}, {"type": "boolean"}]})
class CompleteField(serializers.Field):  # type: ignore[type-arg]
    """Slugs of facets that were looked at as a whole; true: all that apply."""

    def to_internal_value(self, data: Any) -> list[str] | bool:
        if isinstance(data, bool):
            return data or []
        if isinstance(data, list) and all(isinstance(slug, str) and "\0" not in slug for slug in data):
            return list(dict.fromkeys(data))
        raise serializers.ValidationError(_("a list of facets, or true for all"))

    def to_representation(self, value: Any) -> Any:
        return value


class ChoiceSerializer(Strict):
    id = serializers.UUIDField(help_text="made by you; sending it again is not deciding again")
    facet = serializers.CharField(max_length=100)
    tag = serializers.CharField(max_length=100)
    verdict = serializers.ChoiceField(choices=VERDICTS)
    reason = serializers.ChoiceField(choices=Reason.values, default="", allow_blank=True)


class DecisionsSerializer(Strict):
    product = serializers.CharField(max_length=200, help_text="external id")
    version = serializers.IntegerField(min_value=0, max_value=2**31 - 1)
    decisions = ChoiceSerializer(many=True, default=list, max_length=DECISIONS_MOST)  # type: ignore[call-arg]
    complete = CompleteField(default=list)
    shown_at = serializers.DateTimeField(default=None, allow_null=True)

    def validate_decisions(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len({choice["id"] for choice in value}) < len(value):
            raise serializers.ValidationError(_("each decision needs an id of its own"))
        return value


class SavedSerializer(serializers.Serializer):  # type: ignore[type-arg]
    seq = serializers.IntegerField(help_text="of the last decision stored")
    version = serializers.IntegerField(help_text="the product's version now")
    decisions = serializers.IntegerField(help_text="how many were stored, completions and displaced values included")
    batch = serializers.UUIDField()
    replayed = serializers.BooleanField(help_text="it was stored before; this is the answer of then")
    conflicts = serializers.ListField(child=serializers.DictField(), help_text="always empty: a conflict is a 409")


class UndoneSerializer(serializers.Serializer):  # type: ignore[type-arg]
    undone = serializers.IntegerField(help_text="decisions taken back (or brought back); 0: there was nothing")
    seq = serializers.IntegerField()
    batch = serializers.UUIDField(allow_null=True)
    products = serializers.ListField(child=serializers.CharField())


class NoBody(Strict):
    """Nothing is asked for."""


class Next(CatalogueDoor):
    needs = {"GET": REVIEW}
    queries = {"GET": NextQuery}

    @extend_schema(
        tags=["review"],
        parameters=[NextQuery],
        responses={200: CardSerializer, 204: OpenApiResponse(description="the queue is empty"), **PROBLEMS},
        summary="The next product, leased to you",
        description="What you hold already comes first, so asking again without deciding gives the same product.",
    )
    def get(self, request: Request, slug: str) -> Response:
        facet = self.query["facet"]
        if facet and not Facet.objects.live().filter(catalogue=self.catalogue, slug=facet).exists():
            raise serializers.ValidationError({"facet": [_("there is no such facet")]})
        items = lease_next(catalogue=self.catalogue, user=self.user, **self.query)
        if not items:
            return Response(status=204)
        return Response(card_body(cards.cards(items, self.catalogue, self.user)[0]))


class Decisions(CatalogueDoor):
    needs = {"POST": REVIEW}

    @extend_schema(
        tags=["review"],
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                type=uuid.UUID,
                location=OpenApiParameter.HEADER,
                description="for a body without decisions; with decisions their ids do the same",
            )
        ],
        request=DecisionsSerializer,
        responses={200: SavedSerializer, **problems(409, 413, 422)},
        summary="Decide on one product",
        description="Stored whole or not at all. 409: somebody saved the product since your version; the answer "
        "holds their decisions and the version now. Sent again with the same ids: the stored answer.",
    )
    def post(self, request: Request, slug: str) -> Response:
        given = self.body(DecisionsSerializer)
        product = Product.objects.filter(catalogue=self.catalogue, external_id=given["product"]).first()
        if product is None:
            raise NotFound(_("there is no such product"), "no_product", product=given["product"])
        product.catalogue = self.catalogue
        card = Card(product, choices(self.catalogue.pk, given["decisions"]), self._complete(product, given["complete"]))
        by = Circumstances(self.user, self.membership.role, Input.API, given["shown_at"])
        saved = save_card(card=card, version=given["version"], by=by, batch=self._batch(request, card))
        return Response(
            {
                "seq": saved.seq, "version": saved.version, "decisions": saved.decisions, "batch": saved.batch,
                "replayed": saved.replayed, "conflicts": [],
            }
        )  # fmt: skip

    def _complete(self, product: Product, wanted: list[str] | bool) -> tuple[Facet, ...]:
        live = list(Facet.objects.live().filter(catalogue=self.catalogue))
        if wanted is True:
            return tuple(facet for facet in live if facet.applies(product.category))
        by_slug = {facet.slug: facet for facet in live}
        slugs = wanted or []
        if unknown := [slug for slug in slugs if slug not in by_slug]:
            raise Refused(_("there is no facet “%(slug)s”") % {"slug": unknown[0]}, "unknown_facet", facets=unknown)
        return tuple(by_slug[slug] for slug in slugs)

    def _batch(self, request: Request, card: Card) -> uuid.UUID | None:
        """Only a card without decisions needs the key; it is the caller's own, so that nobody meets another's."""
        key = request.headers.get("Idempotency-Key", "")
        if card.choices or not key:
            return None
        try:
            return uuid.uuid5(uuid.UUID(key), f"{self.user.pk}:{card.product.pk}")
        except ValueError:
            raise serializers.ValidationError({"Idempotency-Key": [_("must be a UUID")]}) from None


class Undo(CatalogueDoor):
    needs = {"POST": REVIEW}
    verb = staticmethod(undo)

    @extend_schema(
        tags=["review"], request=NoBody, responses={200: UndoneSerializer, **PROBLEMS},
        summary="Take back your last save",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        self.body(NoBody)
        by = Circumstances(self.user, self.membership.role, Input.API)
        return Response(undone_body(self.verb(catalogue=self.catalogue, by=by), self.catalogue.seq))


class Redo(Undo):
    verb = staticmethod(redo)

    @extend_schema(
        tags=["review"], request=NoBody, responses={200: UndoneSerializer, **PROBLEMS},
        summary="Bring back what you took back last",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        return super().post(request, slug)


def choices(catalogue: int, given: list[dict[str, Any]]) -> tuple[Choice, ...]:
    """Slugs to tags. Raises Refused (422) for a tag that is not there or is retired."""
    wanted = Tag.objects.filter(
        facet__catalogue=catalogue,
        facet__slug__in={choice["facet"] for choice in given},
        slug__in={choice["tag"] for choice in given},
    ).select_related("facet")
    tags = {(tag.facet.slug, tag.slug): tag for tag in wanted}
    found = []
    for choice in given:
        tag = tags.get((choice["facet"], choice["tag"]))
        where = {"facet": choice["facet"], "tag": choice["tag"]}
        if tag is None:
            raise Refused(_("%(facet)s has no tag “%(tag)s”") % where, "unknown_tag", **where)
        if tag.retired_at or tag.facet.retired_at:
            raise Refused(_("“%(tag)s” of %(facet)s is retired") % where, "retired_tag", **where)
        found.append(Choice(tag, choice["verdict"], choice["id"], choice["reason"]))
    return tuple(found)


def card_body(card: cards.Card) -> dict[str, Any]:
    return {
        "product": CardProductSerializer(card.product).data,
        "version": card.version,
        "lease_until": card.lease_until,
        "blind": card.blind,
        "facets": [_row_body(row) for row in card.facets],
        "clashes": [
            {
                "facet": one.facet.slug, "gap": one.gap,
                **{side: {"tag": tag.slug, "score": p} for side, (tag, p) in (("text", one.text), ("picture", one.picture))},
            }
            for one in card.clashes
        ],
    }  # fmt: skip


def _row_body(row: cards.FacetRow) -> dict[str, Any]:
    return {
        "facet": row.facet.slug,
        "label": row.facet.label,
        "kind": row.facet.kind,
        "complete": row.complete,
        "tags": [{"slug": tag.slug, "label": tag.label} for tag in row.tags],
        "more_tags": row.more,
        "suggestions": [
            {
                "tag": chip.tag.slug, "score": chip.score, "band": chip.band, "source": chip.source,
                "spans": list(chip.spans),
            }
            for chip in row.chips if chip.suggested
        ],
        "approved": [chip.tag.slug for chip in row.chips if chip.standing == "approved"],
        "rejected": [chip.tag.slug for chip in row.chips if chip.standing == "rejected"],
    }  # fmt: skip


def undone_body(done: Undone | None, seq: int) -> dict[str, Any]:
    if done is None:
        return {"undone": 0, "seq": seq, "batch": None, "products": []}
    return {
        "undone": done.decisions, "seq": done.seq, "batch": done.batch,
        "products": [product.external_id for product in done.products],
    }  # fmt: skip
