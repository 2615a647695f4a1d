"""Tags: read, named, moved, merged, split, and found as somebody types."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.actions import reshape, taxonomy
from annotations.actions.decide import Circumstances
from annotations.actions.errors import Refused
from annotations.api.auth import LOOK, TAXONOMY
from annotations.api.base import IsSet, Strict, page, page_of
from annotations.api.schema import PROBLEMS, problems
from annotations.api.taxonomy import FacetsQuery, Labels, NoBody, ReshapedSerializer, TaxonomyDoor, WordLists, reshaped
from annotations.models import Input, Tag
from annotations.queries.taxonomy import facet_named, search_tags, tag_named, tags_of


class TagSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    facet = serializers.CharField(source="facet.slug")
    parent = serializers.CharField(source="parent.slug", default=None, allow_null=True)  # type: ignore[assignment]
    merged_into = serializers.CharField(source="merged_into.slug", default=None, allow_null=True)
    not_with = serializers.SerializerMethodField(help_text="tags that never stand beside it, as facet/tag")
    retired = IsSet(source="retired_at")

    class Meta:
        model = Tag
        fields = (
            "id", "facet", "slug", "label", "labels", "synonyms", "definitions", "parent", "position", "categories",
            "exclusive", "shortcut", "number", "not_with", "merged_into", "retired",
        )  # fmt: skip
        read_only_fields = fields

    def get_not_with(self, tag: Tag) -> list[str]:
        return [f"{other.facet.slug}/{other.slug}" for other in tag.not_with.all()]


class TagsQuery(FacetsQuery):
    facet = serializers.CharField(default="", max_length=100)


class NewTag(Strict):
    facet = serializers.CharField(max_length=100)
    labels = Labels()
    synonyms = WordLists(default=dict)
    parent = serializers.CharField(max_length=100, default=None, allow_null=True)  # type: ignore[assignment]


class TagChange(Strict):
    labels = Labels(required=False)
    synonyms = WordLists(required=False)
    definitions = serializers.DictField(child=serializers.CharField(max_length=5000), required=False)
    categories = serializers.ListField(child=serializers.CharField(max_length=500), required=False, max_length=1000)
    exclusive = serializers.BooleanField(required=False, help_text="stands alone in its facet")
    shortcut = serializers.IntegerField(required=False, min_value=0, max_value=9, help_text="its number key; 0: none")
    not_with = serializers.ListField(
        child=serializers.CharField(max_length=201), required=False, max_length=200,
        help_text="tags that never stand beside it, as facet/tag",
    )  # fmt: skip


class Rename(Strict):
    label = serializers.CharField(max_length=100)  # type: ignore[assignment]
    language = serializers.CharField(max_length=16, default="", help_text="default: the catalogue's first")


class Move(Strict):
    parent = serializers.CharField(max_length=100, allow_null=True, help_text="null: to the top of its facet")  # type: ignore[assignment]


class Merge(Strict):
    into = serializers.CharField(max_length=100, help_text="slug of another tag of the facet")


class MergedSerializer(serializers.Serializer):  # type: ignore[type-arg]
    tag = TagSerializer()
    products = serializers.IntegerField(help_text="that are decided on")
    revision = serializers.IntegerField(help_text="of the taxonomy; undo takes it")
    job = serializers.UUIDField(allow_null=True, help_text="that decides on them; null: it is done")


class Tags(TaxonomyDoor):
    needs = {"GET": LOOK, "POST": TAXONOMY}
    queries = {"GET": TagsQuery}

    @extend_schema(
        tags=["taxonomy"], parameters=[TagsQuery], responses={200: page_of(TagSerializer), **PROBLEMS}, summary="Tags"
    )
    def get(self, request: Request, slug: str) -> Response:
        found = tags_of(self.catalogue, facet=self.query["facet"], retired=self.query["retired"])
        return Response(page(found, self.query, lambda row: TagSerializer(row).data))

    @extend_schema(
        tags=["taxonomy"], request=NewTag, responses={201: TagSerializer, **problems(422)}, summary="A new tag"
    )
    def post(self, request: Request, slug: str) -> Response:
        given: dict[str, Any] = self.body(NewTag)
        facet = facet_named(self.catalogue, given.pop("facet"))
        if facet is None or facet.retired_at:
            raise Refused(_("there is no such facet"), "unknown_facet")
        parent = given.pop("parent")
        if parent is not None:
            given["parent"] = tag_named(self.catalogue, facet.slug, parent)
            if given["parent"] is None:
                raise Refused(_("there is no such parent"), "unknown_tag", tag=parent)
        made = taxonomy.add_tag(facet=facet, user=self.user, **given)
        return Response(TagSerializer(made).data, status=201)


class OneTag(TaxonomyDoor):
    needs = {"GET": LOOK, "PATCH": TAXONOMY}

    @extend_schema(tags=["taxonomy"], responses={200: TagSerializer, **PROBLEMS}, summary="One tag")
    def get(self, request: Request, slug: str, facet: str, tag: str) -> Response:
        return Response(TagSerializer(self.tag(facet, tag)).data)

    @extend_schema(
        tags=["taxonomy"], request=TagChange, responses={200: TagSerializer, **problems(422)},
        summary="Change some of it", description="A label that is replaced lives on as a synonym.",
    )  # fmt: skip
    def patch(self, request: Request, slug: str, facet: str, tag: str) -> Response:
        given = self.body(TagChange)
        if "not_with" in given:
            given["not_with"] = [self._named(name) for name in given["not_with"]]
        changed = taxonomy.edit_tag(tag=self.tag(facet, tag), user=self.user, **given)
        return Response(TagSerializer(changed).data)

    def _named(self, name: str) -> Tag:
        found = tag_named(self.catalogue, *name.split("/", 1)) if "/" in name else None
        if found is None:
            raise Refused(_("there is no tag “%(name)s”") % {"name": name}, "unknown_tag", tag=name)
        return found


class RenameTag(TaxonomyDoor):
    needs = {"POST": TAXONOMY}

    @extend_schema(
        tags=["taxonomy"], request=Rename, responses={200: TagSerializer, **problems(422)}, summary="Another label",
        description="The slug stays, and the old label lives on as a synonym.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, facet: str, tag: str) -> Response:
        changed = taxonomy.rename_tag(tag=self.tag(facet, tag), user=self.user, **self.body(Rename))
        return Response(TagSerializer(changed).data)


class MoveTag(TaxonomyDoor):
    needs = {"POST": TAXONOMY}

    @extend_schema(
        tags=["taxonomy"], request=Move, responses={200: TagSerializer, **problems(422)}, summary="Another parent"
    )
    def post(self, request: Request, slug: str, facet: str, tag: str) -> Response:
        moved, parent = self.tag(facet, tag), self.body(Move)["parent"]
        to = None if parent is None else self.other(moved, parent)
        return Response(TagSerializer(taxonomy.move_tag(tag=moved, user=self.user, parent=to)).data)


class RetireTag(TaxonomyDoor):
    needs = {"POST": TAXONOMY}

    @extend_schema(
        tags=["taxonomy"], request=NoBody, responses={200: TagSerializer, **problems(422)}, summary="Offer no longer",
        description="Where it stands it stays until somebody decides again.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, facet: str, tag: str) -> Response:
        self.body(NoBody)
        return Response(TagSerializer(taxonomy.retire_tag(tag=self.tag(facet, tag), user=self.user)).data)


class RestoreTag(TaxonomyDoor):
    needs = {"POST": TAXONOMY}

    @extend_schema(
        tags=["taxonomy"], request=NoBody, responses={200: TagSerializer, **problems(422)}, summary="Offer again"
    )
    def post(self, request: Request, slug: str, facet: str, tag: str) -> Response:
        self.body(NoBody)
        return Response(TagSerializer(taxonomy.restore_tag(tag=self.tag(facet, tag), user=self.user)).data)


class MergeTag(TaxonomyDoor):
    needs = {"POST": TAXONOMY}

    @extend_schema(
        tags=["taxonomy"], request=Merge, responses={200: MergedSerializer, **problems(422)}, summary="One of two",
        description="The tag retires, its names lead to the other, and where it was approved the other is: decisions "
        "of yours, which the feed tells. Many products are a job.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, facet: str, tag: str) -> Response:
        merged, into = self.tag(facet, tag), self.body(Merge)["into"]
        by = Circumstances(self.user, self.membership.role, Input.API)
        done = reshape.merge_tags(tag=merged, into=self.other(merged, into), by=by)
        return Response(
            {
                "tag": TagSerializer(merged).data, "products": done.products, "revision": done.revision.number,
                "job": str(done.job.pk) if done.job else None,
            }
        )  # fmt: skip


class Split(Strict):
    parts = serializers.ListField(child=Labels(), min_length=2, max_length=50, help_text="labels of each part")


class SplitTag(TaxonomyDoor):
    needs = {"POST": TAXONOMY}

    @extend_schema(
        tags=["taxonomy"], request=Split, responses={200: ReshapedSerializer, **problems(409, 422)},
        summary="Several of one",
        description="The tag retires; the products that it stands for wait to be looked at again, and it stands until "
        "somebody has. A part with the name of a tag of the facet is that tag.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, facet: str, tag: str) -> Response:
        by = Circumstances(self.user, self.membership.role, Input.API)
        done = reshape.split_tag(tag=self.tag(facet, tag), parts=self.body(Split)["parts"], by=by)
        return Response(reshaped(done))


class FindQuery(Strict):
    q = serializers.CharField(max_length=200, help_text="what was typed")
    facet = serializers.CharField(default="", max_length=100)
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20)


class FoundSerializer(serializers.Serializer):  # type: ignore[type-arg]
    facet = serializers.CharField()
    tag = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    facet_label = serializers.CharField()


class FindTags(TaxonomyDoor):
    needs = {"GET": LOOK}
    queries = {"GET": FindQuery}

    @extend_schema(
        tags=["taxonomy"], parameters=[FindQuery], responses={200: FoundSerializer(many=True), **PROBLEMS},
        summary="Tags that a typed text may mean",
        description="By label, synonym, slug or path, in every language, best first.",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        facet = self.facet(self.query["facet"]) if self.query["facet"] else None
        hits = search_tags(self.catalogue, self.query["q"], facet=facet, limit=self.query["limit"])
        return Response(
            [{"facet": t.facet.slug, "tag": t.slug, "label": t.label, "facet_label": t.facet.label} for t in hits]
        )
