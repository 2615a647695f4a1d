"""English that was written down, told again in the reader's language.

A worker serves readers of every language and knows none of them, so what it writes down (what a job is doing, why it
failed, what is wrong with a file) is English. Here such a sentence is recognised by the message it was made from and
said again in the language of whoever reads it. What is not recognised stays as it is.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.utils.translation import get_language, to_locale

PLACEHOLDER = re.compile(r"%(?:\((\w+)\))?[0-9.]*[sdf]|%%")
LEAST_LETTERS = 6  # a message with fewer of its own ("%(a)s of %(b)s") would recognise what it never said
DEPTH = 3  # a sentence may hold a sentence: "%(words)s (tried %(times)d times)"


class Template(NamedTuple):
    pattern: re.Pattern[str]
    letters: int
    translation: str


def retell(text: str) -> str:
    """The text in the active language."""
    return _retell(text, get_language() or "en") if text else text


def retell_all(params: Mapping[str, object]) -> dict[str, object]:
    """What fills a sentence, each in the active language."""
    return {name: retell(value) if isinstance(value, str) else value for name, value in params.items()}


def read_mo(path: Path) -> dict[str, str]:
    """msgid to msgstr of a compiled catalogue (GNU gettext manual, "The Format of GNU MO Files"), as they stand there.

    A context comes before its msgid with U+0004 between; plural forms follow one another with NUL between.
    """
    data = path.read_bytes()
    order = "<" if data[:4] == b"\xde\x12\x04\x95" else ">"
    count, ids, texts = struct.unpack_from(f"{order}3I", data, 8)

    def string(table: int, number: int) -> str:
        length, start = struct.unpack_from(f"{order}2I", data, table + 8 * number)
        return data[start : start + length].decode()

    return {string(ids, n): string(texts, n) for n in range(count)}


@lru_cache(maxsize=4096)
def _retell(text: str, language: str, depth: int = DEPTH) -> str:
    whole, templates = _messages(language)
    if translation := whole.get(text):
        return translation
    if depth:
        for template in templates:
            if found := template.pattern.fullmatch(text):
                said = {name: _retell(value, language, depth - 1) for name, value in found.groupdict().items()}
                return _fill(template.translation, said)
    return text


@lru_cache(maxsize=8)
def _messages(language: str) -> tuple[dict[str, str], list[Template]]:
    """Whole sentences with their translation, and templates, those with most letters of their own first."""
    path = Path(settings.LOCALE_PATHS[0]) / to_locale(language) / "LC_MESSAGES" / "django.mo"
    whole: dict[str, str] = {}
    templates: list[Template] = []
    for msgid, translation in read_mo(path).items() if path.is_file() else ():
        if not msgid or "\4" in msgid:
            continue
        for form in msgid.split("\0"):
            if PLACEHOLDER.search(form):
                templates += _template(form, translation.split("\0")[-1])
            else:
                whole[form] = translation.split("\0")[-1]
    return whole, sorted(templates, key=lambda template: -template.letters)


def _template(msgid: str, translation: str) -> list[Template]:
    """One template, or none where the message has too few letters of its own."""
    letters = sum(map(str.isalpha, PLACEHOLDER.sub("", msgid)))
    if letters < LEAST_LETTERS:
        return []
    pattern, end, seen = "", 0, set()
    for match in PLACEHOLDER.finditer(msgid):
        name = match[1] or "only"
        pattern += re.escape(msgid[end : match.start()])
        if match[0] == "%%":
            pattern += "%"
        else:
            pattern += f"(?P={name})" if name in seen else f"(?P<{name}>.+?)"
            seen.add(name)
        end = match.end()
    return [Template(re.compile(pattern + re.escape(msgid[end:]), re.DOTALL), letters, translation)]


def _fill(translation: str, said: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda match: "%" if match[0] == "%%" else said[match[1] or "only"], translation)
