"""The OpenAPI schema and its page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny


class Schema(SpectacularAPIView):
    """Open to everybody: it says what there is, not what is in it."""

    permission_classes = [AllowAny]
    authentication_classes = []
    throttle_classes = []
    http_method_names = ["get", "head"]


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Swagger UI as files of our own: nothing inline, so that the site's one content security policy holds."""
    return render(request, "api_docs.html")
