"""What people fill in about themselves, their tokens and their catalogues."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from annotations.actions.people import TOKEN_DAYS
from annotations.models import ApiToken, Role

SCOPE_LABELS = {
    "review": _("review: fetch products and decide on tags"),
    "export": _("export: read the feed and fetch exports"),
    "import": _("import: products, taxonomy and settings"),
    "train": _("train: training runs and models"),
}
DAYS = [(30, _("30 days")), (90, _("90 days")), (TOKEN_DAYS, _("1 year"))]


class SignIn(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}),
    )  # fmt: skip
    password = forms.CharField(
        label=_("Password"), max_length=1000, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )  # fmt: skip


def _code(label: Any, **attrs: Any) -> forms.CharField:
    given = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false", **attrs}
    return forms.CharField(label=label, max_length=100, widget=forms.TextInput(attrs=given))


class SignInCode(forms.Form):
    code = _code(_("Code"), autofocus=True)


class Again(forms.Form):
    """The password once more, or, for who has none, a code."""

    again = forms.CharField(
        label=_("Password"), max_length=1000, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )  # fmt: skip

    def __init__(self, *args: Any, has_password: bool = True, **more: Any) -> None:
        super().__init__(*args, **more)
        if not has_password:
            self.fields["again"] = _code(_("Code"))


class NewPassword(forms.Form):
    old = forms.CharField(
        label=_("Password now"), max_length=1000, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )  # fmt: skip
    new = forms.CharField(
        label=_("New password"), max_length=1000, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), help_text=_("At least 10 characters."),
    )  # fmt: skip
    again = forms.CharField(
        label=_("New password again"), max_length=1000, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("new") and given.get("again") and given["new"] != given["again"]:
            self.add_error("again", _("The two are not the same."))
        return given


class NewToken(forms.Form):
    name = forms.CharField(label=_("What it is for"), max_length=100, required=False)
    scopes = forms.MultipleChoiceField(
        label=_("It may"), choices=[(scope, SCOPE_LABELS[scope]) for scope in ApiToken.SCOPES],
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    days = forms.TypedChoiceField(label=_("It lives"), choices=DAYS, coerce=int, initial=90)


class NewMember(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"})
    )
    email = forms.EmailField(
        label=_("E-mail address"), required=False,
        help_text=_("By which they are known when they come through the company's sign-in; they get no password then."),
    )  # fmt: skip
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.REVIEWER)

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if not settings.OIDC_ISSUER:
            del self.fields["email"]


class MemberRole(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


class CatalogueSettings(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=200)
    languages = forms.CharField(
        label=_("Languages"), max_length=200, help_text=_("Codes with commas between, the main one first: en, zh-hans")
    )
    blind_percent = forms.IntegerField(
        label=_("Served blind, in percent"), min_value=0, max_value=100,
        help_text=_("Share of products shown without suggestions, for honest measurement."),
    )  # fmt: skip
    lease_minutes = forms.IntegerField(
        label=_("A product is held for, in minutes"), min_value=1, max_value=1440,
        help_text=_("Nobody else is given it in that time."),
    )  # fmt: skip

    def settings(self) -> dict[str, Any]:
        given = self.cleaned_data
        return {
            "name": given["name"],
            "languages": given["languages"].split(","),
            "blind_share": given["blind_percent"] / 100,
            "lease_minutes": given["lease_minutes"],
        }


class NewCatalogue(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=200, widget=forms.TextInput(attrs={"autofocus": True}))
    slug = forms.SlugField(label=_("Name in addresses"), max_length=60, help_text=_("Letters, digits and hyphens."))
    languages = forms.CharField(
        label=_("Languages"), max_length=200, initial=", ".join(code for code, _name in settings.LANGUAGES),
        help_text=_("Codes with commas between, the main one first: en, zh-hans"),
    )  # fmt: skip
