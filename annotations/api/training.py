"""Training runs and models: ask for one, watch it, stop it, put it to work, go back."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.actions.training import (
    cancel_training,
    pause_training,
    promote,
    request_training,
    resume_training,
    rollback,
)
from annotations.api.auth import LOOK, TRAIN
from annotations.api.base import CatalogueDoor, PageQuery, Strict, page, page_of
from annotations.api.jobs import JobSerializer
from annotations.api.schema import PROBLEMS, problems
from annotations.models import ModelVersion, TrainingRun
from annotations.queries.training import in_use, model_numbered, models_of, run_numbered, runs_of


class NewRun(Strict):
    plan = serializers.DictField(default=dict, help_text="what differs from the defaults of the training library")


class RunSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    id = serializers.IntegerField(source="number")
    model = serializers.IntegerField(source="model_version.number", default=None, allow_null=True)
    job = JobSerializer()

    class Meta:
        model = TrainingRun
        fields = (
            "id", "reason", "plan", "device", "data_hash", "decided_seq", "decision_count", "product_count", "curve", "report", "model",
            "created_at", "job",
        )  # fmt: skip
        read_only_fields = fields


class ModelSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    id = serializers.IntegerField(source="number")
    encoder = serializers.IntegerField(
        source="encoder.number", default=None, allow_null=True, help_text="under it; null: packaged encoders"
    )

    class Meta:
        model = ModelVersion
        fields = (
            "id", "name", "tier", "state", "metrics", "card", "encoder", "decided_seq", "sha256", "note", "created_at",
            "promoted_at",
        )  # fmt: skip
        read_only_fields = fields


class InUseSerializer(serializers.Serializer):  # type: ignore[type-arg]
    serving = ModelSerializer(allow_null=True, help_text="the instant model that suggests now")
    encoder = ModelSerializer(allow_null=True, help_text="the promoted full model under it; null: packaged encoders")


class Promotion(Strict):
    override = serializers.CharField(
        default="", allow_blank=True, max_length=1000, help_text="why, where the gate objects; see the 422 it answers"
    )


class NoBody(Strict):
    """Nothing is asked for."""


class TrainingRuns(CatalogueDoor):
    needs = {"GET": LOOK, "POST": TRAIN}
    queries = {"GET": PageQuery}

    @extend_schema(
        tags=["training"], parameters=[PageQuery], responses={200: page_of(RunSerializer), **PROBLEMS}, summary="Runs"
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(page(runs_of(self.catalogue), self.query, show_run, key="number"))

    @extend_schema(
        tags=["training"], request=NewRun, responses={202: RunSerializer, **problems(422)}, summary="Train a full model",
        description="One runs and one waits: asking again changes the plan of the one that waits.",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        run = request_training(catalogue=self.catalogue, user=self.user, **self.body(NewRun))
        return Response(show_run(run), status=202)


class RunDoor(CatalogueDoor):
    def run(self, id: int) -> TrainingRun:  # noqa: A002
        found = run_numbered(self.catalogue, id)
        if found is None:
            raise Http404
        return found


class OneRun(RunDoor):
    needs = {"GET": LOOK}

    @extend_schema(tags=["training"], responses={200: RunSerializer, **PROBLEMS}, summary="How far a run is")
    def get(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        return Response(show_run(self.run(id)))


class CancelRun(RunDoor):
    needs = {"POST": TRAIN}

    @extend_schema(
        tags=["training"], request=NoBody, responses={200: RunSerializer, **PROBLEMS}, summary="Stop it",
        description="It ends within seconds; a run that has ended stays as it is.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        self.body(NoBody)
        cancel_training(run=self.run(id), user=self.user)
        return Response(show_run(self.run(id)))


class PauseRun(RunDoor):
    needs = {"POST": TRAIN}

    @extend_schema(
        tags=["training"], request=NoBody, responses={200: RunSerializer, **PROBLEMS}, summary="Let it rest",
        description="It writes a checkpoint and frees what it computes on. A run that has ended stays as it is.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        self.body(NoBody)
        pause_training(run=self.run(id), user=self.user)
        return Response(show_run(self.run(id)))


class ResumeRun(RunDoor):
    needs = {"POST": TRAIN}

    @extend_schema(
        tags=["training"], request=NoBody, responses={200: RunSerializer, **PROBLEMS}, summary="Go on with a paused run",
        description="From its checkpoint, to the numbers of an undisturbed run.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        self.body(NoBody)
        resume_training(run=self.run(id), user=self.user)
        return Response(show_run(self.run(id)))


class Models(CatalogueDoor):
    needs = {"GET": LOOK}
    queries = {"GET": PageQuery}

    @extend_schema(
        tags=["training"], parameters=[PageQuery], responses={200: page_of(ModelSerializer), **PROBLEMS},
        summary="Models, those thrown away left out",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        return Response(page(models_of(self.catalogue), self.query, show_model, key="number"))


class ModelDoor(CatalogueDoor):
    needs = {"POST": TRAIN}

    def model(self, id: int) -> ModelVersion:  # noqa: A002
        found = model_numbered(self.catalogue, id)
        if found is None:
            raise Http404
        return found

    def in_use(self) -> Response:
        return Response({name: model and show_model(model) for name, model in in_use(self.catalogue).items()})


class Promote(ModelDoor):
    @extend_schema(
        tags=["training"], request=Promotion, responses={200: InUseSerializer, **problems(409, 422)},
        summary="Put a full model to work",
        description="Rescoring follows as a job. 422 with code gate: what the gate objects to; send why to override it.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        promote(catalogue=self.catalogue, model=self.model(id), user=self.user, **self.body(Promotion))
        return self.in_use()


class Rollback(ModelDoor):
    @extend_schema(
        tags=["training"], request=NoBody, responses={200: InUseSerializer, **problems(409, 422)},
        summary="Back to the model before", description="409: the model named is not the one at work.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        self.body(NoBody)
        rollback(catalogue=self.catalogue, user=self.user, model=self.model(id))
        return self.in_use()


class RollbackPresent(ModelDoor):
    @extend_schema(
        tags=["training"], request=NoBody, responses={200: InUseSerializer, **problems(409, 422)},
        summary="Back from whatever model is at work",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        self.body(NoBody)
        rollback(catalogue=self.catalogue, user=self.user)
        return self.in_use()


def show_run(run: TrainingRun) -> dict[str, Any]:
    return RunSerializer(run).data


def show_model(model: ModelVersion) -> dict[str, Any]:
    return ModelSerializer(model).data
