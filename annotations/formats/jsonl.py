"""JSONL and JSON as records, one at a time.

JSONL: a line is a product; a line that is not is a problem and the next is read. JSON: the elements of a list are
decoded one after another, so a list of any length takes little memory; a list inside an object (``{"data":
{"products": [...]}}``) is found by its path after reading the file whole, up to ``Limits.json_bytes``.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from annotations.formats.encoding import BAD_BYTES, BAD_TEXT, NAMES, is_sound
from annotations.formats.rows import FileRefused, Limits, Problem, Record, problem

_SUSPECT = re.compile(r"[\0\ud800-\udfff]|\\u(?:[dD][89a-fA-F]|0000)")
"""Text of JSON that may hold what no stored text may. Only then are the decoded values looked through."""
_BLOCK = 1 << 18
NESTING = 60


class OddNumber(ValueError):
    """A number that JSON's grammar has and nobody can store, or that only Python's has. ``text``: as it is written."""

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message)
        self.text = text


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise OddNumber(f"the number {text[:20]} is too large", text)
    return number


def _no_constant(text: str) -> float:
    raise OddNumber(f"{text} is no JSON value", text)


DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)


def why(error: Exception) -> str:
    """What is wrong with the JSON in a few words, without the position (the problem names it)."""
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)[:100]


def read_jsonl(stream: BinaryIO, *, file: str, encoding: str, limits: Limits) -> Iterator[Record | Problem]:
    """A record per line that holds an object, a problem per line that holds anything else; blank lines are nothing."""
    text = io.TextIOWrapper(stream, encoding=encoding, errors=BAD_BYTES, newline="\n")
    number = 0
    while line := text.readline(limits.line_chars):
        number += 1
        if len(line) >= limits.line_chars and not line.endswith("\n"):
            while (more := text.readline(limits.line_chars)) and not more.endswith("\n"):
                pass
            yield problem("long-line", file=file, line=number, value=line[:200], limit=limits.line_chars)
            continue
        line = line.strip(" \t\r\n\ufeff")
        if line:
            yield _parse_line(line, number, file, encoding)


def _parse_line(line: str, number: int, file: str, encoding: str) -> Record | Problem:
    try:
        value, end = DECODER.raw_decode(line)
        if end != len(line) and line[end:].strip(" ,"):
            raise json.JSONDecodeError("more text behind the object", line, end)
    except RecursionError:
        return problem("deep-json", file=file, line=number, value=line)
    except json.JSONDecodeError as error:
        near = line[max(0, error.pos - 20) : error.pos + 40]
        column = f"character {error.pos + 1}"
        return problem("broken-json", file=file, line=number, column=column, value=near, detail=why(error))
    except ValueError as error:  # Python itself takes no number of more than some thousand digits
        at = line.find(error.text) + 1 if isinstance(error, OddNumber) else 1
        near = line[max(0, at - 21) : at + 39]
        column = f"character {at}"
        return problem("broken-json", file=file, line=number, column=column, value=near, detail=why(error))
    return as_record(value, line, number, file=file, encoding=encoding)


def as_record(value: object, text: str, line: int, *, file: str, encoding: str = "") -> Record | Problem:
    """A decoded value as a record, or the problem with it. ``text`` is what it was decoded from, or more."""
    if not isinstance(value, dict):
        detail = {list: "a list", str: "a text", type(None): "null"}.get(type(value), "a plain value")
        return problem("not-an-object", file=file, line=line, value=value, detail=detail)
    if text.count("[") + text.count("{") > NESTING and too_deep(value):
        return problem("deep-json", file=file, line=line, value=next(iter(value), ""))
    if ("\\u" in text or not is_sound(text)) and _SUSPECT.search(text) and (found := _bad_text(value)):
        path, bad = found
        sign = BAD_TEXT.search(bad)
        code = "nul" if sign and sign[0] == "\0" else "surrogate"
        if sign and "\udc80" <= sign[0] <= "\udcff":
            code = "undecodable"
        return problem(code, file=file, line=line, column=path, value=bad, detail=NAMES.get(encoding, encoding))
    return Record(line, value)


def too_deep(value: object, left: int = NESTING) -> bool:
    """True where lists and objects nest deeper than databases and templates like."""
    if not isinstance(value, dict | list):
        return False
    if left == 0:
        return True
    return any(too_deep(v, left - 1) for v in (value.values() if isinstance(value, dict) else value))


def _bad_text(value: object, path: str = "") -> tuple[str, str] | None:
    """``(path, text)`` of the first text or key that may not be stored."""
    if isinstance(value, str):
        return (path, value) if BAD_TEXT.search(value) else None
    if isinstance(value, dict):
        for key, inner in value.items():
            if BAD_TEXT.search(key):
                return path or key, key
            if found := _bad_text(inner, f"{path}.{key}" if path else key):
                return found
    elif isinstance(value, list):
        for inner in value:
            if found := _bad_text(inner, path):
                return found
    return None


def read_json(
    stream: BinaryIO, *, file: str, encoding: str, limits: Limits, path: str | None = None
) -> Iterator[Record | Problem]:
    """Elements of the list at ``path`` (dots between keys; None: the longest list of objects, found by looking).

    Raises FileRefused before the first record where the file is no JSON or has no such list.
    """
    text = io.TextIOWrapper(stream, encoding=encoding, errors=BAD_BYTES, newline="\n")
    first = text.read(1)
    while first and first in " \t\r\n\ufeff":
        first = text.read(1)
    # Lines before the opening bracket are blank ones; losing them from the count would be wrong, so count anew.
    if first == "[" and not path:
        stream_again = _Elements(text, file=file, encoding=encoding, limits=limits)
        yield from stream_again.records()
        return
    yield from _read_whole(
        first + _rest(text, limits.json_bytes), file=file, encoding=encoding, limits=limits, path=path
    )


def _rest(text: io.TextIOWrapper, most: int) -> str:
    """What is left, ``most`` characters and a block at most: asked for all at once, Python makes room for all at once."""
    pieces, length = [], 0
    while length <= most and (piece := text.read(_BLOCK)):
        pieces.append(piece)
        length += len(piece)
    return "".join(pieces)


def _read_whole(text: str, *, file: str, encoding: str, limits: Limits, path: str | None) -> Iterator[Record | Problem]:
    if len(text) > limits.json_bytes:
        raise FileRefused("too-large", file, limit=limits.json_bytes)
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise FileRefused("broken-json", file, line=error.lineno, column=error.colno, detail=error.msg) from error
    except RecursionError as error:
        raise FileRefused("broken-json", file, line=1, column=1, detail="nested too deeply") from error
    except ValueError as error:
        raise FileRefused("broken-json", file, line=1, column=1, detail=why(error)) from error
    thing = path is None and isinstance(value, dict) and "@type" in value and "@graph" not in value
    elements = [value] if thing else pick(value, path)
    if elements is None:
        if path is None and isinstance(value, dict) and {"id", "title"} & value.keys():
            elements = [value]
        else:
            raise FileRefused("no-list", file)
    lines = _element_lines(text, elements)
    for line, element in zip(lines, elements, strict=True):
        whole = json.dumps(element, ensure_ascii=False)  # its own text: the file's may be long
        yield as_record(element, whole, line, file=file, encoding=encoding)


def _element_lines(text: str, elements: list[Any]) -> Iterator[int]:
    """The line each element begins on, found by its first key and value in the text; the last line known otherwise."""
    at, line = 0, 1
    for element in elements:
        if isinstance(element, dict) and element:
            key, value = next(iter(element.items()))
            needle = re.compile(
                r"\{\s*" + re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:\s*"
                + (re.escape(json.dumps(value, ensure_ascii=False)) if isinstance(value, str | int) else "")
            )  # fmt: skip
            if found := needle.search(text, at):
                line += text.count("\n", at, found.start())
                at = found.start()
        yield line


def paths(value: object, prefix: str = "", depth: int = 5) -> Iterator[tuple[str, list[Any]]]:
    """Every list of objects in a JSON value with its path, outermost first."""
    if isinstance(value, list):
        if value and sum(isinstance(v, dict) for v in value) * 2 > len(value):
            yield prefix, value
    elif isinstance(value, dict) and depth:
        for key, inner in value.items():
            yield from paths(inner, f"{prefix}.{key}" if prefix else str(key), depth - 1)


def lists_in(stream: BinaryIO, *, encoding: str, limits: Limits) -> list[tuple[str, int]]:
    """``(path, length)`` of every list of objects in a JSON object, for a person to choose from; none in a plain list."""
    text = _rest(io.TextIOWrapper(stream, encoding=encoding, errors=BAD_BYTES, newline="\n"), limits.json_bytes)
    if len(text) > limits.json_bytes or text.lstrip("\ufeff \t\r\n")[:1] != "{":
        return []
    try:
        return [(path, len(elements)) for path, elements in paths(json.loads(text))]
    except (ValueError, RecursionError):
        return []


def pick(value: object, path: str | None) -> list[Any] | None:
    """The list at a path, or the longest list of objects where no path is given."""
    if path is None:
        found = [elements for _, elements in paths(value)]
        return max(found, key=len) if found else None
    for key in path.split(".") if path else ():
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, list) else None


class _Elements:
    """The elements of a list whose opening bracket has been read, decoded as the text comes in."""

    def __init__(self, text: io.TextIOWrapper, *, file: str, encoding: str, limits: Limits) -> None:
        self._text, self._file, self._encoding, self._limits = text, file, encoding, limits
        self._buffer, self._at, self._line = "", 0, 1
        self._ended = False

    def _more(self) -> bool:
        block = self._text.read(max(_BLOCK, len(self._buffer) - self._at))  # doubling: a long element is not quadratic
        self._buffer = self._buffer[self._at :] + block
        self._at = 0
        self._ended = not block
        return bool(block)

    def _next_sign(self) -> str:
        while True:
            while self._at < len(self._buffer) and (sign := self._buffer[self._at]) in " \t\r\n,":
                self._line += sign == "\n"
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                return ""

    def records(self) -> Iterator[Record | Problem]:
        any_yet = False
        while sign := self._next_sign():
            if sign == "]":
                return
            try:
                value, end = self._decode()
            except (ValueError, RecursionError) as error:
                line = self._line
                if isinstance(error, json.JSONDecodeError):
                    line += self._buffer.count("\n", self._at, error.pos)
                detail = "nested too deeply" if isinstance(error, RecursionError) else why(error)
                if not any_yet:
                    raise FileRefused("broken-json", self._file, line=line, column=1, detail=detail) from error
                near = self._buffer[self._at : self._at + 80]
                yield problem("broken-json-rest", file=self._file, line=line, value=near, detail=detail)
                return
            any_yet = True
            whole = self._buffer[self._at : end]
            yield as_record(value, whole, self._line, file=self._file, encoding=self._encoding)
            self._line += whole.count("\n")
            self._at = end
        yield problem("broken-json-rest", file=self._file, line=self._line, detail="the list is not closed")

    def _decode(self) -> tuple[Any, int]:
        while True:
            try:
                value, end = DECODER.raw_decode(self._buffer, self._at)
                if end < len(self._buffer) or self._ended:
                    return value, end
            except json.JSONDecodeError:
                if self._ended:
                    raise
            if len(self._buffer) - self._at > self._limits.line_chars:
                raise ValueError(f"an element is longer than {self._limits.line_chars} characters")
            self._more()
