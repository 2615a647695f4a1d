"""Forms of the lead's pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

QUEUES = {"blind": "blind", "flagged": "flagged", "second-opinion": "second_opinion"}


class PanelSettings(forms.Form):
    reviewers = forms.IntegerField(
        label=_("Reviewers per product"), min_value=1, max_value=9,
        help_text=_("Each decides without seeing the others; what they agree on stands, where they differ a lead settles."),
    )  # fmt: skip
    blind = forms.IntegerField(label=_("… of products served blind, at least"), min_value=1, max_value=9)
    flagged = forms.IntegerField(label=_("… of flagged products, at least"), min_value=1, max_value=9)
    second_opinion = forms.IntegerField(
        label=_("… where somebody wanted a second opinion, at least"), min_value=1, max_value=9
    )
    gold_percent = forms.IntegerField(
        label=_("Products with a known answer, in percent of those served"), min_value=0, max_value=50,
        help_text=_("Mark such products on their own page. Answers to them count for nothing but the reviewer’s score."),
    )  # fmt: skip
    gold_threshold = forms.IntegerField(
        label=_("Show a reviewer to the leads below, in percent of right answers"), min_value=0, max_value=100
    )
    absent_hours = forms.IntegerField(
        label=_("What is assigned is open to all after, in hours without a decision"), min_value=1, max_value=2000
    )

    def settings(self) -> dict[str, Any]:
        given = self.cleaned_data
        return {
            "reviewers": given["reviewers"],
            "reviewers_by_queue": {queue: given[name] for queue, name in QUEUES.items() if given[name] > 1},
            "gold_share": given["gold_percent"] / 100,
            "gold_threshold": given["gold_threshold"] / 100,
            "absent_hours": given["absent_hours"],
        }


class NewRule(forms.Form):
    reviewer = forms.IntegerField()
    category = forms.CharField(max_length=500, required=False)
    percent = forms.IntegerField(min_value=1, max_value=100)
