"""Jobs: long work, looked at and stopped."""

from __future__ import annotations

import uuid

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.access import member_or_404
from annotations.api.auth import LOOK
from annotations.api.base import Door
from annotations.api.schema import PROBLEMS
from annotations.models import Job


class JobSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    share = serializers.FloatField(allow_null=True, help_text="how much is done, 0 to 1; null: nobody can say")
    seconds_left = serializers.FloatField(allow_null=True)

    class Meta:
        model = Job
        fields = (
            "id", "kind", "queue", "state", "step", "done_count", "total_count", "rate", "share", "seconds_left",
            "attempts", "result", "error", "log", "created_at", "started_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields


class OneJob(Door):
    needs = {"GET": LOOK}

    @extend_schema(tags=["jobs"], responses={200: JobSerializer, **PROBLEMS}, summary="A job of one of your catalogues")
    def get(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        job = Job.objects.select_related("catalogue").filter(pk=id).first()
        if job is None or job.catalogue is None:
            raise Http404
        member_or_404(self.user, job.catalogue.slug)
        return Response(JobSerializer(job).data)
