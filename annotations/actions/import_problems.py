"""What an import itself finds wrong, beside what the reader of a file says; and where both are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext

from annotations.formats.messages import SENTENCES, sentence
from annotations.formats.quantities import NotANumber, UnknownUnit, in_unit
from annotations.formats.rows import Problem, Row, Same, Severity
from annotations.formats.rows import problem as problem_of
from annotations.models import Facet, ImportBatch, ImportProblem
from annotations.retelling import retell_all

if TYPE_CHECKING:
    from annotations.bridge.safety import WordList

KEPT = 10_000
"""Problems of one import that are kept; further ones are counted."""


def _(text: str) -> str:
    """Marks a sentence for translation and leaves it alone."""
    return text


OWN_SENTENCES: Mapping[str, str] = {
    "duplicate-id": _("The id is on line %(detail)s already. This row was left out."),
    "long-field": _("The value has more than %(limit)s characters and was cut there."),
    "unknown-facet": _("The taxonomy has no facet of this name. Add it, or import the attributes as source facts."),
    "unknown-tag": _("The facet has no tag of this name. Add it, or make it a synonym of one."),
    "unknown-unit": _("“%(detail)s” can't be counted in %(unit)s, the facet's unit. Write the value in %(unit)s."),
    "not-a-number": _("The facet takes a number like 1.5 %(unit)s. The value was left out."),
    "unknown-product": _(
        "There is no product of this id, and the file has no titles to make one of. Take in the whole feed first."
    ),
    "several-values": _("The facet takes one value but the row has several. None was taken."),
    "not-archived": _(
        "Nothing was archived: %(detail)s rows could not be read, and their products would look like missing ones."
    ),
    "retired-tag": _("The tag was retired and stays so. Restore it in the taxonomy if it is wanted again."),
    "retired-facet": _("The facet was retired and stays so. Restore it in the taxonomy if it is wanted again."),
    "no-unit": _("A facet of numbers needs the unit that they are counted in. It was taken as one of several values."),
    "several-stand": _(
        "%(detail)s products stand with several values of this facet, so it stays one of several values."
    ),
    "not-boolean": _("The facet is answered with yes or no. The tag was left out."),
    "blocked-word": _(
        "“%(detail)s” is a blocked word. The row was taken; nothing that has the word is suggested, and no tag is made of it."
    ),
    "blocked-tag": _("“%(detail)s” is a blocked word. The tag was taken, and is suggested for no product."),
    "bad-parent": _("The parent is no other tag of this facet. The tag stands at the top."),
    "long-facet": _("The property's name has more than %(limit)s characters. It was left out."),
    "long-value": _("The value has more than %(limit)s characters and is no tag. It was left out."),
    "nearly-unique": _(
        "The property has %(detail)s values, nearly all of them used once: a number or a name and no facet."
    ),
}


def unreadable(facet: Facet, text: str) -> tuple[str, dict[str, Any]] | None:
    """Why a text is no value of a facet of numbers, as a code and its parameters; None where it is one."""
    try:
        in_unit(text, facet.unit)
    except UnknownUnit as unknown:
        return "unknown-unit", {"detail": unknown.unit, "unit": facet.unit}
    except NotANumber:
        return "not-a-number", {"unit": facet.unit}
    return None


def blocked_words(row: Row, words: WordList | None) -> Iterator[tuple[str, str, str]]:
    """(column, value, word) of each value of the row that has a blocked word, once each."""
    if words:
        values = [("title", row.title), ("description", row.description)]
        values += [(name, value) for name, some in row.attributes.items() for value in some]
        for column, value in values:
            for word in dict.fromkeys(hit.word for hit in words.find(value or "")):
                yield column, value, word


def own_problem(code: str, *, severity: Severity = "warning", **place_and_params: Any) -> Problem:
    """As ``formats.rows.problem``, of the sentences of this module; a warning unless it is said to be more."""
    return problem_of(code, severity=severity, sentences=OWN_SENTENCES, **place_and_params)


def row_problem(code: str, row: Row | Same, column: str, value: object, *, file: str, **params: Any) -> Problem:
    return own_problem(code, file=file, line=row.line, column=column, value=value, **params)


def store(batch: ImportBatch, problems: Iterable[Problem]) -> None:
    """Count them, and keep the first ``KEPT`` of the import. The caller saves the batch."""
    room = max(0, KEPT - batch.problem_count)
    kept: list[ImportProblem] = []
    for problem in problems:
        batch.problem_count += 1
        if len(kept) < room:
            kept.append(
                ImportProblem(
                    batch=batch, file=problem.file[:255], line=problem.line, column=problem.column, value=problem.value,
                    code=problem.code, message=problem.message, severity=problem.severity, params=dict(problem.params), cells=list(problem.cells),
                )
            )  # fmt: skip
    ImportProblem.objects.bulk_create(kept)


def in_words(problem: ImportProblem) -> str:
    """The problem's sentence in the reader's language; as it was stored where the code is no longer known."""
    template = OWN_SENTENCES.get(problem.code) or SENTENCES.get(problem.code)
    if template is None:
        return problem.message
    params: dict[str, Any] = {"detail": "", "limit": "", **retell_all(problem.params)}
    try:
        return sentence(gettext(template), params)
    except (KeyError, ValueError, TypeError):  # a translation that names what this problem has not
        return problem.message
