"""What the doors of facets and tags share, and the changes of a taxonomy: told and taken back."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.actions import reshape
from annotations.actions.decide import Circumstances
from annotations.actions.errors import Refused
from annotations.api.auth import LOOK, TAXONOMY
from annotations.api.base import CatalogueDoor, PageQuery, Strict, page, page_of
from annotations.api.schema import PROBLEMS, problems
from annotations.models import Facet, Input, Tag, TaxonomyRevision
from annotations.queries.taxonomy import facet_named, tag_named
from annotations.queries.taxonomy_changes import revision_numbered


class Labels(serializers.DictField):
    """Language code to name."""

    child = serializers.CharField(max_length=100)


class WordLists(serializers.DictField):
    """Language code to list of words."""

    child = serializers.ListField(child=serializers.CharField(max_length=100), max_length=200)


class FacetsQuery(PageQuery):
    retired = serializers.BooleanField(default=False, help_text="retired ones too")


class NoBody(Strict):
    """Nothing is asked for."""


class TaxonomyDoor(CatalogueDoor):
    def facet(self, slug: str) -> Facet:
        found = facet_named(self.catalogue, slug)
        if found is None:
            raise Http404
        return found

    def tag(self, facet: str, slug: str) -> Tag:
        found = tag_named(self.catalogue, facet, slug)
        if found is None:
            raise Http404
        return found

    def other(self, tag: Tag, slug: str) -> Tag:
        """Another tag of the same facet, that the body names. Raises Refused (422) when there is none."""
        found = tag_named(self.catalogue, tag.facet.slug, slug)
        if found is None:
            where = {"facet": tag.facet.slug, "tag": slug}
            raise Refused(_("%(facet)s has no tag “%(tag)s”") % where, "unknown_tag", **where)
        return found


class ReshapedSerializer(serializers.Serializer):  # type: ignore[type-arg]
    revision = serializers.IntegerField()
    products = serializers.IntegerField(help_text="products, or for an undo decisions, that it is about")
    job = serializers.UUIDField(allow_null=True, help_text="that decides on them; null: it is done")


def reshaped(done: reshape.Reshaped) -> dict[str, Any]:
    return {
        "revision": done.revision.number, "products": done.products, "job": str(done.job.pk) if done.job else None,
    }  # fmt: skip


class RevisionSerializer(serializers.Serializer):  # type: ignore[type-arg]
    number = serializers.IntegerField()
    seq = serializers.IntegerField(allow_null=True, help_text="its line in the feed")
    word = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]
    report = serializers.DictField(help_text="what it touched")
    pending = serializers.BooleanField(help_text="its job still decides on products")
    undoes = serializers.IntegerField(source="undoes.number", default=None, allow_null=True)
    created_at = serializers.DateTimeField()


class Revisions(TaxonomyDoor):
    needs = {"GET": LOOK}
    queries = {"GET": PageQuery}

    @extend_schema(
        tags=["taxonomy"], parameters=[PageQuery], responses={200: page_of(RevisionSerializer), **PROBLEMS},
        summary="What was changed, oldest first",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        rows = TaxonomyRevision.objects.filter(catalogue=self.catalogue).select_related("undoes")
        return Response(page(rows, self.query, lambda row: RevisionSerializer(row).data, key="number"))


class UndoRevision(TaxonomyDoor):
    needs = {"POST": TAXONOMY}

    @extend_schema(
        tags=["taxonomy"], request=NoBody, responses={200: ReshapedSerializer, **problems(409, 422)},
        summary="Take a change back", description="Names, places and what stands come back exactly as they were.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, number: int) -> Response:
        self.body(NoBody)
        revision = revision_numbered(self.catalogue, number)
        if revision is None:
            raise Http404
        by = Circumstances(self.user, self.membership.role, Input.API)
        return Response(reshaped(reshape.undo_revision(revision=revision, by=by)))
