"""The form of the language model's page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotations.models import LanguageModel


class LanguageModelForm(forms.Form):
    """The stored key is never put into the page: an empty field keeps it."""

    endpoint = forms.CharField(
        label=_("Endpoint"), max_length=300,
        help_text=_("What comes before /chat/completions, such as https://api.example.com/v1"),
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    name = forms.CharField(label=_("Model"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))  # fmt: skip
    key = forms.CharField(
        label=_("Key"), required=False, max_length=1000,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
    )  # fmt: skip
    price_in = forms.FloatField(label=_("Price of a million tokens sent"), min_value=0, max_value=1e6)
    price_out = forms.FloatField(label=_("Price of a million tokens answered"), min_value=0, max_value=1e6)
    currency = forms.RegexField(label=_("Currency"), regex=r"^[A-Za-z]{3}$", error_messages={"invalid": _("Three letters, such as EUR.")})  # fmt: skip
    budget = forms.FloatField(
        label=_("Budget of a calendar month"), required=False, min_value=0, max_value=1e9,
        help_text=_("A run ends before it could cost more. Empty: no limit."),
    )  # fmt: skip
    shots = forms.IntegerField(label=_("Approved products shown as examples"), min_value=0, max_value=20)
    at_once = forms.IntegerField(label=_("Questions at once"), min_value=1, max_value=16)
    seconds = forms.IntegerField(label=_("Seconds to wait for an answer"), min_value=1, max_value=600)
    answer_tokens = forms.IntegerField(label=_("Tokens of an answer, at most"), min_value=16, max_value=8192)

    FINER = ("shots", "at_once", "seconds", "answer_tokens")

    def terms(self) -> list[forms.BoundField]:
        """What everybody has to say."""
        return [field for field in self if field.name not in self.FINER]

    def finer(self) -> list[forms.BoundField]:
        """What is right for most as it is."""
        return [self[name] for name in self.FINER]

    def finer_wrong(self) -> bool:
        return any(name in self.errors for name in self.FINER)

    @classmethod
    def showing(cls, model: LanguageModel | None) -> LanguageModelForm:
        model = model or LanguageModel()
        form = cls(initial={name: _plain(getattr(model, name)) for name in cls.base_fields if name != "key"})
        form.say_key(model)
        return form

    def say_key(self, model: LanguageModel | None) -> None:
        kept = bool(model and model.sealed_key)
        self.fields["key"].help_text = (
            _("One is stored and not shown. Leave this empty to keep it; with another host it has to be given anew.")
            if kept
            else _("Kept encrypted and never shown again. Empty for servers that want none.")
        )

    def given(self) -> dict[str, Any]:
        """For the verb: an empty key is one that is kept."""
        found = dict(self.cleaned_data)
        found["currency"] = found["currency"].upper()
        found["key"] = found["key"].strip() or None
        return found


def _plain(value: Any) -> Any:
    return f"{value:.10g}" if isinstance(value, float) else value
