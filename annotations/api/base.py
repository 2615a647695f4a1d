"""What the views of the API share: strict serializers, doors with needs, keyset pages, the throttle."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.core.cache import cache
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from annotations.access import member_or_404
from annotations.api.auth import LOOK, ByMethod, Needs
from annotations.models import ApiToken, Catalogue, Membership, User

BIGGEST = 2**63 - 1
PAGE = 100
PAGE_MOST = 500


class Strict(serializers.Serializer):  # type: ignore[type-arg]
    """Refuses names it does not know, so that a typing error is not a silent no."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            known = ", ".join(self.fields) or "-"
            raise serializers.ValidationError(
                {name: [_("unknown; known are: %(known)s") % {"known": known}] for name in unknown}
            )
        return super().to_internal_value(data)


class ShareField(serializers.FloatField):
    """0 to 1; DRF's own field lets "nan" through, which is neither below 0 nor above 1."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=1, **options)

    def to_internal_value(self, data: Any) -> float:
        value = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class IsSet(serializers.BooleanField):
    """Whether the source has a value: no date, false; a date, true."""

    def get_attribute(self, instance: Any) -> bool:
        return bool(super().get_attribute(instance))


class NoQuery(Strict):
    """No parameters."""


class PageQuery(Strict):
    limit = serializers.IntegerField(min_value=1, max_value=PAGE_MOST, default=PAGE, help_text="rows in the answer")
    after = serializers.CharField(
        default="", allow_blank=True, max_length=200, help_text="the ``next`` of the page before"
    )


class TokenThrottle(BaseThrottle):
    """So many requests a minute for each token, counted per process in fixed windows."""

    window = 60

    def allow_request(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, ApiToken):
            return True
        most: int = settings.API_REQUESTS_PER_MINUTE
        self.now = time.time()
        key = f"api:{request.auth.pk}:{int(self.now) // self.window}"
        if cache.add(key, 1, timeout=2 * self.window):
            return True
        try:
            return cache.incr(key) <= most
        except ValueError:  # it ran out between the two
            return True

    def wait(self) -> float:
        return self.window - self.now % self.window


class Door(APIView):
    """A view that says what each method needs (``needs``) and which query parameters it knows (``queries``)."""

    needs: ClassVar[dict[str, Needs]] = {}
    queries: ClassVar[dict[str, type[Strict]]] = {}
    permission_classes: Sequence[type[BasePermission]] = [ByMethod]
    throttle_classes: Sequence[type[BaseThrottle]] = [TokenThrottle]
    http_method_names = ["get", "head", "post", "patch", "put", "delete"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.enter(request, **kwargs)
        query = self.queries.get(self.method, NoQuery)(data=self.single_values(request))
        query.is_valid(raise_exception=True)
        self.query: dict[str, Any] = query.validated_data

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def enter(self, request: Request, **kwargs: Any) -> None:
        """Where a subclass asks for more than the token."""

    @property
    def method(self) -> str:
        return "GET" if self.request.method == "HEAD" else self.request.method or ""

    @property
    def user(self) -> User:
        user = self.request.user
        assert isinstance(user, User)
        return user

    @staticmethod
    def single_values(request: Request) -> dict[str, str]:
        for name, values in request.query_params.lists():
            if len(values) > 1:
                raise serializers.ValidationError({name: [_("given more than once")]})
        return request.query_params.dict()

    def body(self, serializer: type[serializers.Serializer], **options: Any) -> Any:  # type: ignore[type-arg]
        """The request's body, checked."""
        given = serializer(data=self.request.data, **options)
        given.is_valid(raise_exception=True)
        return given.validated_data


class CatalogueDoor(Door):
    """A door below ``catalogues/{slug}/``: strangers get 404, members below the role 403."""

    membership: Membership

    def enter(self, request: Request, **kwargs: Any) -> None:
        self.membership = member_or_404(self.user, kwargs["slug"], self.needs.get(self.method, LOOK).role)

    @property
    def catalogue(self) -> Catalogue:
        return self.membership.catalogue


def page(rows: QuerySet[Any], query: dict[str, Any], show: Callable[[Any], Any], *, key: str = "id") -> dict[str, Any]:
    """One page of ``rows`` by a unique key: cost is the same on the first page and the last, and rows that come or go
    meanwhile move nothing. ``next`` is None at the end."""
    after, limit = query["after"], query["limit"]
    if after:
        if key in ("id", "number") and not (after.isdecimal() and after.isascii() and int(after) <= BIGGEST):
            raise serializers.ValidationError({"after": [_("take it from the ``next`` of a page")]})
        rows = rows.filter(**{f"{key}__gt": after})
    found = list(rows.order_by(key)[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return {"results": [show(row) for row in found], "next": str(getattr(found[-1], key)) if more else None}


def page_of(row: type[serializers.Serializer]) -> type[serializers.Serializer]:  # type: ignore[type-arg]
    """The schema of a page of such rows."""
    return type(
        row.__name__.replace("Serializer", "") + "Page",
        (serializers.Serializer,),
        {
            "results": row(many=True),
            "next": serializers.CharField(allow_null=True, help_text="``after`` of the next page; null: the last"),
        },
    )


class Nothing(Door):
    """Whatever address is not there."""

    schema = None
    http_method_names = ["get", "head", "post", "patch", "put", "delete", "options"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.perform_authentication(request)
        if not isinstance(request.auth, ApiToken):
            raise NotAuthenticated
        raise Http404
