"""What kind of file it is, by its first bytes before its name, and for tables how its cells are set apart."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import Literal

from annotations.formats.encoding import BAD_BYTES, detect_encoding
from annotations.formats.headers import is_known, normal
from annotations.formats.rows import FileRefused
from annotations.formats.source import DAMAGED, Inflates, Source

Kind = Literal["csv", "json", "jsonl", "xlsx", "parquet", "arrow", "xml"]
HEAD = 1 << 18
DELIMITERS = (",", ";", "\t", "|")

_MAGIC = (
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a picture or sound"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "zstd compressed"),
    (b"BZh", "bzip2 compressed"),
    (b"\xfd7zXZ", "xz compressed"),
    (b"\x1f\x8b", "gzip inside gzip"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
)


_SCALAR = re.compile(r'\s*"([^"\\]*)"\s*:\s*(?:"(?:[^"\\]|\\.)*"|[-+\w.]+)\s*,')
_OPENING = re.compile(r'\s*"([^"\\]*)"\s*:\s*(?:\[\s*\{|\{)')
_OF_A_ROW = frozenset(
    ("id", "title", "name", "sku", "text", "data", "@type", "@context", "@id", "@graph", "attributes")
)
"""Keys that a product or a task has and an envelope has not."""


@dataclass(frozen=True, slots=True)
class Detected:
    """``encoding`` is a codec name (empty for xlsx and parquet); ``quote`` is empty where the table has no quoting."""

    kind: Kind
    encoding: str = ""
    delimiter: str = ""
    quote: str = '"'
    gzipped: bool = False


def detect(source: Source, *, encoding: str = "", delimiter: str = "") -> Detected:
    """Raises FileRefused for what is no table at all. Encoding and delimiter that are given are taken as they are."""
    head = source.head(HEAD)
    if not head.strip(b"\0 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise FileRefused("empty" if len(head) < HEAD else "binary", source.name, detail="blank")
    if container := _container(source, head):
        return Detected(container, gzipped=source.gzipped)
    encoding = encoding or _encoding(source, head)
    try:
        text = head.decode(encoding, BAD_BYTES)
    except (LookupError, UnicodeError) as error:
        raise FileRefused("encoding", source.name) from error
    _refuse_binary(source, text)
    start = text.lstrip("\ufeff \t\r\n")
    if not start.strip("\0"):
        raise FileRefused("empty", source.name)
    if start[0] in "[{":
        return Detected(_json_kind(start), encoding, gzipped=source.gzipped)
    if re.match(r"<(\?xml|rss|feed|[a-z]+:)", start, re.IGNORECASE):
        return Detected("xml", encoding, gzipped=source.gzipped)
    if re.match(r"<(!doctype|html)", start, re.IGNORECASE):
        raise FileRefused("binary", source.name, detail="a web page")
    whole = len(head) < HEAD
    delimiter, quote = (delimiter, '"') if delimiter else sniff(text, whole=whole)
    return Detected("csv", encoding, delimiter, quote, source.gzipped)


def _container(source: Source, head: bytes) -> Kind | None:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        # The names of a workbook's parts stand in clear near its beginning or in the directory at its end.
        if b"[Content_Types].xml" in head or b"xl/" in head or source.name.lower().endswith((".xlsx", ".xlsm")):
            return "xlsx"
        raise FileRefused("zip", source.name)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise FileRefused("old-excel", source.name)
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise FileRefused("binary", source.name, detail=what)
    return None


def _encoding(source: Source, head: bytes) -> str:
    try:
        with source.open() as stream:
            found = detect_encoding(stream)
    except Inflates as error:
        raise FileRefused("inflates", source.name, detail=str(error)) from error
    except DAMAGED:
        found = None  # damaged somewhere behind the head: what stands before it can still be read
    except OSError as error:
        raise FileRefused("unreadable", source.name, detail=error.strerror or str(error)) from error
    if found is None:
        from annotations.formats.encoding import judge

        found = judge(b"\n".join(line for line in head.split(b"\n") if not line.isascii()))
    if found is None:
        signs = sum(head.count(bytes([b])) for b in (*range(9), *range(14, 27)))
        if signs * 20 > len(head):
            raise FileRefused("binary", source.name, detail="binary data")
        raise FileRefused("encoding", source.name)
    return found


def _refuse_binary(source: Source, text: str) -> None:
    """A few stray control characters are rows to mend; a file full of them is no text."""
    sample = text[: 1 << 16]
    signs = len(re.findall(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ud800-\udfff\ufffe\uffff]", sample))
    if signs > 4 and signs * 50 > len(sample):
        raise FileRefused("binary", source.name, detail="binary data")


def _json_kind(start: str) -> Kind:
    """An object that ends on its first line is JSONL; a list, or an object over several lines, is JSON."""
    if start[0] == "[":
        return "json"
    first, newline, rest = start.partition("\n")
    if not rest.strip() and _is_envelope(first):
        return "json"
    if first.rstrip().endswith("}"):
        return "jsonl" if not newline or rest.lstrip()[:1] in ("{", "") else "json"
    # A first line that is longer than the head, or broken: JSONL when a later line opens an object again.
    return "jsonl" if not newline or re.search(r'\n\{[^\n]*"', rest) else "json"


def _is_envelope(line: str) -> bool:
    """Whether the only line is an object around a list (``{"total": 2, "products": [{…``) and no product itself."""
    keys = []
    at = 1
    while found := _SCALAR.match(line, at):
        keys.append(found[1])
        at = found.end()
    opening = _OPENING.match(line, at)
    return opening is not None and not {normal(key) for key in (*keys, opening[1])} & _OF_A_ROW


def sniff(text: str, *, whole: bool = True) -> tuple[str, str]:
    """``(delimiter, quote)`` of a table: the pair whose rows agree best with the header and whose header is known best.

    Quote is empty where rows agree with the header only when quotes are read as ordinary characters (inches in a
    tab-separated sheet). Falls back on a comma.
    """
    sample = text[: 1 << 16]
    if not whole or len(text) > len(sample):
        sample = sample[: sample.rfind("\n") + 1] or sample
    first = next((line for line in sample.splitlines() if line.strip()), "")
    best, best_score = (",", '"'), 0.0
    for delimiter in DELIMITERS:
        if delimiter not in first and delimiter not in sample:
            continue
        for quote in ('"', ""):
            score = _agreement(sample, delimiter, quote)
            if score > best_score + 1e-9:
                best, best_score = (delimiter, quote), score
    return best


def _agreement(sample: str, delimiter: str, quote: str) -> float:
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    reader = csv.reader(sample.splitlines(keepends=True), delimiter=delimiter, quoting=quoting, strict=True)
    rows: list[list[str]] = []
    while len(rows) < 400:
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error:
            row = ["?"]  # a row that agrees with no header
        if any(cell.strip() for cell in row):
            rows.append(row)
    if not rows:
        return 0.0
    header = max(rows[:10], key=lambda row: sum(map(is_known, row)))
    width = len(header)
    if width < 2:
        return 0.0
    same = sum(len(row) == width for row in rows) / len(rows)
    known = sum(map(is_known, header)) / width
    # Reading quotes as quotes is the rule: without, the rows must agree a good deal better.
    return same * (1 + known) * (1 + 0.02 * min(width, 10)) * (1.0 if quote else 0.9)
