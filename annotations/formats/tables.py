"""CSV and TSV as records, one at a time, with true line numbers and a way on after a broken row.

The csv module does the parsing, in strict mode. Where it meets a quote that is opened and not properly closed, the row
it began in becomes a problem and reading goes on with the line after it, so that one bad quote does not swallow
the rest of the file.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from annotations.formats.encoding import BAD_BYTES, BAD_TEXT, NAMES, is_sound
from annotations.formats.headers import is_known, unique
from annotations.formats.rows import FileRefused, Limits, Problem, Record, problem

csv.field_size_limit(2**31 - 1)  # a limit of the process; ours is on the line and the cell, and says which row it was

HEADER_WITHIN = 10
"""Rows that are looked through for the header: sheets often begin with a title or a note."""
RECORD_LINES = 10_000
"""Lines one quoted row may span before its quote counts as not closed."""


class _Lines:
    """Lines of a text with their numbers, some of which can be put back."""

    def __init__(self, text: io.TextIOWrapper, limits: Limits) -> None:
        self._text, self._limit = text, limits.line_chars
        self._back: deque[tuple[int, str]] = deque()
        self.number = 0
        self.taken: list[tuple[int, str]] = []
        self.chars = 0
        self.cut = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._back:
            number, line = self._back.popleft()
        else:
            line = self._text.readline(self._limit)
            if not line:
                raise StopIteration
            self.number = number = self.number + 1
            if len(line) >= self._limit and line[-1] not in "\r\n":
                self.cut = True
                self._skip_to_end()
        self.taken.append((number, line))
        self.chars += len(line)
        if self.cut or self.chars > self._limit or len(self.taken) > RECORD_LINES:
            self.cut = self.cut and len(self.taken) == 1
            raise _Overlong
        return line

    def _skip_to_end(self) -> None:
        while (more := self._text.readline(self._limit)) and more[-1] not in "\r\n":
            pass

    def begin(self) -> None:
        self.taken.clear()
        self.chars = 0
        self.cut = False

    def put_back(self) -> None:
        """Everything taken but the first line is read again."""
        self._back.extendleft(reversed(self.taken[1:]))


class _Overlong(Exception):
    pass


class Table:
    """A table opened: its headers, and :meth:`records` below them.

    Raises FileRefused when there is no header or no delimiter. Lines count from 1, the header's included.
    """

    def __init__(
        self, stream: BinaryIO, *, file: str, encoding: str, delimiter: str, quote: str = '"', limits: Limits
    ) -> None:
        self.file, self._limits, self._encoding = file, limits, encoding
        self._delimiter, self._quote = delimiter, quote
        self._text = io.TextIOWrapper(stream, encoding=encoding, errors=BAD_BYTES, newline="")
        self._lines = _Lines(self._text, limits)
        self._rows = self._cells()
        self.headers: list[str] = []
        self._odd: dict[int, int] = {}  # line to the place of its odd cell, while the headers are looked for
        self.headers, self._ahead = self._find_header()

    def _find_header(self) -> tuple[list[str], list[tuple[int, list[str]] | Problem]]:
        ahead: list[tuple[int, list[str]] | Problem] = []
        for item in self._rows:
            ahead.append(item)
            if len(ahead) >= HEADER_WITHIN:
                break
        rows = [(i, cells) for i, item in enumerate(ahead) if not isinstance(item, Problem) for cells in (item[1],)]
        if not rows:
            detail = "; ".join(item.value for item in ahead if isinstance(item, Problem))[:100]
            raise FileRefused("no-known-header" if ahead else "empty", self.file, detail=detail)
        # The first row is the header unless a later one is known clearly better (at least two names more).
        place, header = rows[0]
        known = sum(map(is_known, header))
        for i, cells in rows[1:]:
            if sum(map(is_known, cells)) >= max(2, known + 2):
                place, header, known = i, cells, sum(map(is_known, cells))
        if BAD_TEXT.search("".join(header)):
            raise FileRefused("encoding", self.file)
        # Columns without a name at the end are kept where a row has them, and not missed where it has not.
        self._named = max(i for i, name in enumerate(header, start=1) if name.strip())
        if len(header) == 1 and not is_known(header[0]):
            raise FileRefused("one-column", self.file, detail=header[0][:60])
        if len(header) > self._limits.columns:
            raise FileRefused("too-many-columns", self.file, detail=len(header), limit=self._limits.columns)
        headers = unique(header)
        return headers, [self._in_its_column(item, headers) for i, item in enumerate(ahead) if i > place]

    def records(self) -> Iterator[Record | Problem]:
        headers, width, limit = self.headers, len(self.headers), self._limits.cell_chars
        for item in self._all():
            if isinstance(item, Problem):
                yield item
                continue
            line, cells = item
            if len(cells) != width:
                odd, cells = self._fit(line, cells)
                if odd is not None:
                    yield odd
                    if odd.severity == "error":
                        continue
            bad = self._bad_cell(line, cells, limit)
            if bad is not None:
                yield bad
                continue
            yield Record(line, dict(zip(headers, cells, strict=True)))

    def _all(self) -> Iterator[tuple[int, list[str]] | Problem]:
        yield from self._ahead
        yield from self._rows

    def _fit(self, line: int, cells: list[str]) -> tuple[Problem | None, list[str]]:
        """Cells made as many as headers. Too many is an error: which of them belongs where is anyone's guess."""
        width = len(self.headers)
        if len(cells) < width:
            padded = cells + [""] * (width - len(cells))
            if len(cells) >= self._named:
                return None, padded
            short = problem(
                "short-row", file=self.file, line=line, column=self.headers[len(cells)], value=cells[-1],
                severity="warning", detail=len(cells), limit=width,
            )  # fmt: skip
            return short, padded
        if any(cell.strip() for cell in cells[width:]):
            over = problem(
                "too-many-cells", file=self.file, line=line, column=self.headers[-1], value=cells[width],
                detail=len(cells), limit=width, cells=[self._by_header(cells)],
            )  # fmt: skip
            return over, cells
        return None, cells[:width]

    def _bad_cell(self, line: int, cells: list[str], limit: int) -> Problem | None:
        whole = "".join(cells)
        if len(whole) <= limit and is_sound(whole):
            return None
        for header, cell in zip(self.headers, cells, strict=True):
            if len(cell) > limit:
                rows = [self._by_header(cells)]
                return problem(
                    "long-cell", file=self.file, line=line, column=header, value=cell, limit=limit, cells=rows
                )
            if found := BAD_TEXT.search(cell):
                code = "nul" if found[0] == "\0" else "undecodable"
                detail = NAMES.get(self._encoding, self._encoding) if code == "undecodable" else ""
                rows = [self._by_header(cells)]
                return problem(code, file=self.file, line=line, column=header, value=cell, detail=detail, cells=rows)
        return None

    def _by_header(self, cells: list[str]) -> dict[str, str]:
        """A row that is left out, to be mended. Cells beyond the last header are added to the last one."""
        last = len(self.headers) - 1
        return dict(zip(self.headers, [*cells[:last], self._delimiter.join(cells[last:])], strict=False))

    def _reader(self, lines: Iterator[str], *, strict: bool) -> Iterator[list[str]]:
        return csv.reader(
            lines,
            delimiter=self._delimiter,
            quotechar=self._quote or None,
            quoting=csv.QUOTE_MINIMAL if self._quote else csv.QUOTE_NONE,
            strict=strict,
        )

    def _cells(self) -> Iterator[tuple[int, list[str]] | Problem]:
        """``(line, cells)`` of every row that is not blank, and a problem for each that could not be split."""
        lines = self._lines
        reader = self._reader(lines, strict=True)
        while True:
            lines.begin()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except _Overlong:
                yield self._overlong()
                reader = self._reader(lines, strict=True)
            except csv.Error:
                yield from self._mend()
                reader = self._reader(lines, strict=True)
            else:
                if any(cells) and any(map(str.strip, cells)):
                    yield lines.taken[0][0], cells

    def _overlong(self) -> Problem:
        number, line = self._lines.taken[0]
        if self._lines.cut:
            limit = self._limits.line_chars
            return problem("long-line", file=self.file, line=number, value=line[:200], limit=limit)
        self._lines.put_back()
        return problem("unclosed-quote", file=self.file, line=number, column=self._odd_column(number, line), value=line)

    def _odd_column(self, row: int, line: str) -> str:
        """The column of the first cell of a line whose quotes are none of a cell's."""
        delimiter, quote = re.escape(self._delimiter), re.escape(self._quote)
        cell = re.compile(f"(?:{quote}(?:[^{quote}]|{quote}{quote})*{quote}|(?!{quote})[^{delimiter}]*){delimiter}")
        at = number = 0
        while found := cell.match(line, at):
            at, number = found.end(), number + 1
        if not self.headers:
            self._odd[row] = number
            return ""
        return self.headers[min(number, len(self.headers) - 1)]

    def _in_its_column(
        self, item: tuple[int, list[str]] | Problem, headers: list[str]
    ) -> tuple[int, list[str]] | Problem:
        """A problem that was met before the headers were known."""
        if isinstance(item, Problem) and item.line in self._odd:
            return replace(item, column=headers[min(self._odd[item.line], len(headers) - 1)])
        return item

    def _mend(self) -> Iterator[tuple[int, list[str]] | Problem]:
        """After a quoting error: a row on one line is read leniently, one that ran over several is given up."""
        number, line = self._lines.taken[0]
        if len(self._lines.taken) > 1:
            self._lines.put_back()
        try:
            cells = next(iter(self._reader(iter([line]), strict=False)))
        except (csv.Error, StopIteration):
            cells = []
        column = self._odd_column(number, line)
        if len(self._lines.taken) > 1 or not cells or (cells[-1:] and cells[-1].endswith(("\n", "\r"))):
            value = line.rstrip("\r\n")
            rows = [self._by_header([cell.rstrip("\r\n") for cell in cells])] if self.headers else []
            yield problem("unclosed-quote", file=self.file, line=number, column=column, value=value, cells=rows)
            return
        warning = problem(
            "stray-quote", file=self.file, line=number, column=column, value=line.rstrip("\r\n"), severity="warning"
        )
        yield warning
        if any(map(str.strip, cells)):
            yield number, cells
