"""Every sentence this package says, by code.

Nothing here imports Django, so sentences are kept as marked templates (``_`` only marks them for the message
catalogues). A door that speaks another language than English translates ``SENTENCES[code]`` and fills in ``params``.
"""

from __future__ import annotations

from collections.abc import Mapping


def _(text: str) -> str:
    """Marks a sentence for translation and leaves it alone."""
    return text


REFUSALS = {
    "empty": _("The file is empty. Choose a file that has a header and at least one row."),
    "no-rows": _("The file has a header but no rows below it."),
    "too-large": _(
        "The file is larger than %(limit)s bytes, the most this installation takes. Split it or raise the limit."
    ),
    "inflates": _(
        "The file unpacks to far more than its size (%(detail)s). It looks like a decompression bomb and was refused."
    ),
    "broken-gzip": _("The file ends in .gz or begins like gzip but can't be unpacked. Compress it again."),
    "binary": _(
        "The file is not text but %(detail)s. Save the table as CSV (UTF-8), XLSX, JSON or JSONL and send that."
    ),
    "old-excel": _("This is an old Excel file (.xls). Open it and save it as .xlsx or as CSV (UTF-8)."),
    "zip": _("This is a zip archive and not a table. Unpack it and send the table; pictures go in beside it as a zip."),
    "xml": _("This XML is not a product feed that is known here (RSS or Atom with an item per product)."),
    "encoding": _("The file's character encoding can't be told. Save it as UTF-8 and send it again."),
    "one-column": _(
        "Only one column was found (“%(detail)s”). Separate the columns by comma, semicolon, tab or |, "
        "or choose the delimiter by hand."
    ),
    "too-many-columns": _("The header has %(detail)s columns; at most %(limit)s are taken."),
    "no-known-header": _(
        "None of the columns is known here (%(detail)s). Name one “id” and one “title”, or map the columns by hand."
    ),
    "no-id-column": _(
        "No column holds an id (found: %(detail)s). Name one “id” or “sku”, or choose it in the mapping."
    ),
    "mapping": _("The mapping can't be used: %(detail)s."),
    "broken-json": _("The file is not valid JSON: line %(line)s, column %(column)s: %(detail)s."),
    "no-list": _("No list of objects was found in the JSON. Products must be a list, for example {“products”: […]}."),
    "broken-xlsx": _("The workbook can't be read (%(detail)s). Save it again as .xlsx or as CSV (UTF-8)."),
    "broken-parquet": _("The Parquet file can't be read (%(detail)s)."),
    "needs-package": _("Reading %(detail)s needs an optional package that is not installed here."),
    "no-sheet": _("The workbook has no sheet “%(detail)s”."),
    "broken-zip": _("The archive can't be read (%(detail)s). Make the zip again without a password."),
    "zip-limit": _("The archive goes over a limit: %(detail)s. Split it."),
    "sandbox-time": _("Reading the file took longer than %(limit)s seconds and was stopped. Split it."),
    "sandbox-memory": _("Reading the file took more than %(limit)s MB of memory and was stopped. Split it."),
    "sandbox-died": _("Reading the file failed (%(detail)s)."),
    "not-json": _("The file is no JSON (%(detail)s): neither an array, nor an object, nor a line for each row."),
    "only-categories": _(
        "These are a published taxonomy's categories without its attributes. Send both files together."
    ),
    "not-a-taxonomy": _("A row of this file is not shaped like a published taxonomy's (%(detail)s)."),
    "no-tags": _("The file has no column for a tag (found: %(detail)s). Name one “tag” and one “facet”."),
    "unreadable": _("The file can't be read (%(detail)s)."),
}

PROBLEMS = {
    "missing-id": _("The row has no id. Give every product its own id."),
    "long-id": _("The id is longer than %(limit)s characters."),
    "undecodable": _("The cell holds bytes that are not valid %(detail)s. Save the file as UTF-8 or mend this cell."),
    "nul": _("The cell holds a NUL character. Remove it."),
    "surrogate": _("The value holds half of a surrogate pair, which no text may. Mend this value."),
    "too-many-cells": _(
        "The row has %(detail)s cells but the header has %(limit)s. A cell with the delimiter in it must be in quotes."
    ),
    "short-row": _("The row has %(detail)s cells but the header has %(limit)s; the missing ones are taken as empty."),
    "unclosed-quote": _("A quote is opened in this row and not closed properly. Close it or double it."),
    "stray-quote": _("The row has a quote in the middle of a cell; it was read as it stands."),
    "long-cell": _("The cell has more than %(limit)s characters."),
    "long-line": _("The row has more than %(limit)s characters."),
    "too-many-rows": _("The file has more than %(limit)s rows. The rest was not read; split the file."),
    "inflates": _("The file unpacks to far more than its size (%(detail)s). The rest was not read."),
    "truncated": _("The compressed file ends too early or is damaged from here on. The rest was not read."),
    "broken-json": _("This is not valid JSON: %(detail)s."),
    "broken-json-rest": _("From here on the file is not valid JSON (%(detail)s). The rest was not read."),
    "deep-json": _("The JSON is nested too deeply."),
    "not-an-object": _("The line holds %(detail)s where a product object {…} was expected."),
    "bad-value": _("The value should be %(detail)s."),
    "bad-span": _("The span does not fit its text and was left out."),
    "lost-span": _("Cleaning changed the text and the span could not be found again; it was left out."),
    "too-many-attributes": _("The row has more than %(limit)s attribute values."),
    "unreadable-row": _("The row can't be read (%(detail)s)."),
    "blank-product": _("The row has an id but no title, no text, no attributes and no picture."),
    "picture-missing": _("The picture is neither in the archive nor in the folder."),
    "picture-ambiguous": _("More than one picture of the archive fits this name."),
    "picture-kind": _("This is not a JPEG, PNG or WebP picture."),
    "picture-broken": _("The picture is damaged and can't be read."),
    "picture-pixels": _("The picture has more than %(limit)s megapixels."),
    "picture-bytes": _("The picture is larger than %(limit)s bytes."),
    "picture-inflates": _("The picture unpacks to far more than its size and was refused."),
    "missing-facet": _("The row names no facet."),
    "missing-tag": _("The row names no tag."),
    "unknown-kind": _("The facet's kind “%(detail)s” is not known."),
    "bad-language": _("“%(detail)s” is not a language code."),
}

DETAILS = (
    # what a file is instead of a table
    _("a PDF"),
    _("a PNG picture"),
    _("a JPEG picture"),
    _("a GIF picture"),
    _("a picture or sound"),
    _("a 7z archive"),
    _("a RAR archive"),
    _("zstd compressed"),
    _("bzip2 compressed"),
    _("xz compressed"),
    _("gzip inside gzip"),
    _("an SQLite database"),
    _("a program"),
    _("a web page"),
    _("binary data"),
    # what a value is, or should be
    _("a list"),
    _("a text"),
    _("a plain value"),
    _("a text or a number"),
    _("facets with values"),
    _("a list of spans"),
    # limits
    _("more than %(n)s bytes"),
    _("more than %(n)s bytes in one part"),
    _("more than %(n)s files"),
    _("more than %(n)s parts"),
    _("more than %(n)s times its size"),
    _("an element is longer than %(n)s characters"),
    _("an item is longer than %(n)s characters"),
    # mappings
    _("there is no column “%(name)s”"),
    _("a column is named twice"),
    _("it should be a list of columns with header and target"),
    _("“%(name)s” is no target; use one of %(known)s"),
    # JSON, those of Python's own json module included
    _("nested too deeply"),
    _("fields are nested too deeply"),
    _("the list is not closed"),
    _("more text behind the object"),
    _("the number %(number)s is too large"),
    _("%(name)s is no JSON value"),
    _("Expecting value"),
    _("Expecting property name enclosed in double quotes"),
    _("Expecting ':' delimiter"),
    _("Expecting ',' delimiter"),
    _("Unterminated string starting at"),
    _("Extra data"),
    _("Invalid control character at"),
    _("Invalid \\escape"),
    _("YAML with aliases (*name) is not taken"),
)
"""What readers of files put into ``detail``, for those who tell it in another language."""

SENTENCES: Mapping[str, str] = {**PROBLEMS, **{f"file-{code}": text for code, text in REFUSALS.items()}}


def sentence(template: str, params: Mapping[str, object]) -> str:
    """Fills ``%(name)s`` of a template. A missing name is a mistake of ours and raises KeyError."""
    return template % params
