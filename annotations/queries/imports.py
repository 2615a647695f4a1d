"""Questions about imports: what was read, and what was wrong with it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet

from annotations.formats.cells import as_text
from annotations.formats.mapping import NOTES
from annotations.formats.write_csv import safe_cell
from annotations.models import Catalogue, ImportBatch, ImportProblem

PROBLEM_COLUMNS = ("file", "line", "column", "value", "severity", "code", "message")


def history(catalogue: Catalogue) -> QuerySet[ImportBatch]:
    """Imports of the catalogue, latest first."""
    return ImportBatch.objects.filter(catalogue=catalogue).select_related("user", "job").order_by("-id")


def starters(catalogue: Catalogue) -> QuerySet[ImportBatch]:
    """Taxonomies that were sent to start from, latest first."""
    return history(catalogue).filter(kind="starter")


def problems_of(batch: ImportBatch) -> QuerySet[ImportProblem]:
    """Those that are kept, in the order in which they were found."""
    return ImportProblem.objects.filter(batch=batch)


def problem_lines(batch: ImportBatch) -> Iterator[str]:
    """The problems as lines of a CSV with a byte order mark, so that spreadsheets read it as UTF-8."""
    yield "\ufeff" + _line(PROBLEM_COLUMNS)
    for problem in batch.problems.order_by("line", "id").iterator(chunk_size=2000):  # type: ignore[attr-defined]
        yield _line([safe_cell(str(getattr(problem, name))) for name in PROBLEM_COLUMNS])


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


def to_mend(batch: ImportBatch) -> QuerySet[ImportProblem]:
    """The problems whose rows were left out and are kept, in the order of the file."""
    return ImportProblem.objects.filter(batch=batch, severity="error").exclude(cells=[]).order_by("line", "id")


def mend_lines(batch: ImportBatch, told: Callable[[ImportProblem], str]) -> tuple[str, Iterator[str]]:
    """``(suffix, lines)`` of a file with the rows that were left out, to be mended and sent again.

    Its columns are those of the file that was sent, after two of ours (``NOTES``) that say where the row stood and
    what was wrong, in the words of ``told``. A table comes as CSV for spreadsheets; rows of JSON as JSON Lines.
    """
    kept = to_mend(batch)
    headers: dict[str, None] = dict.fromkeys(column["header"] for column in batch.mapping.get("columns", ()))
    table = True
    for problem in kept.only("cells").iterator(chunk_size=500):
        for row in problem.cells:
            headers |= dict.fromkeys(row)
            table = table and all(isinstance(value, str) for value in row.values())
    noted = ({NOTES[0]: str(p.line), NOTES[1]: told(p)} for p in kept.iterator(chunk_size=500))
    rows = (p.cells for p in kept.iterator(chunk_size=500))
    if not table:
        objects = (
            {**(note if n == 0 else {}), **row}
            for note, some in zip(noted, rows, strict=True)
            for n, row in enumerate(some)
        )
        return ".jsonl", (json.dumps(one, ensure_ascii=False) + "\n" for one in objects)
    columns = [*NOTES, *headers]
    lines = (
        _line([safe_cell(as_text({**(note if n == 0 else {}), **row}.get(name))) for name in columns])
        for note, some in zip(noted, rows, strict=True)
        for n, row in enumerate(some)
    )
    return ".csv", _with_header(columns, lines)


def _with_header(columns: list[str], lines: Iterator[str]) -> Iterator[str]:
    yield "\ufeff" + _line(columns)
    yield from lines


def batch_of(catalogue: Catalogue, pk: int) -> ImportBatch | None:
    return ImportBatch.objects.filter(catalogue=catalogue, pk=pk).select_related("user", "job", "catalogue").first()
