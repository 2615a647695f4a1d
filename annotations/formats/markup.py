"""HTML to text, as people read it: paragraphs and list items on lines of their own, no scripts."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

_TAG = re.compile(r"<(?:/?[a-zA-Z][a-zA-Z0-9:-]*(?:\s[^<>]*|/)?>|!--|!\[CDATA\[|!doctype)", re.IGNORECASE)
_CUT_TAG = re.compile(r"<(?:[a-zA-Z/!][^<>]*)?$")
_ESCAPED_TAG = re.compile(r"&lt;/?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>&]{0,300})?&gt;")
# To the end where it is never closed: the parser would look for that end again at every comment's beginning.
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)(?:\]\]>|\Z)", re.DOTALL | re.IGNORECASE)
# A tag as editors write it, its attributes in quotes. Text whose every < opens one of these needs no parser.
_PLAIN_TAG = re.compile(
    r"<(/[a-zA-Z][a-zA-Z0-9]*|[a-zA-Z][a-zA-Z0-9]*(?:[ \t\n]+[a-zA-Z][a-zA-Z0-9-]*=(?:\"[^\"<>]*\"|'[^'<>]*'))*[ \t\n]*/?)>"
)
_WHITE = re.compile(r"\s+")

_BLOCKS = frozenset(
    ("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt",
     "fieldset", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "nav", "ol", "p",
     "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "title", "tr", "ul")
)  # fmt: skip
_SILENT = frozenset(("script", "style", "template", "noscript", "iframe", "object", "svg"))
_RAW = _SILENT | {"textarea", "title", "xmp", "plaintext", "noembed", "noframes"}
"""Elements in which a parser may take tags for text."""
_LI = "\n• "
_SIGNS = {"br": "\n", "td": " ", "th": " ", **dict.fromkeys(_BLOCKS, "\n"), "li": _LI}
_SIGNS |= {f"/{name}": "\n" for name in (*_BLOCKS, "li")}
"""What a tag leaves in the text; others leave nothing."""


def html_to_text(text: str) -> str:
    """Tags to plain text: paragraphs and breaks to newlines, list items to ``• ``, scripts and styles to nothing."""
    if "&lt;" in text and _ESCAPED_TAG.search(text):
        text = html.unescape(text)  # feeds often escape their HTML once more
    if "<" not in text or not _TAG.search(text):
        return text
    if (parts := _plain(text)) is not None:
        return _lines(parts)
    text = _COMMENT.sub("", _CDATA.sub(r"\1", text))
    parser = _Text()
    parser.feed(_CUT_TAG.sub("", text))  # a cell cut at some length often ends within a tag
    parser.close()
    return _lines(parser.parts)


def _plain(text: str) -> list[str] | None:
    """The parts of a text that has plain tags and nothing else of HTML, as ``_Text`` finds them; else None."""
    pieces = _PLAIN_TAG.split(text)
    parts = []
    for at, piece in enumerate(pieces):
        if at % 2:
            name = piece.split(None, 1)[0].lower().removesuffix("/")
            if name.removeprefix("/") in _RAW:
                return None
            parts.append(_SIGNS.get(name, ""))
        elif "<" in piece:
            return None
        elif piece:
            # Newlines of the source are spaces in HTML; those that mean something come from tags.
            parts.append(_WHITE.sub(" ", html.unescape(piece) if "&" in piece else piece))
    return parts


def _lines(parts: list[str]) -> str:
    lines = (line.strip() for line in "".join(parts).split("\n"))
    return "\n".join(line for line in lines if line and line != "•")


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent.append(tag)
        else:
            self.parts.append(_SIGNS.get(tag, ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _SILENT:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._silent:
            while self._silent and self._silent.pop() != tag:
                pass
        else:
            self.parts.append(_SIGNS.get(f"/{tag}", ""))

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(_WHITE.sub(" ", data))
