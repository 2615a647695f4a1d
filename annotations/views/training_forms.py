"""What the training page takes beside plans: gates and schedules. Units are those that people use."""

from __future__ import annotations

from typing import Any

from django import forms

from annotations.forms.plan import BASES, SPEEDS, PlanForm
from annotations.queries.gate import Gate


class GateForm(forms.Form):
    """The gate, in the units people use: points of 100 and milliseconds."""

    on = forms.BooleanField(required=False)
    margin = forms.FloatField(min_value=0, max_value=100)
    facet_drop = forms.FloatField(min_value=0, max_value=100)
    latency_ms = forms.FloatField(min_value=1, max_value=60_000)
    blind_families = forms.IntegerField(min_value=1, max_value=1_000_000)

    def gate(self) -> Gate:
        given = self.cleaned_data
        shares = {name: given[name] / 100 for name in ("margin", "facet_drop")}
        return Gate(on=given["on"], latency_ms=given["latency_ms"], blind_families=given["blind_families"], **shares)


class ScheduleForm(forms.Form):
    """When to train by itself; both empty is never."""

    preset = forms.ChoiceField(choices=SPEEDS)
    base = forms.ChoiceField(choices=BASES[:2])
    after_decisions = forms.IntegerField(required=False, min_value=1, max_value=10_000_000)
    weekday = forms.TypedChoiceField(
        required=False, choices=[("", ""), *((str(n), n) for n in range(7))], coerce=int, empty_value=None
    )
    hour = forms.IntegerField(min_value=0, max_value=23)

    def when(self) -> dict[str, Any]:
        given = self.cleaned_data
        plan = PlanForm({"base": given["base"], "preset": given["preset"]})
        plan.is_valid()
        return {"plan": plan.plan(), **{name: given[name] for name in ("after_decisions", "weekday", "hour")}}
