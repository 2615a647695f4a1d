"""Where each address leads."""

from django.urls import URLPattern, URLResolver, include, path

from tagstudio import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include("annotations.api.urls")),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", health.metrics, name="metrics"),
    path("", include("annotations.urls")),
]
