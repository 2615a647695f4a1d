"""Searches over plans, and the plans kept of them."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.actions.searches import cancel_search, keep_plan, keep_trial, pause_search, resume_search, start_search
from annotations.api.auth import LOOK, TRAIN
from annotations.api.base import CatalogueDoor, PageQuery, Strict, page, page_of
from annotations.api.schema import PROBLEMS, problems
from annotations.models import PlanPreset, PlanSearch
from annotations.queries.searches import presets_of, search_numbered, search_row, searches_of

ACTS = {"cancel": cancel_search, "pause": pause_search, "resume": resume_search}


class SearchRules(Strict):
    space = serializers.DictField(
        help_text='plan field to a list of values, to {"low", "high", "log", "points"} (points: in a grid), or to "usual", '
        "as plan-searches/fields/ has it"
    )
    method = serializers.ChoiceField(["grid", "random", "tpe"], default="tpe")
    trials = serializers.IntegerField(default=20, min_value=1, max_value=500)
    folds = serializers.IntegerField(default=1, min_value=1, max_value=10, help_text="by family")
    seed = serializers.IntegerField(default=1, min_value=0)
    prune = serializers.BooleanField(default=True, help_text="stop trials that are clearly worse than the others")


class NewSearch(Strict):
    plan = serializers.DictField(default=dict, help_text="what is varied; as for a run")
    rules = SearchRules()


class TrialSerializer(serializers.Serializer):  # type: ignore[type-arg]
    number = serializers.IntegerField(source="trial.number")
    state = serializers.CharField(help_text="as a job's, or pruned")
    changes = serializers.DictField(source="trial.changes", allow_null=True)
    score = serializers.FloatField(allow_null=True, help_text="of one that was pruned: what it had come to")
    best = serializers.BooleanField()
    job = serializers.UUIDField(source="trial.job_id")


class SearchSerializer(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.IntegerField(source="search.number")
    plan = serializers.DictField(source="search.plan")
    rules = serializers.DictField(source="search.rules")
    data_hash = serializers.CharField(source="search.data_hash")
    decision_count = serializers.IntegerField(source="search.decision_count")
    live = serializers.BooleanField()
    trials = TrialSerializer(many=True)
    created_at = serializers.DateTimeField(source="search.created_at")


class PresetSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    search = serializers.IntegerField(source="trial.search.number", default=None, allow_null=True)
    trial = serializers.IntegerField(source="trial.number", default=None, allow_null=True)

    class Meta:
        model = PlanPreset
        fields = ("name", "plan", "search", "trial", "created_at")
        read_only_fields = fields


class NewPreset(Strict):
    name = serializers.CharField(max_length=60)
    plan = serializers.DictField(default=None, allow_null=True, help_text="or a search and one of its trials")
    search = serializers.IntegerField(default=None, allow_null=True)
    trial = serializers.IntegerField(default=None, allow_null=True)


class NothingAsked(Strict):
    """No fields."""


class Searches(CatalogueDoor):
    needs = {"GET": LOOK, "POST": TRAIN}
    queries = {"GET": PageQuery}

    @extend_schema(
        tags=["training"], parameters=[PageQuery], responses={200: page_of(SearchSerializer), **PROBLEMS},
        summary="Searches over plans",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        return Response(page(searches_of(self.catalogue), self.query, show_search, key="number"))

    @extend_schema(
        tags=["training"], request=NewSearch, responses={202: SearchSerializer, **problems(422)}, summary="Search",
        description="Each trial is a job; they come after everything else that waits.",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        asked = self.body(NewSearch)
        search = start_search(catalogue=self.catalogue, user=self.user, plan=asked["plan"], rules=dict(asked["rules"]))
        return Response(show_search(search), status=202)


class SearchFieldSerializer(serializers.Serializer):  # type: ignore[type-arg]
    name = serializers.CharField()
    section = serializers.CharField()
    usual = serializers.JSONField(
        allow_null=True, help_text='what "usual" stands for, as a space has it; null where values have to be said'
    )
    never = serializers.BooleanField(help_text="no search can vary it")
    why = serializers.CharField(
        help_text="why nothing is usual, or why no search can vary it; empty where it is offered"
    )


class SearchFieldsSerializer(serializers.Serializer):  # type: ignore[type-arg]
    fields = SearchFieldSerializer(many=True)  # type: ignore[assignment]


class SearchFields(CatalogueDoor):
    needs = {"GET": LOOK}

    @extend_schema(
        tags=["training"], responses={200: SearchFieldsSerializer, **PROBLEMS}, summary="What a search may vary",
        description="Every field of a plan, with what is usually tried.",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        from annotations import bridge  # loads numpy and more

        return Response({"fields": SearchFieldSerializer(bridge.search_fields(), many=True).data})


class SearchDoor(CatalogueDoor):
    def search(self, id: int) -> PlanSearch:  # noqa: A002
        found = search_numbered(self.catalogue, id)
        if found is None:
            raise Http404
        found.catalogue = self.catalogue
        return found


class OneSearch(SearchDoor):
    needs = {"GET": LOOK}

    @extend_schema(tags=["training"], responses={200: SearchSerializer, **PROBLEMS}, summary="How far a search is")
    def get(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        return Response(show_search(self.search(id)))


class ActOnSearch(SearchDoor):
    needs = {"POST": TRAIN}

    @extend_schema(
        tags=["training"], request=NothingAsked, responses={200: SearchSerializer, **PROBLEMS},
        summary="Stop, pause or resume a search", description="act: cancel, pause or resume.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, id: int, act: str) -> Response:  # noqa: A002
        self.body(NothingAsked)
        if act not in ACTS:
            raise Http404
        ACTS[act](search=self.search(id), user=self.user)
        return Response(show_search(self.search(id)))


class Presets(SearchDoor):
    needs = {"GET": LOOK, "POST": TRAIN}
    queries = {"GET": PageQuery}

    @extend_schema(
        tags=["training"], parameters=[PageQuery], responses={200: page_of(PresetSerializer), **PROBLEMS},
        summary="Plans kept under a name",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        return Response(page(presets_of(self.catalogue), self.query, show_preset))

    @extend_schema(
        tags=["training"], request=NewPreset, responses={201: PresetSerializer, **problems(409, 422)},
        summary="Keep a plan under a name", description="The plan sent, or that of a search's trial.",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        asked = self.body(NewPreset)
        if asked["search"] is None:
            made = keep_plan(catalogue=self.catalogue, user=self.user, name=asked["name"], plan=asked["plan"] or {})
        else:
            trial = self.search(asked["search"]).trials.filter(number=asked["trial"]).first()  # type: ignore[attr-defined]
            if trial is None:
                raise Http404
            trial.search.catalogue = self.catalogue
            made = keep_trial(trial=trial, user=self.user, name=asked["name"])
        return Response(show_preset(made), status=201)


def show_search(search: PlanSearch) -> dict[str, Any]:
    return SearchSerializer(search_row(search)).data


def show_preset(preset: PlanPreset) -> dict[str, Any]:
    return PresetSerializer(preset).data
