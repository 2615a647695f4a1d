"""Numbers as people read them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotations.queries.training_report import Measure

register = template.Library()


@register.filter
def duration(seconds: float | None) -> str:
    """About how long: "40 s", "12 min", "3 h 20 min"."""
    if seconds is None:
        return ""
    whole = round(max(0.0, float(seconds)))
    if whole < 90:
        return _("%(n)d s") % {"n": whole}
    minutes = round(whole / 60)
    if minutes < 90:
        return _("%(n)d min") % {"n": minutes}
    return _("%(h)d h %(m)d min") % {"h": minutes // 60, "m": minutes % 60}


@register.filter
def pace(steps_per_second: float) -> str:
    """ "12.5 steps/s", or the other way round where that is easier to grasp: "8 s a step"."""
    if steps_per_second >= 1:
        return _("%(rate).1f steps/s") % {"rate": steps_per_second}
    return _("%(time)s a step") % {"time": duration(1 / steps_per_second)} if steps_per_second > 0 else ""


@register.filter
def ago(moment: datetime | None) -> str:
    if moment is None:
        return ""
    seconds = (timezone.now() - moment).total_seconds()
    if seconds < 60:
        return _("just now")
    if seconds < 86400:
        return _("%(time)s ago") % {"time": duration(seconds)}
    days = int(seconds // 86400)
    return ngettext("%(n)d day ago", "%(n)d days ago", days) % {"n": days}


@register.filter
def percent(measure: Measure | float | str | None) -> str:
    """A share as a percentage with one decimal, without the sign; a dash where there is none."""
    value = measure.value if isinstance(measure, Measure) else measure
    return f"{100 * value:.1f}" if isinstance(value, int | float) else "–"


@register.filter
def interval(measure: Measure | None) -> str:
    return f"{100 * measure.low:.1f}–{100 * measure.high:.1f}" if measure else ""


@register.filter
def difference(measure: Measure | None) -> str:
    """A difference of shares in points, with its sign and its interval: "+5.7 (3.1 to 8.4)"."""
    if measure is None:
        return "–"
    low, high = (f"{100 * v:.1f}".replace("-", "−") for v in (measure.low, measure.high))
    value = f"{100 * measure.value:+.1f}".replace("-", "−")
    return _("%(value)s (%(low)s to %(high)s)") % {"value": value, "low": low, "high": high}


@register.filter
def get(mapping: dict[str, Any], key: str) -> Any:
    """A value by a name that only the page's data knows; None where it is not there."""
    return mapping.get(key)


@register.filter
def generated_word(name: str) -> str:
    """What a measure of generated text is of: "title: ROUGE-L"."""
    kinds = {
        "tags": _("tags"), "title": _("title"), "selling_points": _("selling points"), "keywords": _("keywords"),
    }  # fmt: skip
    measures = {
        "micro_f1": "F1", "micro_precision": _("precision"), "micro_recall": _("recall"),
        "unknown": _("words that name no tag"), "bleu": "BLEU", "rouge_1": "ROUGE-1", "rouge_2": "ROUGE-2",
        "rouge_l": "ROUGE-L", "exact": _("equal to the text"),
    }  # fmt: skip
    for kind, word in kinds.items():
        if measure := measures.get(name.removeprefix(f"{kind}_")):
            return f"{word}: {measure}"
    return name
