"""What a catalogue has cleaned: its steps, its shared texts, the rows set aside, and the families proposed."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from annotations.formats.cleaning import EXAMPLES, NAMES, SHARED, Cleaning
from annotations.models import Boilerplate, Catalogue

LABELS = {
    "mojibake": (_("Mend wrong characters"), _("Text that was read in the wrong encoding, where that is certain.")),
    "control": (_("Drop control characters"), _("Characters that no text has on purpose.")),
    "html": (_("HTML to text"), _("Tags become lines and bullets; scripts and styles go.")),
    "entities": (_("Resolve entities"), _("Also where they were escaped twice.")),
    "zero-width": (_("Drop zero-width characters"), _("Soft hyphens and invisible spaces that split words.")),
    "compatibility": (_("Fold odd letters"), _("Full-width letters and digits, ligatures, odd spaces; accents composed.")),
    "space": (_("Tidy spaces"), _("One space at a time, at most one empty line.")),
    "value-entities": (_("Resolve entities in attributes of JSON"), _("Their values are names of another program and stay as they came, unless you want them resolved.")),
    "boilerplate": (_("Drop shared texts"), _("Lines that many products of one supplier have, once you accepted them.")),
    "blank": (_("Set blank rows aside"), _("No title, description, attributes or pictures.")),
    "placeholder": (_("Set placeholder rows aside"), _("A title like “test 3” or “111” and nothing else.")),
    "header": (_("Set repeated headings aside"), _("The header row once more in the middle of a file.")),
    "sheet_error": (_("Set spreadsheet errors aside"), _("#REF! and the like where the title should be.")),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that cleaning does, whether it is on, and what it does to an example."""

    name: str
    label: str
    help: str
    on: bool
    before: str = ""
    after: str = ""


def steps_of(catalogue: Catalogue) -> list[Step]:
    """In the order in which they are taken."""
    return [
        Step(name, str(LABELS[name][0]), str(LABELS[name][1]), name not in catalogue.cleaning_off, *EXAMPLES.get(name, ("", "")))
        for name in NAMES
    ]  # fmt: skip


def cleaning_of(catalogue: Catalogue) -> Cleaning:
    """What an import into the catalogue cleans and checks. At most one query."""
    off = set(catalogue.cleaning_off)
    return Cleaning.without(off, {} if SHARED in off else accepted_lines(catalogue))


def accepted_lines(catalogue: Catalogue) -> dict[str, set[str]]:
    """Shared texts that were accepted, by supplier."""
    found: dict[str, set[str]] = {}
    accepted = Boilerplate.objects.filter(catalogue=catalogue, state=Boilerplate.State.ACCEPTED)
    for supplier, text in accepted.values_list("supplier", "text"):
        found.setdefault(supplier, set()).add(text)
    return found


def aside_counts(catalogue: Catalogue) -> dict[str, int]:
    """Products set aside, by reason. Reads an index of those alone."""
    rows = catalogue.products.exclude(set_aside="").exclude(archived_at=None)  # type: ignore[attr-defined]
    return dict(rows.values_list("set_aside").annotate(n=Count("pk")).order_by("set_aside"))
