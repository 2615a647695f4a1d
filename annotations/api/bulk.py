"""Many products at once: what an action would do, the action as a job, stopping it, taking it back."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.actions import bulk_actions as verbs
from annotations.actions import jobs
from annotations.actions.errors import Conflict, Refused
from annotations.api.auth import IMPORT
from annotations.api.base import CatalogueDoor, PageQuery, Strict, page, page_of
from annotations.api.jobs import JobSerializer
from annotations.api.products import ProductsQuery
from annotations.api.schema import PROBLEMS, problems
from annotations.api.taxonomy import NoBody
from annotations.models import BulkRun, Product
from annotations.queries.bulk import run_of, runs_by_age
from annotations.queries.products import Filters

PARAMS = ("band", "facet", "complete", "only", "tag", "category", "family", "priority", "reason")


class BulkFilters(Strict):
    """As the list of products takes them."""

    def get_fields(self) -> dict[str, Any]:
        taken = ("limit", "after", "archived")
        return {name: field for name, field in ProductsQuery().get_fields().items() if name not in taken}


class BulkAction(Strict):
    """For ``products`` (ids of the shop's own), or for everything that fits ``filters``."""

    kind = serializers.ChoiceField(choices=BulkRun.Kind.choices)
    params = serializers.DictField(
        child=serializers.CharField(max_length=500, allow_blank=True), default=dict,
        help_text=f"what the kind takes, of {', '.join(PARAMS)}",
    )  # fmt: skip
    products = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, max_length=verbs.SELECTED_MOST
    )
    filters = BulkFilters(required=False)

    def validate_params(self, value: dict[str, str]) -> dict[str, str]:
        if set(value) - set(PARAMS):
            raise serializers.ValidationError(_("unknown; known are: %(known)s") % {"known": ", ".join(PARAMS)})
        return value


class NewBulkRun(BulkAction):
    confirmed = serializers.IntegerField(
        required=False, min_value=0, max_value=2**31 - 1,
        help_text="with filters: how many products they fit, as the preview says; another number is a 409",
    )  # fmt: skip


class HeldSerializer(serializers.Serializer):  # type: ignore[type-arg]
    product = serializers.CharField(help_text="id of the shop's own; of a run its number here")
    why = serializers.CharField()


class ForeseenBulkSerializer(serializers.Serializer):  # type: ignore[type-arg]
    total = serializers.IntegerField()
    looked = serializers.IntegerField(help_text="of these the rest is counted")
    changed = serializers.IntegerField()
    held_count = serializers.IntegerField(help_text="products that stay out")
    held = HeldSerializer(many=True, help_text="the first of them")


class BulkRunSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    held = HeldSerializer(many=True)
    job = JobSerializer(allow_null=True)
    undo_job = JobSerializer(allow_null=True)

    class Meta:
        model = BulkRun
        fields = (
            "id", "kind", "params", "filters", "total", "seen", "changed", "held_count", "held", "undone", "kept", "job",
            "undo_job", "created_at",
        )  # fmt: skip
        read_only_fields = fields


class BulkDoor(CatalogueDoor):
    def run(self, pk: int) -> BulkRun:
        found = run_of(self.catalogue, pk)
        if found is None:
            raise Http404
        return found

    def told(self, run: BulkRun, status: int = 200) -> Response:
        return Response(BulkRunSerializer(run_of(self.catalogue, run.pk)).data, status=status)

    def asked(self, serializer: type[BulkAction]) -> dict[str, Any]:
        """What to do and to which products. Raises Refused for ids that are not there, or where nothing says which."""
        given: dict[str, Any] = self.body(serializer)
        names = given.pop("products", None)
        filters = given.pop("filters", None)
        if (names is None) == (filters is None):
            raise Refused(_("name the products or filters, one of the two"), "products")
        selection: list[int] = []
        if names is not None:
            found = dict(
                Product.objects.filter(catalogue=self.catalogue, external_id__in=names).values_list("external_id", "pk")
            )
            if unknown := [name for name in names if name not in found]:
                message = _("there is no product “%(id)s”") % {"id": unknown[0]}
                raise Refused(message, "unknown_product", products=unknown[:20])
            selection = list(found.values())
            if not selection:
                raise Refused(_("choose some products first"), "nothing")
        return {**given, "selection": selection, "filters": Filters.of(filters) if filters is not None else None}


class BulkRuns(BulkDoor):
    needs = {"GET": IMPORT, "POST": IMPORT}
    queries = {"GET": PageQuery}

    @extend_schema(
        tags=["bulk"], parameters=[PageQuery], responses={200: page_of(BulkRunSerializer), **PROBLEMS},
        summary="Actions on many products", description="Oldest first.",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        return Response(page(runs_by_age(self.catalogue), self.query, lambda row: BulkRunSerializer(row).data))

    @extend_schema(
        tags=["bulk"], request=NewBulkRun, responses={202: BulkRunSerializer, **problems(409, 422)},
        summary="Do something to many products",
        description="A job: poll the run until its job has ended. All of it is undone with one call.",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        run = verbs.request_bulk(catalogue=self.catalogue, user=self.user, **self.asked(NewBulkRun))
        return self.told(run, 202)


class ForeseeBulk(BulkDoor):
    needs = {"POST": IMPORT}

    @extend_schema(
        tags=["bulk"], request=BulkAction, responses={200: ForeseenBulkSerializer, **problems(422)},
        summary="What it would do", description="Worked out by the plan that the action follows; nothing is written.",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        found = verbs.foresee(catalogue=self.catalogue, **self.asked(BulkAction))
        held = [{"product": product.external_id, "why": why} for product, why in found.held]
        counts = {name: getattr(found, name) for name in ("total", "looked", "changed", "held_count")}
        return Response(ForeseenBulkSerializer({**counts, "held": held}).data)


class OneBulkRun(BulkDoor):
    needs = {"GET": IMPORT}

    @extend_schema(
        tags=["bulk"], responses={200: BulkRunSerializer, **PROBLEMS}, summary="How far it is, and what stayed out"
    )
    def get(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        return self.told(self.run(id))


class CancelBulkRun(BulkDoor):
    needs = {"POST": IMPORT}

    @extend_schema(
        tags=["bulk"], request=NoBody, responses={200: BulkRunSerializer, **problems(409)}, summary="Stop it",
        description="What was done stays until it is undone. 409: it does not run.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        self.body(NoBody)
        run = self.run(id)
        job = verbs.job_of(run)
        if job is None or not job.live:
            raise Conflict(_("it does not run"), "idle")
        jobs.cancel(job=job, user=self.user)
        return self.told(run)


class UndoBulkRun(BulkDoor):
    needs = {"POST": IMPORT}

    @extend_schema(
        tags=["bulk"], request=NoBody, responses={202: BulkRunSerializer, **problems(409)}, summary="Take all of it back",
        description="A job. Rows that changed again since are left and counted as kept.",
    )  # fmt: skip
    def post(self, request: Request, slug: str, id: int) -> Response:  # noqa: A002
        self.body(NoBody)
        return self.told(verbs.request_undo(run=self.run(id), user=self.user), 202)
