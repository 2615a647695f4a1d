"""The words of the interface: every one is in the catalogue, translated, whole, and compiled."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.translation.template import templatize

from annotations.retelling import read_mo

FOLDER = Path(settings.LOCALE_PATHS[0]) / "zh_Hans" / "LC_MESSAGES"
SOURCES = ("annotations", "templates", "tagstudio")
KEYWORDS = ("gettext", "gettext_lazy", "gettext_noop", "ngettext:1,2", "ngettext_lazy:1,2", "pgettext:1c,2", "pgettext_lazy:1c,2", "npgettext:1c,2,3", "_")  # fmt: skip
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[0-9.]*[sdf]|%%|(?<!\{)\{\w+\}")
# words that are the same in both languages: names, formats, units
SAME = {"API", "SKU"}


@dataclass
class Entry:
    """One message of a .po file; ``text`` has the forms of the translation, one where there is no plural."""

    msgid: str = ""
    plural: str = ""
    context: str | None = None
    text: list[str] = field(default_factory=list)
    flags: str = ""

    @property
    def key(self) -> str:
        """As the compiled catalogue names it."""
        forms = f"{self.msgid}\0{self.plural}" if self.plural else self.msgid
        return forms if self.context is None else f"{self.context}\4{forms}"


def read_po(text: str) -> list[Entry]:
    """Every entry of a .po file, its header first; obsolete ones (#~) are not read."""
    entries = []
    for block in text.strip().split("\n\n"):
        entry, parts, word = Entry(), {}, ""
        for line in block.splitlines():
            if line.startswith("#,"):
                entry.flags += line[2:]
            if line.startswith("#"):
                continue
            if not line.startswith('"'):
                word = line.split(" ", 1)[0]
            parts[word] = parts.get(word, "") + ast.literal_eval(line[line.index('"') :])
        if parts:
            entry.msgid, entry.plural, entry.context = (
                parts["msgid"],
                parts.get("msgid_plural", ""),
                parts.get("msgctxt"),
            )
            entry.text = [parts[word] for word in sorted(parts) if word.startswith("msgstr")]
            entries.append(entry)
    return entries


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return read_po((FOLDER / "django.po").read_text(encoding="utf-8"))


def test_reads_what_po_files_hold():
    text = '# x\nmsgid ""\nmsgstr "A: b\\n"\n\n#: f.py\n#, fuzzy, c-format\nmsgctxt "c"\nmsgid "a %(n)s"\nmsgid_plural "b "\n"%(n)s"\nmsgstr[0] "d\\"e"\n'
    header, entry = read_po(text)
    assert header.text == ["A: b\n"]
    assert (entry.key, entry.text, "fuzzy" in entry.flags) == ("c\4a %(n)s\0b %(n)s", ['d"e'], True)


def test_every_message_is_translated(entries):
    words = entries[1:]
    assert len(words) > 800
    assert [e.msgid for e in words if "fuzzy" in e.flags or not e.text or not all(e.text)] == []
    assert [e.msgid for e in words if e.text[0] == e.msgid and e.msgid not in SAME] == []


def test_chinese_has_one_plural_form(entries):
    assert "Plural-Forms: nplurals=1; plural=0;" in entries[0].text[0]
    assert [e.msgid for e in entries[1:] if len(e.text) != 1] == []


def test_placeholders_are_those_of_the_source(entries):
    wrong = []
    for entry in entries[1:]:
        forms = [sorted(PLACEHOLDER.findall(form)) for form in (entry.msgid, entry.plural) if form]
        # the singular may do without its number ("See the changed answer"), never name what the plural does not have
        if sorted(PLACEHOLDER.findall(entry.text[0])) != forms[-1] or not set(forms[0]) <= set(forms[-1]):
            wrong.append(entry.msgid)
    assert wrong == []


def test_ends_and_lines_are_those_of_the_source(entries):
    """A space at an end joins sentences; a line break is layout."""
    assert [e.msgid for e in entries[1:] if e.msgid.startswith(" ") and not e.text[0].startswith(" ")] == []
    assert [e.msgid for e in entries[1:] if e.msgid.count("\n") != e.text[0].count("\n")] == []


def test_compiled_catalogue_is_up_to_date(entries):
    compiled = read_mo(FOLDER / "django.mo")
    compiled.pop("")
    assert compiled == {e.key: "\0".join(e.text) for e in entries[1:]}, "run `make messages`"


def test_no_message_of_the_sources_is_missing(entries, tmp_path):
    """xgettext reads what the code and the templates say now; templates as Django makes them readable for it."""
    if shutil.which("xgettext") is None:
        pytest.skip("xgettext (GNU gettext) is not installed")
    root = Path(settings.BASE_DIR)
    found: list[str] = []
    for source in (path for name in SOURCES for path in sorted((root / name).rglob("*"))):
        if source.suffix == ".py":
            found.append(str(source))
        elif source.suffix == ".html":
            copy = tmp_path / "-".join(source.relative_to(root).with_suffix(".py").parts)
            copy.write_text(templatize(source.read_text(encoding="utf-8"), origin=str(source)), encoding="utf-8")
            found.append(str(copy))
    (tmp_path / "files").write_text("\n".join(found))
    said = subprocess.run(
        ["xgettext", "--language=Python", "--from-code=UTF-8", "--no-wrap", "-o", "-", "-k",
         *(f"--keyword={word}" for word in KEYWORDS), "-f", str(tmp_path / "files")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    wanted = {e.key for e in read_po(said.stdout)[1:]}
    assert len(wanted) > 800
    assert wanted - {e.key for e in entries} == set(), "run `make messages` and translate what is new"
    assert {e.key for e in entries[1:]} - wanted == set(), "run `make messages`: these are no longer said"
