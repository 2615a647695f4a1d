"""Pictures in: those that rows name, found in what was sent along, re-encoded in a child process and stored by sha256."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from django.conf import settings

from annotations.formats.confined import KnownPicture, StoredPicture, store_pictures_confined
from annotations.formats.rows import Limits, Problem, Row
from annotations.models import Catalogue, Picture, Product

HANDS = min(4, os.cpu_count() or 1)
PICTURES_PER_HAND = 40
"""Fewer are not worth starting another child for."""
Wanted = tuple[str, str, int]
Answer = StoredPicture | KnownPicture | Problem


class Album:
    """The zip or folder that came with a file. With ``store`` False pictures are only checked.

    Raises FileRefused when made: the archive is broken or over a limit.
    """

    def __init__(self, place: str | Path, limits: Limits, *, store: bool) -> None:
        self._place, self._limits, self._store = Path(place), limits, store
        root = Path(settings.MEDIA_ROOT)
        if store:
            root.mkdir(parents=True, exist_ok=True)
        # beside the pictures' own places, so that moving one there is a rename
        self._passing = tempfile.TemporaryDirectory(prefix=".passing-", dir=root if store else None)
        try:
            for _answer in store_pictures_confined(self._place, [], self._passing.name, limits=limits):
                pass
        except BaseException:
            self.close()
            raise

    def take(
        self, rows: Sequence[Row], *, catalogue: Catalogue, file: str
    ) -> tuple[dict[int, list[str]], list[Problem]]:
        """The pictures of some rows: line to sha256 in the row's order, and what is wrong with the others.

        What these products show already is recognised by the bytes that were sent and not decoded again.
        A row that names none, or of which none could be taken, is not among them: its product keeps what it has.
        """
        lines: dict[str, int] = {}
        for row in rows:
            for name in row.images:
                lines.setdefault(name, row.line)
        answers: dict[str, Answer] = {}
        wanted = [(name, file, line) for name, line in lines.items()]
        known = _known(catalogue, rows) if wanted else {}
        hands = min(HANDS, 1 + len(wanted) // PICTURES_PER_HAND)
        with ThreadPoolExecutor(hands) as pool:  # each waits for a child of its own
            for some, stored in pool.map(partial(self._reencoded, known), [wanted[n::hands] for n in range(hands)]):
                answers |= dict(zip((name for name, _file, _line in some), stored, strict=True))
        if self._store:
            _keep([a for a in answers.values() if isinstance(a, StoredPicture)], Path(self._passing.name))
        shown: dict[int, list[str]] = {}
        for row in rows:
            found = [a for name in row.images if not isinstance(a := answers[name], Problem)]
            if found:
                shown[row.line] = list(dict.fromkeys(picture.sha256 for picture in found))
        return shown, [a for a in answers.values() if isinstance(a, Problem)]

    def _reencoded(self, known: dict[str, str], wanted: list[Wanted]) -> tuple[list[Wanted], list[Answer]]:
        if not wanted:
            return wanted, []
        stored = store_pictures_confined(
            self._place, wanted, self._passing.name, known=known, limits=self._limits
        )  # fmt: skip
        return wanted, list(stored)

    def close(self) -> None:
        self._passing.cleanup()


def _known(catalogue: Catalogue, rows: Sequence[Row]) -> dict[str, str]:
    """Of the pictures that these rows' products show: sha256 of the bytes as sent, to the picture's own."""
    products = Product.objects.filter(catalogue=catalogue, external_id__in=[row.id for row in rows])
    shown = sorted({sha for shas in products.values_list("pictures", flat=True) for sha in shas})
    known: dict[str, str] = {}
    for start in range(0, len(shown), 500):
        some = Picture.objects.filter(sha256__in=shown[start : start + 500]).exclude(source_sha256="")
        known |= dict(some.values_list("source_sha256", "sha256"))
    return known


def _keep(stored: Sequence[StoredPicture], passing: Path) -> None:
    """Move the files to their places, then write their rows: a row without its file is never seen."""
    root = Path(settings.MEDIA_ROOT)
    rows = {}
    for picture in stored:
        folder = picture.sha256[:2]
        (root / folder).mkdir(exist_ok=True)
        for name in (picture.name, picture.thumbnail):
            if (passing / name).exists():
                (passing / name).replace(root / folder / name)
        rows[picture.sha256] = Picture(
            sha256=picture.sha256,
            file=f"{folder}/{picture.name}",
            thumbnail=f"{folder}/{picture.thumbnail}",
            source_sha256=picture.source_sha256,
            width=picture.width,
            height=picture.height,
        )
    Picture.objects.bulk_create(rows.values(), ignore_conflicts=True)
