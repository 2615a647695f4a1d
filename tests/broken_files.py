"""What must be true of an import of any file whatever, and the check of it: see mutator.py for the files."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotations.actions.errors import Refused
from annotations.actions.imports import import_products
from annotations.formats import confined
from annotations.formats.sandbox import Encoded
from annotations.models import Catalogue, ImportBatch, Product, QueueItem
from tests.mutator import Broken

NO_COLUMN = frozenset(
    ("not-an-object", "deep-json", "broken-json-rest", "truncated", "inflates", "too-many-rows", "long-line")
)
"""Problems of a row or of the rest of the file, which no column has."""
WITHOUT_PLACES = (".parquet", ".xlsx")
"""Files whose own reader does not say where in a row it gave up."""


def without_children(patch: pytest.MonkeyPatch) -> None:
    """What a child would do is done here, so that an exception is seen where it happens."""
    answers: deque[Any] = deque()
    answering: list[Any] = []

    def stream(function: Any, *args: Any, answer: Any = None, **_limits: Any) -> Iterator[Any]:
        answering[:] = [answer]
        for item in function(*json.loads(json.dumps(args))):
            yield json.loads(item if isinstance(item, Encoded) else json.dumps(item))

    def ask(question: Any) -> None:
        answers.append(answering[0](question))

    patch.setattr(confined, "stream_limited", stream)
    patch.setattr(confined, "run_limited", lambda function, *args, **_limits: function(*args))
    patch.setattr(confined._Asking, "ask", staticmethod(ask))
    patch.setattr(confined._Asking, "answer", staticmethod(answers.popleft))


def take_in(catalogue: Catalogue, broken: Broken, folder: Path, *, child: bool) -> str:
    """Import the file; the refusal's code, or ``done``. Raises AssertionError where a promise is not kept."""
    path = folder / "broken"
    path.write_bytes(broken.content)
    before = Product.objects.filter(catalogue=catalogue).count()
    with pytest.MonkeyPatch.context() as patch:
        if not child:
            without_children(patch)
        try:
            batch = import_products(catalogue=catalogue, path=path, file_name=broken.name)
        except Refused as refused:
            assert refused.code.startswith("file-") and len(refused.message) > 20, refused
            assert refused.code != "file-sandbox-died", "the reader fell over"
            assert Product.objects.filter(catalogue=catalogue).count() == before, "refused and yet written"
            return refused.code
    check(batch, broken, before)
    return "done"


def check(batch: ImportBatch, broken: Broken, before: int) -> None:
    products = Product.objects.filter(catalogue=batch.catalogue)
    assert batch.finished_at is not None
    assert products.count() == before + batch.created == QueueItem.objects.filter(catalogue=batch.catalogue).count()
    problems = list(batch.problems.all())  # type: ignore[attr-defined]
    assert len(problems) == min(batch.problem_count, 10_000)
    for problem in problems:
        assert problem.file == broken.name and problem.message, problem
        assert 1 <= problem.line <= broken.lines or broken.name.endswith(WITHOUT_PLACES), (problem, problem.line)
        if problem.code not in NO_COLUMN and problem.code != "unreadable-row":
            assert problem.column, (problem, problem.value)
