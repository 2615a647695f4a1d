"""Files in, as the wizard takes them: send one, see what it holds, say what its columns mean, try it, take it in."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.actions import jobs, uploads
from annotations.actions.errors import Conflict
from annotations.actions.import_problems import in_words
from annotations.actions.sources import delete_source
from annotations.api.auth import IMPORT, LOOK
from annotations.api.base import CatalogueDoor, PageQuery, Strict, page, page_of
from annotations.api.jobs import JobSerializer
from annotations.api.schema import PROBLEMS, problems
from annotations.api.taxonomy import NoBody
from annotations.formats.headers import TARGETS
from annotations.models import ImportBatch, ImportProblem
from annotations.queries.imports import batch_of, history, problem_lines, problems_of
from annotations.queries.sources import sources_of

KINDS = ["products", "tags"]
ATTRIBUTES = ["source", "suggestions", "approved"]
STATES = ["received", "at_work", "tried", "stopped", "done"]


class NewImport(serializers.Serializer):  # type: ignore[type-arg]
    """Sent as ``multipart/form-data``."""

    file = serializers.FileField(max_length=255, allow_empty_file=True)
    pictures = serializers.FileField(required=False, help_text="a zip with the pictures that the rows name")
    kind = serializers.ChoiceField(choices=KINDS, default="products")
    mends = serializers.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="the import whose rows come back mended"
    )


class ImportSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    state = serializers.ChoiceField(
        choices=STATES, read_only=True, help_text="tried: counted, nothing changed; stopped: a part is taken in"
    )
    source = serializers.CharField(  # type: ignore[assignment]
        source="source.name", default=None, allow_null=True, help_text="whose file it was recognised as"
    )
    kind = serializers.ChoiceField(choices=KINDS, read_only=True)
    attributes_as = serializers.ChoiceField(choices=ATTRIBUTES, read_only=True)
    job = JobSerializer(allow_null=True)

    class Meta:
        model = ImportBatch
        fields = (
            "id", "kind", "file_name", "state", "source", "mends", "attributes_as", "archive_missing", "rows", "created",
            "updated", "unchanged", "archived", "set_aside", "problem_count", "report", "job", "created_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields

    def to_representation(self, batch: ImportBatch) -> dict[str, Any]:
        batch.state = state_of(batch)  # type: ignore[attr-defined]
        return dict(super().to_representation(batch))


def state_of(batch: ImportBatch) -> str:
    """How far the file is, in one word of ``STATES``."""
    if batch.job is not None and batch.job.live:
        return "at_work"
    if batch.finished_at is not None:
        return "tried" if batch.dry_run else "done"
    return "stopped" if batch.position and not batch.dry_run else "received"


class ImportsQuery(PageQuery):
    kind = serializers.ChoiceField(choices=KINDS, required=False)


class Reading(Strict):
    """How the file is read; empty: as detected."""

    encoding = serializers.CharField(max_length=40, default="", allow_blank=True)
    delimiter = serializers.CharField(max_length=1, default="", allow_blank=True, trim_whitespace=False)
    path = serializers.CharField(max_length=500, default="", allow_blank=True, help_text="of the list in JSON")
    sheet = serializers.CharField(max_length=200, default="", allow_blank=True)


class ColumnMeaning(Strict):
    header = serializers.CharField(max_length=10_000, allow_blank=True, trim_whitespace=False)
    target = serializers.ChoiceField(choices=list(TARGETS), help_text="empty: kept beside the product")
    facet = serializers.CharField(max_length=200, default="", allow_blank=True, help_text="where it is an attribute")
    separator = serializers.CharField(max_length=4, required=False, allow_blank=True, trim_whitespace=False)


class ImportChange(Strict):
    """``reading`` is taken first, then ``source`` (the columns of a saved source), then single ``columns``."""

    reading = Reading(required=False)
    source = serializers.CharField(max_length=100, required=False)  # type: ignore[assignment]
    columns = serializers.ListField(child=ColumnMeaning(), required=False, max_length=5000)


class TryImport(Strict):
    attributes = serializers.ChoiceField(choices=ATTRIBUTES, default="source")
    archive_missing = serializers.BooleanField(default=False, help_text="archive the products that the file lacks")


class StartImport(TryImport):
    remember_as = serializers.CharField(
        max_length=100, default="", allow_blank=True, help_text="keep what the columns mean as a source of this name"
    )


class ProposedColumnSerializer(serializers.Serializer):  # type: ignore[type-arg]
    header = serializers.CharField()
    target = serializers.CharField()
    facet = serializers.CharField()
    separator = serializers.CharField()
    confidence = serializers.FloatField(help_text="0 to 1")
    reason = serializers.ChoiceField(choices=["", "name", "shape", "contents", "person"])
    samples = serializers.ListField(child=serializers.CharField())


class FirstRowSerializer(serializers.Serializer):  # type: ignore[type-arg]
    line = serializers.IntegerField()
    id = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    category = serializers.CharField()
    language = serializers.CharField()
    family = serializers.CharField()
    attributes = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    images = serializers.ListField(child=serializers.CharField())


class ListInFileSerializer(serializers.Serializer):  # type: ignore[type-arg]
    name = serializers.CharField(help_text="path of a list in JSON, or a sheet")
    rows = serializers.IntegerField(help_text="0: not counted")


class ImportPreviewSerializer(serializers.Serializer):  # type: ignore[type-arg]
    kind = serializers.CharField(help_text="csv, xlsx, json ...")
    encoding = serializers.CharField()
    delimiter = serializers.CharField()
    gzipped = serializers.BooleanField()
    told = serializers.ChoiceField(
        choices=["source", "earlier", "proposed", "given"], help_text="where the meaning of the columns comes from"
    )
    shape = serializers.CharField(help_text="an export that is known: shopify, magento, google; else empty")
    choices = ListInFileSerializer(many=True, help_text="lists or sheets to choose from, where there are several")
    columns = ProposedColumnSerializer(many=True)
    rows = FirstRowSerializer(many=True, help_text="the first, as they will be read")
    refusal = serializers.CharField(allow_null=True, help_text="why it can't be taken in like this")


class ImportProblemSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    message = serializers.SerializerMethodField()

    class Meta:
        model = ImportProblem
        fields = ("id", "file", "line", "column", "value", "severity", "code", "message", "cells")
        read_only_fields = fields

    def get_message(self, problem: ImportProblem) -> str:
        return in_words(problem)


class SourceSerializer(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.IntegerField()
    name = serializers.CharField()
    attributes_as = serializers.ChoiceField(choices=ATTRIBUTES)
    files = serializers.IntegerField(help_text="imports that were read by it")
    used_at = serializers.DateTimeField(allow_null=True)


class ImportDoor(CatalogueDoor):
    def batch(self, pk: int) -> ImportBatch:
        found = batch_of(self.catalogue, pk)
        if found is None or found.kind == "starter":
            raise Http404
        return found

    def told(self, batch: ImportBatch, status: int = 200) -> Response:
        found = batch_of(self.catalogue, batch.pk)
        return Response(ImportSerializer(found).data, status=status)

    def begun(self, batch: ImportBatch, given: dict[str, Any], *, dry_run: bool) -> Response:
        """A job at work, as the body of the request says."""
        uploads.start(
            batch=batch, user=self.user, dry_run=dry_run, attributes_as=given["attributes"],
            archive_missing=given["archive_missing"],
        )  # fmt: skip
        return self.told(batch, 202)


class Imports(ImportDoor):
    needs = {"GET": LOOK, "POST": IMPORT}
    queries = {"GET": ImportsQuery}

    def get_parsers(self) -> list[Any]:
        return [MultiPartParser()] if self.request is not None and self.method == "POST" else super().get_parsers()

    @extend_schema(
        tags=["in"], parameters=[ImportsQuery], responses={200: page_of(ImportSerializer), **PROBLEMS},
        summary="Files that were sent", description="Oldest first.",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        rows = history(self.catalogue).exclude(kind="starter").select_related("source")
        if kind := self.query.get("kind"):
            rows = rows.filter(kind=kind)
        return Response(page(rows, self.query, lambda row: ImportSerializer(row).data))

    @extend_schema(
        tags=["in"], request={"multipart/form-data": NewImport}, responses={201: ImportSerializer, **problems(413, 415, 422)},
        summary="Send a file", description="It is kept and nothing is read yet: look at its preview, change what is wrong, "
        "try it, start it.",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        given = self.body(NewImport)
        batch = uploads.receive(
            catalogue=self.catalogue, user=self.user, kind=given["kind"], table=given["file"],
            pictures=given.get("pictures"), mends=self.batch(given["mends"]) if "mends" in given else None,
        )  # fmt: skip
        return self.told(batch, 201)


class OneImport(ImportDoor):
    needs = {"GET": LOOK, "PATCH": IMPORT, "DELETE": IMPORT}

    @extend_schema(
        tags=["in"], responses={200: ImportSerializer, **PROBLEMS}, summary="How far it is, and what it counted"
    )
    def get(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        return self.told(self.batch(id))

    @extend_schema(
        tags=["in"], request=ImportChange, responses={200: ImportSerializer, **problems(409, 422)},
        summary="How it is read, and what its columns mean",
        description="What a trial counted is forgotten when anything changes. Columns that are not named stay as proposed.",
    )  # fmt: skip
    def patch(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        given, batch = self.body(ImportChange), self.batch(id)
        if "reading" in given:
            uploads.set_reading(batch=batch, options=given["reading"])
        if "source" in given:
            uploads.use_source(batch=batch, name=given["source"])
        if "columns" in given:
            uploads.change_columns(batch=batch, changes=given["columns"])
        return self.told(batch)

    @extend_schema(
        tags=["in"], responses={204: None, **problems(409)}, summary="Throw it away",
        description="409: it is at work, or taken in.",
    )  # fmt: skip
    def delete(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        uploads.discard(batch=self.batch(id))
        return Response(status=204)


class PreviewImport(ImportDoor):
    needs = {"GET": IMPORT}

    @extend_schema(
        tags=["in"], responses={200: ImportPreviewSerializer, **problems(409, 422)}, summary="What the file holds",
        description="Columns with what they are taken for and samples, and the first rows as they will be read.",
    )  # fmt: skip
    def get(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        batch = self.batch(id)
        if batch.kind != "products":
            raise Conflict(_("a list of tags has no columns to choose: start it"), "kind")
        seen = uploads.look(batch=batch)
        told = {
            **{name: seen[name] for name in ("kind", "encoding", "delimiter", "gzipped", "told", "rows", "refusal")},
            "shape": seen["mapping"]["shape"], "columns": seen["mapping"]["columns"],
            "choices": [{"name": name, "rows": rows} for name, rows in seen["choices"]],
        }  # fmt: skip
        return Response(ImportPreviewSerializer(told).data)


class TryIt(ImportDoor):
    needs = {"POST": IMPORT}

    @extend_schema(
        tags=["in"], request=TryImport, responses={202: ImportSerializer, **problems(409, 422)},
        summary="Count, and change nothing", description="A job: poll the import until its state is tried.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        given, batch = self.body(TryImport), self.batch(id)
        if batch.kind != "products":
            raise Conflict(_("a list of tags is not tried: start it, and undo the change where it was wrong"), "kind")
        return self.begun(batch, given, dry_run=True)


class StartIt(ImportDoor):
    needs = {"POST": IMPORT}

    @extend_schema(
        tags=["in"], request=StartImport, responses={202: ImportSerializer, **problems(409, 422)}, summary="Take it in",
        description="A job: poll the import until its state is done. One that was stopped goes on where it was.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        given, batch = self.body(StartImport), self.batch(id)
        if given["remember_as"]:
            batch.attributes_as = given["attributes"]
            uploads.save_as_source(batch=batch, name=given["remember_as"], user=self.user)
        return self.begun(batch, given, dry_run=False)


class CancelImport(ImportDoor):
    needs = {"POST": IMPORT}

    @extend_schema(
        tags=["in"], request=NoBody, responses={200: ImportSerializer, **problems(409)}, summary="Stop it",
        description="What is taken in stays; started again it goes on from there. 409: nothing is at work.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        self.body(NoBody)
        batch = self.batch(id)
        if batch.job is None or not batch.job.live:
            raise Conflict(_("nothing of this file is at work"), "idle")
        jobs.cancel(job=batch.job, user=self.user)
        return self.told(batch)


class ImportProblems(ImportDoor):
    needs = {"GET": LOOK}
    queries = {"GET": PageQuery}

    @extend_schema(
        tags=["in"], parameters=[PageQuery], responses={200: page_of(ImportProblemSerializer), **PROBLEMS},
        summary="Rows and cells that could not be taken as they were",
        description="With file, line, column, what is wrong, and for a row that was left out its cells.",
    )  # fmt: skip
    def get(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        rows = problems_of(self.batch(id))
        return Response(page(rows, self.query, lambda row: ImportProblemSerializer(row).data))


class ProblemsFile(ImportDoor):
    needs = {"GET": LOOK}

    @extend_schema(
        tags=["in"], responses={(200, "text/csv"): OpenApiTypes.BINARY, **PROBLEMS}, summary="The problems as a CSV"
    )
    def get(self, request: Request, slug: str, id: int) -> HttpResponse:  # noqa: A002
        batch = self.batch(id)
        answer = StreamingHttpResponse(problem_lines(batch), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="problems-{batch.pk}.csv"'
        return answer  # type: ignore[return-value]


class Sources(CatalogueDoor):
    needs = {"GET": LOOK}
    queries = {"GET": PageQuery}

    @extend_schema(
        tags=["in"], parameters=[PageQuery], responses={200: page_of(SourceSerializer), **PROBLEMS},
        summary="Columns that are recognised",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        return Response(page(sources_of(self.catalogue), self.query, lambda row: SourceSerializer(row).data))


class OneSource(CatalogueDoor):
    needs = {"DELETE": IMPORT}

    @extend_schema(
        tags=["in"], responses={204: None, **PROBLEMS}, summary="Forget what its columns mean",
        description="Products that came by it stay.",
    )  # fmt: skip
    def delete(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        source = sources_of(self.catalogue).filter(pk=id).first()
        if source is None:
            raise Http404
        delete_source(source=source, user=self.user)
        return Response(status=204)
