"""Static files by hashed names once they are collected, by their plain names before."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class Storage(CompressedManifestStaticFilesStorage):
    """A server that is started before ``collectstatic`` shows its pages all the same; WhiteNoise finds the files."""

    # Without, a module that others import would be loaded twice, by its hashed and by its plain name. Only ours:
    # packages bring modules that import what is not there.
    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        ("annotations/*.js", CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1]),
    )

    def stored_name(self, name: str) -> str:
        try:
            stored: str = super().stored_name(name)
        except ValueError:
            return name
        return stored
