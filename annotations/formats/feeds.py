"""Product feeds in XML (RSS 2.0 and Atom, as Google Merchant takes them), one item at a time.

An item's fields become cells by their local name; a field that comes several times becomes a list; a field with fields
inside (``g:shipping``, ``g:product_detail``) an object. DTDs and entities of a file's own are refused by defusedxml.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element, ParseError

from annotations.formats.jsonl import as_record
from annotations.formats.rows import FileRefused, Limits, Problem, Record, problem

ITEMS = ("item", "entry", "product")
FIELD_DEPTH = 8


def read_feed(stream: BinaryIO, *, file: str, limits: Limits) -> Iterator[Record | Problem]:
    """Records by item; ``line`` is the item's number where the parser can't tell the line it began on.

    Raises FileRefused before the first record where the XML is no feed.
    """
    try:
        from defusedxml.common import DefusedXmlException
        from defusedxml.ElementTree import DefusedXMLParser
    except ImportError as error:
        raise FileRefused("needs-package", file, detail="XML (defusedxml)") from error
    feed = _Feed(file, limits)
    parser = DefusedXMLParser(target=feed, forbid_dtd=True)
    found = False
    try:
        while block := stream.read(1 << 16):
            parser.feed(block)
            feed.line = parser.parser.CurrentLineNumber
            for item in feed.taken():
                found = True
                yield item
        parser.close()
    except (ParseError, DefusedXmlException, ValueError, LookupError, AssertionError) as error:
        detail = str(error)[:100] or type(error).__name__
        if not found and not feed.done:
            raise FileRefused("xml", file, detail=detail) from error
        yield from feed.taken()
        at = parser.parser
        column = f"character {at.CurrentColumnNumber + 1}"
        yield problem("unreadable-row", file=file, line=at.CurrentLineNumber, column=column, detail=detail)
        return
    yield from feed.taken()
    if not feed.count:
        raise FileRefused("xml", file)


class _Feed:
    """A parser target that keeps one item at a time and forgets it when it is taken."""

    def __init__(self, file: str, limits: Limits) -> None:
        self.file, self.limits = file, limits
        self.line, self.count = 1, 0
        self.done: list[Record | Problem] = []
        self._stack: list[Element] = []
        self._chars = 0

    def taken(self) -> Iterator[Record | Problem]:
        done, self.done = self.done, []
        return iter(done)

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        if self._stack or _local(tag) in ITEMS:
            self._stack.append(Element(tag, attrs))
            if len(self._stack) > FIELD_DEPTH:
                raise ValueError("fields are nested too deeply")

    def data(self, text: str) -> None:
        if self._stack:
            self._chars += len(text)
            if self._chars > self.limits.line_chars:
                raise ValueError(f"an item is longer than {self.limits.line_chars} characters")
            element = self._stack[-1]
            element.text = (element.text or "") + text

    def end(self, tag: str) -> None:
        if not self._stack:
            return
        element = self._stack.pop()
        if self._stack:
            self._stack[-1].append(element)
            return
        self.count += 1
        self._chars = 0
        cells = _fields(element)
        if isinstance(cells, dict):
            self.done.append(as_record(cells, "", self.line, file=self.file))
        else:
            self.done.append(problem("not-an-object", file=self.file, line=self.line, value=cells, detail="a text"))

    def close(self) -> None:
        return None


def _local(tag: str) -> str:
    """The name without its namespace: ``{http://base.google.com/ns/1.0}id`` is ``id``."""
    return tag.rpartition("}")[2].lower()


def _fields(element: Element) -> Any:
    """An element as text, or as an object of its fields. An empty Atom ``link`` is its address."""
    if not len(element):
        return (element.text or "").strip() or element.get("href", "")
    cells: dict[str, Any] = {}
    for child in element:
        name, value = _local(child.tag), _fields(child)
        if name not in cells:
            cells[name] = value
        elif isinstance(cells[name], list):
            cells[name].append(value)
        else:
            cells[name] = [cells[name], value]
    return cells
