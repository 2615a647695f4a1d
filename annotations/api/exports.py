"""Exports: ask for a file, look how far it is, fetch it."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.actions.exports import download_of, request_export
from annotations.api.auth import EXPORT
from annotations.api.base import BIGGEST, CatalogueDoor, Strict
from annotations.api.jobs import JobSerializer
from annotations.api.schema import PROBLEMS, problems
from annotations.formats.writers import WRITERS
from annotations.models import ExportBatch
from annotations.queries.exports import export_of
from annotations.ranges import file_response


class NewExport(Strict):
    format = serializers.ChoiceField(choices=list(WRITERS))  # type: ignore[assignment]
    as_of = serializers.IntegerField(
        min_value=0, max_value=BIGGEST, default=None, allow_null=True, help_text="a seq of the feed; default: now"
    )


class ExportSerializer(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    format = serializers.ChoiceField(choices=list(WRITERS))  # type: ignore[assignment]
    as_of = serializers.IntegerField()
    rows = serializers.IntegerField(help_text="products in the file, once it is done")
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField(help_text="of the file; empty until it is done")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    download = serializers.URLField(allow_null=True, help_text="null until it is done")
    job = JobSerializer(allow_null=True)


def export_body(batch: ExportBatch, request: HttpRequest) -> dict[str, Any]:
    where = reverse("api:export_download", args=[batch.catalogue.slug, batch.pk])
    return {
        "id": batch.pk, "format": batch.format, "as_of": batch.as_of, "rows": batch.rows, "bytes": batch.bytes,
        "sha256": batch.sha256, "created_at": batch.created_at, "finished_at": batch.finished_at,
        "download": request.build_absolute_uri(where) if batch.path else None,
        "job": JobSerializer(batch.job).data if batch.job else None,
    }  # fmt: skip


class Exports(CatalogueDoor):
    needs = {"POST": EXPORT}

    @extend_schema(
        tags=["out"], request=NewExport, responses={202: ExportSerializer, **problems(422)}, summary="Ask for a file",
        description="A job writes it: poll the export until ``finished_at`` is set, then fetch ``download``.",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        batch = request_export(catalogue=self.catalogue, user=self.user, **self.body(NewExport))
        return Response(export_body(batch, request), status=202)


class OneExport(CatalogueDoor):
    needs = {"GET": EXPORT}

    def batch(self, id: uuid.UUID) -> ExportBatch:  # noqa: A002
        found = export_of(self.catalogue, id)
        if found is None:
            raise Http404
        return found

    @extend_schema(tags=["out"], responses={200: ExportSerializer, **PROBLEMS}, summary="How far it is")
    def get(self, request: Request, slug: str, id: uuid.UUID) -> Response | HttpResponse:  # noqa: A002
        return Response(export_body(self.batch(id), request))


class Download(OneExport):
    @extend_schema(
        tags=["out"],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
            416: OpenApiResponse(description="no such range"),
            **problems(409),
        },
        summary="The file, whole or by range",
        description="``ETag`` is its sha256. 409: it is not ready.",
    )
    def get(self, request: Request, slug: str, id: uuid.UUID) -> HttpResponse:  # noqa: A002
        batch = self.batch(id)
        file = download_of(batch)
        return file_response(request._request, file.path, name=file.name, kind=file.kind, sha256=batch.sha256)
