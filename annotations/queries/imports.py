"""Questions about imports: what was read, and what was wrong with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet

from annotations.models import Catalogue, ImportBatch

PROBLEM_COLUMNS = ("file", "line", "column", "value", "severity", "code", "message")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def history(catalogue: Catalogue) -> QuerySet[ImportBatch]:
    """Imports of the catalogue, latest first."""
    return ImportBatch.objects.filter(catalogue=catalogue).select_related("user", "job").order_by("-id")


def problem_lines(batch: ImportBatch) -> Iterator[str]:
    """The problems as lines of a CSV with a byte order mark, so that spreadsheets read it as UTF-8."""
    yield "\ufeff" + _line(PROBLEM_COLUMNS)
    for problem in batch.problems.order_by("line", "id").iterator(chunk_size=2000):  # type: ignore[attr-defined]
        yield _line([_harmless(str(getattr(problem, name))) for name in PROBLEM_COLUMNS])


def write_problems(batch: ImportBatch, path: str | Path | None = None) -> Path:
    """The problems as a CSV file; where no path is given, below TAGSTUDIO_HOME/uploads. Returns where it is."""
    target = Path(path) if path else Path(settings.UPLOADS_ROOT) / f"problems-{batch.pk}.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(problem_lines(batch))
    return target


def _line(cells: tuple[str, ...] | list[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _harmless(text: str) -> str:
    """A spreadsheet takes text that begins like this for a formula."""
    return "'" + text if text.startswith(FORMULA) else text


def batch_of(catalogue: Catalogue, pk: int) -> ImportBatch | None:
    return ImportBatch.objects.filter(catalogue=catalogue, pk=pk).select_related("user", "job", "catalogue").first()
