"""Every error as ``application/problem+json`` (RFC 9457): for people ``detail``, for programs ``code``."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.views import set_rollback

from annotations.actions.errors import Refused

CONTENT_TYPE = "application/problem+json"


class ProblemSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """How an error looks. Some carry more: ``errors`` by field, or what a conflict was about."""

    type = serializers.CharField(help_text="always about:blank: code says which")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="for programs; stays the same whatever the language")
    detail = serializers.CharField(help_text="for people")
    errors = serializers.DictField(required=False, help_text="field to what is wrong with it")  # type: ignore[assignment]


def problem(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail,
        **{name: value for name, value in more.items() if name not in ("type", "title", "status", "code", "detail")},
    }  # fmt: skip


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. None lets what nobody expected through, to be logged and answered with 500."""
    answer = _answer(error)
    if answer is None:
        return None
    body, headers = answer
    set_rollback()
    response = Response(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)
    return response


def _answer(error: Exception) -> tuple[dict[str, Any], dict[str, str]] | None:
    body, headers = None, {}
    match error:
        case Refused():
            body = problem(error.status, error.code, error.message, **error.details)
        case Http404():
            body = problem(404, "not_found", _("there is nothing here"))
        case RequestDataTooBig():
            body = problem(413, "too_large", _("the request is too large: send it in parts"))
        case PermissionDenied():
            body = problem(403, "forbidden", _("you may not do this"))
        case exceptions.ValidationError():
            body = problem(400, "invalid", _("some values cannot be taken as they are"), errors=_by_field(error))
        case exceptions.APIException():
            body, headers = problem(error.status_code, _code(error), str(error.detail)), _headers(error)
    return None if body is None else (body, headers)


def _code(error: exceptions.APIException) -> str:
    codes = error.get_codes()
    return codes if isinstance(codes, str) else error.default_code


def _by_field(error: exceptions.ValidationError) -> Any:
    return error.detail if isinstance(error.detail, dict) else {"": error.detail}


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if scheme := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = scheme
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    return headers
