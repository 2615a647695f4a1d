"""A training plan as a form. Its fields are those that the plan itself has (``bridge.plan_fields``), in its sections."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotations.actions.errors import Refused
from annotations.forms.plan_figures import told
from annotations.forms.plan_words import FIELDS, SECTIONS, VALUES
from annotations.retelling import retell

if TYPE_CHECKING:
    from annotations.bridge import PlanField

CATALOGUE, LSTM, NO_TEXT, PATH = "catalogue", "lstm", "none", "path"
BASES = (
    ("packaged-minilm", gettext_lazy("Packaged MiniLM")), (CATALOGUE, gettext_lazy("Pre-trained on this catalogue")),
    (LSTM, gettext_lazy("An LSTM from nothing")), (NO_TEXT, gettext_lazy("Pictures alone")),
    (PATH, gettext_lazy("A checkpoint on the server")),
)  # fmt: skip
PRETRAIN_FIRST = "pretrain-first"
SPEEDS = (
    ("quick", gettext_lazy("Quick")),
    ("thorough", gettext_lazy("Thorough")),
    (PRETRAIN_FIRST, gettext_lazy("Pre-train first")),
)
PRETRAIN_STEPS = {"quick": 600, "thorough": 2000}
# pre-training that goes on from an encoder which knows its language must not undo what it has learnt
ON_WHAT_IS_LEARNT = {"learning_rate": 5e-5, "pretrain_learning_rate": 1e-4, "max_length": 256}
LONGEST = 500  # characters of a path
PLAN_MOST = 100_000  # characters of a plan file


def implied(base: str, preset: str) -> dict[str, Any]:
    """What a base and a preset ask for together that neither says alone."""
    if base == NO_TEXT:  # nothing that is about text
        return {"pictures": "small", "freeze": "none", **({"pretrain_steps": 0} if preset == PRETRAIN_FIRST else {})}
    if preset == PRETRAIN_FIRST:
        return {} if base in (CATALOGUE, LSTM) else dict(ON_WHAT_IS_LEARNT)
    if base == CATALOGUE and preset in PRETRAIN_STEPS:
        # what was just made from nothing has to go on learning
        return {"pretrain_steps": PRETRAIN_STEPS[preset], "freeze": "none"}
    return {"freeze": "none"} if base == LSTM else {}


def plan_fields() -> list[PlanField]:
    """Those that the form has one by one: the base is chosen in words of its own."""
    from annotations import bridge  # loads numpy and more: only where a plan is shown or read

    return [spec for spec in bridge.plan_fields() if spec.name != "base"]


@dataclass(frozen=True, slots=True)
class Section:
    """``changed``: name and value of what differs from what base and preset say; ``wrong``: something is refused."""

    word: str
    title: str
    about: str
    fields: list[forms.BoundField] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    wrong: bool = False


class PlanForm(forms.Form):
    """What to train. Fields left empty take what base and preset say; what does not go together the plan refuses."""

    base = forms.ChoiceField(
        choices=BASES, initial="packaged-minilm", widget=forms.RadioSelect, label=gettext_lazy("Start from")
    )
    path = forms.CharField(required=False, max_length=LONGEST, label=gettext_lazy("Path of the checkpoint"))
    preset = forms.ChoiceField(
        choices=SPEEDS, initial="quick", widget=forms.RadioSelect, label=gettext_lazy("How thoroughly")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.specs = {spec.name: spec for spec in plan_fields()}
        self.unsaid = self._unsaid()
        for name, spec in self.specs.items():
            self.fields[name] = made = _field(spec, self.unsaid[name])
            made.widget.attrs["data-usual"] = str(self.unsaid[name])
            made.known = [(word, "") for word in spec.known]  # type: ignore[attr-defined]

    def offer(self, folders: Sequence[tuple[str, Path]]) -> None:
        """Models to go on from and to learn from, by name and folder, beside what may be typed."""
        bases = [(str(folder / "torch"), title) for title, folder in folders]
        for name, known in (("path", bases), ("teacher", [(str(folder), title) for title, folder in folders])):
            self.fields[name].known = known  # type: ignore[attr-defined]
            if known:
                self.fields[name].widget.attrs["list"] = f"known-{name}"

    def _unsaid(self) -> dict[str, Any]:
        """Every field as base and preset say it."""
        from annotations import bridge

        base, preset = str(self["base"].value() or ""), str(self["preset"].value() or "")
        return {**bridge.plan_without(preset), **implied(base, preset)}

    @classmethod
    def of(cls, plan: Mapping[str, Any]) -> PlanForm:
        """The form that asks for this plan, with what is wrong with it beside the fields; names that no plan has are
        told above. The plan's own refusal of what does not go together is for whoever checks it."""
        from annotations import bridge

        said = {str(name): value for name, value in plan.items()}
        base, preset = str(said.pop("base", BASES[0][0])), str(said.pop("preset", "") or "")
        radio = base if base in dict(BASES) and base != PATH else PATH
        speed = preset or SPEEDS[0][0]
        wanted = {**bridge.plan_without(preset), **said}
        unsaid = {**bridge.plan_without(speed), **implied(radio, speed)}
        data = {"base": radio, "path": base if radio == PATH else "", "preset": speed}
        known = {spec.name for spec in plan_fields()}
        form = cls({**data, **{n: _text(v) for n, v in wanted.items() if n in known and v != unsaid[n]}})
        for name in sorted(set(said) - known):
            form.add_error(None, _("“%(name)s” is not a field of a plan.") % {"name": name[:80]})
        return form

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("base") == PATH and not given.get("path", "").strip():
            self.add_error("path", _("Say where the checkpoint lies on the server."))
        return given

    def plan(self) -> dict[str, Any]:
        """The plan as the trainer reads it: a preset with changes."""
        given = self.cleaned_data
        base = given["path"].strip() if given["base"] == PATH else given["base"]
        changes = {n: given[n] for n in self.specs if given.get(n) not in (None, "") and given[n] != self.unsaid[n]}
        return {"preset": given["preset"], "base": base, **implied(given["base"], given["preset"]), **changes}

    def refuse(self, refusal: Refused) -> None:
        """Say a verb's refusal beside the fields that it is about, which need not be named there once more."""
        names = [name for name in refusal.details.get("fields", ()) if name in self.fields]
        said = retell(refusal.message.partition(": ")[2]) if names else refusal.message
        for name in names or [None]:
            self.add_error(name, said)

    def sections(self) -> list[Section]:
        found = {word: Section(word, str(title), str(about)) for word, (title, about) in SECTIONS.items()}
        wrong = set(self.errors) if self.is_bound else set()
        for name, spec in self.specs.items():
            part = found.setdefault(spec.section, Section(spec.section, spec.section, ""))
            part.fields.append(self[name])
            value = getattr(self, "cleaned_data", {}).get(name, self[name].value())
            if value not in (None, "") and str(value) != str(self.unsaid[name]):
                part.changed.append((str(self.fields[name].label), str(VALUES.get(str(value), value))))
        return [
            Section(part.word, part.title, part.about, part.fields, part.changed, any(f.name in wrong for f in part.fields))
            for part in found.values()
        ]  # fmt: skip

    @property
    def says_more(self) -> bool:
        """Whether something in the sections differs from what base and preset say, or is refused."""
        return any(part.changed or part.wrong for part in self.sections())

    def problems(self) -> list[tuple[forms.BoundField | None, list[str]]]:
        """All that is wrong, field by field; None for what is about no field."""
        return [
            (None if name == "__all__" else self[name], [str(m) for m in messages])
            for name, messages in self.errors.items()
        ]


def _text(value: Any) -> str:
    """A value of a JSON file as a form sends it; what is no text or number stays wrong."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, int | float) and not isinstance(value, bool) else repr(value)[:80]


def _field(spec: PlanField, unsaid: Any) -> forms.Field:
    label = FIELDS.get(spec.name, (spec.name, ""))[0]
    said: dict[str, Any] = {"required": False, "label": label, "help_text": told(spec.name)}
    if spec.choices:
        usual = _("as it is: %(value)s") % {"value": VALUES.get(str(unsaid), unsaid)}
        return forms.ChoiceField(choices=[("", usual), *((c, VALUES.get(c, c)) for c in spec.choices)], **said)
    hint = {"placeholder": str(unsaid), "autocomplete": "off"}
    if isinstance(spec.default, str):
        listed = {"list": f"known-{spec.name}"} if spec.known else {}
        return forms.CharField(
            max_length=LONGEST, widget=forms.TextInput(attrs={**hint, **listed, "spellcheck": "false"}), **said
        )
    if isinstance(spec.default, int):
        low, high = (None if at is None else int(at) for at in (spec.low, spec.high))
        return forms.IntegerField(min_value=low, max_value=high, widget=forms.NumberInput(attrs=hint), **said)
    return forms.FloatField(min_value=spec.low, max_value=spec.high, widget=forms.NumberInput(attrs=hint), **said)


def read_plan(text: str) -> dict[str, Any]:
    """A plan file's object. Raises Refused where it is none."""
    try:
        plan = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(_("This is not JSON: %(error)s") % {"error": str(error)[:200]}, "plan_file") from None
    if not isinstance(plan, dict):
        raise Refused(_("A plan file holds one JSON object of fields."), "plan_file")
    return plan
