"""A search over plans as a form: every field of a plan that a search can vary, in the plan's own sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotations.actions.errors import Refused
from annotations.forms.plan import BASES, LONGEST, SPEEDS, PlanForm
from annotations.forms.plan_figures import told
from annotations.forms.plan_words import FIELDS, SECTIONS
from annotations.retelling import retell

METHODS = (
    ("tpe", gettext_lazy("Learns from its trials (TPE)")), ("random", gettext_lazy("At random")), ("grid", gettext_lazy("Every combination")),
)  # fmt: skip
TICKED = ("learning_rate", "epochs")  # to begin with: what hardly any two catalogues agree on
SPACE_LENGTH = 200  # characters of one field's values


@dataclass(frozen=True, slots=True)
class Varied:
    """A field that may be varied: its tick, its values as text, and what a plan's form says of it."""

    name: str
    tick: forms.BoundField
    values: forms.BoundField
    about: str


@dataclass(frozen=True, slots=True)
class VariedPart:
    """The fields of one of the plan's sections. ``open``: one of them is ticked or refused."""

    word: str
    title: str
    fields: list[Varied] = field(default_factory=list)

    @property
    def ticked(self) -> list[str]:
        return [str(one.tick.label) for one in self.fields if one.tick.value()]

    @property
    def open(self) -> bool:
        return bool(self.ticked) or any(one.values.errors for one in self.fields)


class SearchForm(forms.Form):
    """What to vary: for each field a tick and either ``low..high`` (``/n`` for n points of a grid) or a list.

    presets: name and plan of those kept for the catalogue, by key; one of them may be what is varied.
    """

    base = forms.ChoiceField(choices=BASES, initial="packaged-minilm")
    path = forms.CharField(required=False, max_length=LONGEST)
    preset = forms.ChoiceField(choices=SPEEDS, initial="quick")
    kept = forms.ChoiceField(required=False)
    method = forms.ChoiceField(choices=METHODS, initial="tpe")
    trials = forms.IntegerField(min_value=1, max_value=500, initial=20)
    folds = forms.IntegerField(min_value=1, max_value=10, initial=3)
    seed = forms.IntegerField(min_value=0, max_value=2**31, initial=1)
    prune = forms.BooleanField(required=False, initial=True)

    def __init__(self, *args: Any, presets: Sequence[Any] = (), **kwargs: Any) -> None:
        from annotations import bridge  # loads numpy and more: only where a search is shown or read

        super().__init__(*args, **kwargs)
        self.presets = {str(preset.pk): preset for preset in presets}
        kept: Any = self.fields["kept"]
        kept.choices = [("", "–"), *((key, preset.name) for key, preset in self.presets.items())]
        self.offered = [spec for spec in bridge.search_fields() if spec.usual is not None]
        for spec in self.offered:
            label: Any = FIELDS.get(spec.name, (spec.name, ""))[0]
            self.fields[f"vary-{spec.name}"] = forms.BooleanField(
                required=False, initial=spec.name in TICKED, label=label
            )
            self.fields[f"space-{spec.name}"] = forms.CharField(
                required=False, initial=spec.written, max_length=SPACE_LENGTH,
                label=_("Values of “%(field)s”") % {"field": label},
            )  # fmt: skip

    @property
    def parts(self) -> list[VariedPart]:
        found = {word: VariedPart(word, str(title)) for word, (title, _about) in SECTIONS.items()}
        for spec in self.offered:
            one = Varied(spec.name, self[f"vary-{spec.name}"], self[f"space-{spec.name}"], told(spec.name))
            found.setdefault(spec.section, VariedPart(spec.section, spec.section)).fields.append(one)
        return [part for part in found.values() if part.fields]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("base") == "path" and not given.get("kept") and not given.get("path", "").strip():
            self.add_error("path", _("Say where the checkpoint lies on the server."))
        return given

    def asked(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """``(plan, rules)`` as the verb takes them."""
        given = self.cleaned_data
        space = {
            spec.name: read_values(spec.name, given[f"space-{spec.name}"])
            for spec in self.offered
            if given[f"vary-{spec.name}"] and given[f"space-{spec.name}"].strip()
        }
        rules = {name: given[name] for name in ("method", "trials", "folds", "seed", "prune")}
        return self._plan(), {"space": space, **rules}

    def _plan(self) -> dict[str, Any]:
        given = self.cleaned_data
        if given["kept"]:
            return dict(self.presets[given["kept"]].plan)
        plan = PlanForm({name: given[name] for name in ("base", "path", "preset")})
        plan.is_valid()
        return plan.plan()

    def refuse(self, refusal: Refused) -> None:
        """Say the verb's refusal beside the field whose values it is about."""
        place, said = f"space-{refusal.details.get('field', '')}", refusal.message.removeprefix("space: ")
        if place not in self.fields:
            self.add_error(None, retell(said))
            return
        first, colon, rest = said.partition(": ")  # a plan's own refusal begins with the field that it is about
        self.add_error(place, retell(rest if colon and first in FIELDS else said))


def read_values(name: str, text: str) -> Any:
    """``1e-5..1e-3`` is a range (of logarithms, for rates), ``8, 16`` a list of values."""
    from annotations import bridge

    try:
        return bridge.read_space(name, text)
    except ValueError:
        raise Refused(
            _("“%(text)s” is neither a range such as 0.1..0.5 nor a list.") % {"text": text}, "space", field=name
        ) from None
