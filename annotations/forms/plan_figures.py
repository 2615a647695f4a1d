"""What was measured of a plan's options, as a sentence beside its field.

The figures stand in ``plan_figures.json``, each a row of a table of ``benchmarks/README.md``; a test holds the two
together, so that neither can change alone. The words around them are here, so that new figures need no translation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from annotations.forms.plan_words import FIELDS, VALUES

FILE = Path(__file__).with_name("plan_figures.json")

# fmt: off
DATA: dict[str, str | Promise] = {
    "yanxuan_zh, 110 decided": gettext_lazy("Chinese household goods, 110 decided"),
    "yanxuan_zh, 8 a tag": gettext_lazy("Chinese household goods, 8 examples a tag"),
    "magento_luma_en, 8 a tag": gettext_lazy("English fashion, 8 examples a tag"),
    "magento_luma_en, 90 decided": gettext_lazy("English fashion, 90 decided"),
    "magento_luma_en, 150 decided": gettext_lazy("English fashion, 150 decided"),
    "magento_luma_en: color": gettext_lazy("English fashion, colours alone"),
    "magento_luma_en: all": gettext_lazy("English fashion, all facets"),
    "magento_luma_en": gettext_lazy("English fashion"),
    "sample_zh, 110 decided": gettext_lazy("the Chinese sample, 110 decided"),
    "sample_zh, 20 tags added: old facets": gettext_lazy("the Chinese sample with 20 new tags, old facets"),
    "sample_zh, 20 tags added: new facets": gettext_lazy("the Chinese sample with 20 new tags, the new facets"),
    "OA-Mine, no checkpoint": gettext_lazy("values in English titles, no checkpoint"),
    "OA-Mine, MiniLM": gettext_lazy("values in English titles, MiniLM"),
}
"""What the tables call the data to what people call it."""

AGAINST: dict[str, str | Promise] = {
    "plain": "",
    "text alone": "",
    "instant tier": gettext_lazy("against the instant model"),
    "fine-tuned": gettext_lazy("against fine-tuning alone"),
    "tag head": gettext_lazy("against the tag head"),
    "free": gettext_lazy("against writing freely"),
    "greedy": gettext_lazy("against the likeliest word each time"),
    "teacher": gettext_lazy("against the teacher"),
    "concatenation": gettext_lazy("against side by side"),
    "CRF and dictionary": gettext_lazy("against whole sequences and the dictionary alone"),
    "100 % read again": gettext_lazy("against reading all of them again"),
}
"""What the option is compared with; nothing is said of the plan without it."""

MORE: dict[str, str | Promise] = {
    "dictionary": gettext_lazy("with the dictionary too"),
    "taught": gettext_lazy("taught by a teacher"),
    "not taught": gettext_lazy("without a teacher"),
    "weights": gettext_lazy("the mean of their weights"),
    "scores": gettext_lazy("the mean of their scores"),
    "rates 0.1 and 1": gettext_lazy("at rates of 0.1 and 1"),
    "heads and neurons": gettext_lazy("heads and neurons alike"),
}
"""What goes with the value measured."""
# fmt: on


@dataclass(frozen=True)
class Figure:
    """A gain in points, as its row of a table has it.

    field, value: of the plan; section, what, data, against: where the row is found, in the words of its table
    low, high:    of the 95 % interval; None with a single seed (or fold)
    times:        as fast as what it is compared with; more: what else the value goes with (a key of MORE)
    """

    field: str
    value: str | float
    section: str
    what: str
    data: str
    against: str
    gain: float
    low: float | None
    high: float | None
    seeds: int
    times: float | None = None
    more: str = ""

    @property
    def verdict(self) -> str:
        """Whether the interval leaves a doubt."""
        if self.low is None or self.high is None:
            return _("one seed, so nothing is certain")
        if self.low > 0:
            return _("a gain")
        return _("a loss") if self.high < 0 else _("no difference shown")

    def __str__(self) -> str:
        words = {"data": DATA[self.data], "verdict": self.verdict, "gain": f"{self.gain:+.1f}"}
        if self.low is None or self.high is None:
            said = _("%(gain)s points on %(data)s") % words
        else:
            words |= {"low": f"{self.low:.1f}", "high": f"{self.high:.1f}"}
            said = _("%(gain)s points (%(low)s to %(high)s) on %(data)s") % words
        tail = [str(AGAINST[self.against])] if AGAINST[self.against] else []
        tail += [_("%(n)s times as fast") % {"n": f"{self.times:.1f}"}] if self.times else []
        return pgettext("between parts of a sentence", ", ").join([said, *tail, self.verdict])


@lru_cache(maxsize=1)
def figures() -> tuple[Figure, ...]:
    """All of them, in the order of the file."""
    rows: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return tuple(Figure(**row) for row in rows)


def told(name: str) -> str:
    """A field's sentence, and after it what was measured, option by option, in the active language."""
    options: dict[str, list[str]] = {}
    for figure in figures():
        if figure.field == name:
            option = str(VALUES.get(str(figure.value), figure.value))
            if figure.more:
                option = pgettext("between parts of a sentence", ", ").join([option, str(MORE[figure.more])])
            options.setdefault(option, []).append(str(figure))
    about = str(FIELDS.get(name, ("", ""))[1])
    between = pgettext("between figures", "; ")
    parts = [_("%(option)s: %(figures)s.") % {"option": o, "figures": between.join(f)} for o, f in options.items()]
    return " ".join([about, _("Measured:"), *parts]) if parts else about
