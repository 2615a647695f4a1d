"""The large language model of a catalogue: where it is asked, on what terms, and asking it."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.actions.language_model import MOST, forget_language_model, request_asking, set_language_model
from annotations.api.auth import ASK, LOOK_CLOSELY, TRAIN
from annotations.api.base import CatalogueDoor, Strict
from annotations.api.jobs import JobSerializer
from annotations.api.schema import PROBLEMS, problems
from annotations.queries import language_model as questions


class AgreementSerializer(serializers.Serializer):  # type: ignore[type-arg]
    facet = serializers.CharField(source="facet.slug")
    accepted = serializers.IntegerField()
    judged = serializers.IntegerField(help_text="of its claims, by people")


class TermsSerializer(serializers.Serializer):  # type: ignore[type-arg]
    endpoint = serializers.CharField(source="model.endpoint", help_text="what comes before /chat/completions")
    name = serializers.CharField(source="model.name")
    key = serializers.BooleanField(help_text="whether one is stored; it is never shown")
    price_in = serializers.FloatField(source="model.price_in", help_text="of a million tokens sent")
    price_out = serializers.FloatField(source="model.price_out", help_text="of a million tokens answered")
    currency = serializers.CharField(source="model.currency")
    budget = serializers.FloatField(
        source="model.budget", allow_null=True, help_text="of a calendar month; null: no limit"
    )
    shots = serializers.IntegerField(source="model.shots", help_text="approved products shown as examples")
    at_once = serializers.IntegerField(source="model.at_once")
    seconds = serializers.IntegerField(source="model.seconds", help_text="that an answer is waited for")
    answer_tokens = serializers.IntegerField(source="model.answer_tokens", help_text="of an answer, at most")
    spent = serializers.FloatField(help_text="in this calendar month")
    unasked = serializers.IntegerField(source="left", help_text="products that wait and that it was not asked about")
    agreement = AgreementSerializer(many=True)


class NewTerms(Strict):
    """What is given is changed. A key belongs to its host: with another host it is forgotten unless given anew."""

    endpoint = serializers.CharField(max_length=300, required=False)
    name = serializers.CharField(max_length=200, required=False)
    key = serializers.CharField(
        max_length=1000, required=False, allow_blank=True, write_only=True, help_text="empty: forget the stored one"
    )
    price_in = serializers.FloatField(min_value=0, max_value=1e6, required=False)
    price_out = serializers.FloatField(min_value=0, max_value=1e6, required=False)
    currency = serializers.RegexField(r"^[A-Za-z]{3}$", required=False)
    budget = serializers.FloatField(min_value=0, max_value=1e9, required=False, allow_null=True)
    shots = serializers.IntegerField(min_value=0, max_value=20, required=False)
    at_once = serializers.IntegerField(min_value=1, max_value=16, required=False)
    seconds = serializers.IntegerField(min_value=1, max_value=600, required=False)
    answer_tokens = serializers.IntegerField(min_value=16, max_value=8192, required=False)

    def validate_currency(self, value: str) -> str:
        return value.upper()


class Question(Strict):
    products = serializers.IntegerField(min_value=1, max_value=MOST, help_text="the head of the queue first")


class AskedSerializer(serializers.Serializer):  # type: ignore[type-arg]
    job = JobSerializer()
    products = serializers.IntegerField(help_text="asked about so far")
    tags = serializers.IntegerField(help_text="claimed")
    unknown = serializers.IntegerField(help_text="named without being a tag that was offered, and dropped")
    failed = serializers.IntegerField()
    masked = serializers.IntegerField(help_text="characters of personal data that were not sent")
    tokens_in = serializers.IntegerField()
    tokens_out = serializers.IntegerField()
    estimated = serializers.BooleanField(help_text="the server did not count tokens, we did")
    cost = serializers.FloatField()


class TheModel(CatalogueDoor):
    needs = {"GET": LOOK_CLOSELY, "PATCH": TRAIN, "DELETE": TRAIN}

    @extend_schema(
        tags=["language model"],
        responses={200: TermsSerializer, **PROBLEMS},
        summary="Where it is asked, and what that cost",
    )
    def get(self, request: Request, slug: str) -> Response:
        return self.shown()

    @extend_schema(
        tags=["language model"], request=NewTerms, responses={200: TermsSerializer, **problems(422)}, summary="Set or change it",
        description="422 with code endpoint: this installation may not ask there (FETCH_HOSTS). Nothing is asked yet.",
    )  # fmt: skip
    def patch(self, request: Request, slug: str) -> Response:
        set_language_model(catalogue=self.catalogue, user=self.user, **self.body(NewTerms))
        return self.shown()

    @extend_schema(
        tags=["language model"], request=None, responses={204: OpenApiResponse(description="forgotten"), **PROBLEMS},
        summary="Forget its address and key", description="Its answers and what they cost stay.",
    )  # fmt: skip
    def delete(self, request: Request, slug: str) -> Response:
        forget_language_model(catalogue=self.catalogue, user=self.user)
        return Response(status=204)

    def shown(self) -> Response:
        found = questions.terms(self.catalogue)
        if found is None:
            raise Http404
        return Response(TermsSerializer(found).data)


class Runs(CatalogueDoor):
    needs = {"GET": LOOK_CLOSELY, "POST": ASK}

    @extend_schema(
        tags=["language model"],
        responses={200: AskedSerializer(many=True), **PROBLEMS},
        summary="The latest runs in numbers",
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(AskedSerializer(questions.runs(self.catalogue), many=True).data)

    @extend_schema(
        tags=["language model"], request=Question, responses={202: JobSerializer, **problems(422)}, summary="Ask it",
        description="Its answers become suggestions that never come checked. One run at a time: asking again while one "
        "waits gives that one. 422 with code budget: this month's is used up.",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        given: dict[str, Any] = self.body(Question)
        job = request_asking(catalogue=self.catalogue, user=self.user, **given)
        return Response(JobSerializer(job).data, status=202)
