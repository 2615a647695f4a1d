"""Searches over plans: start one, watch its trials, stop, pause and resume it, keep what it found as a preset."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import searches as verbs
from annotations.actions.errors import Refused
from annotations.forms.plan import BASES, SPEEDS, PlanForm
from annotations.models import PlanSearch, Role
from annotations.queries import searches as questions
from annotations.queries.training_report import what_there_is
from annotations.views.doors import MemberRequest, catalogue_page

RANGE = re.compile(r"\s*([-+.\deE]+)\s*(?:\.\.|…|–|~)\s*([-+.\deE]+)\s*(?:/\s*(\d+)\s*)?")
LOGARITHMIC = {"learning_rate", "head_learning_rate", "pretrain_learning_rate", "weight_decay"}
METHODS = (
    ("tpe", gettext_lazy("Learns from its trials (TPE)")), ("random", gettext_lazy("At random")), ("grid", gettext_lazy("Every combination")),
)  # fmt: skip
VARIED = (
    ("learning_rate", gettext_lazy("Learning rate"), "0.00002..0.0005", True),
    ("head_learning_rate", gettext_lazy("Learning rate of the tag head"), "0.001..0.02", False),
    ("epochs", gettext_lazy("Epochs"), "4..20", True),
    ("batch_size", gettext_lazy("Batch size"), "8, 16, 32", False),
    ("dropout", gettext_lazy("Dropout"), "0..0.3", False),
    ("label_smoothing", gettext_lazy("Label smoothing"), "0..0.1", False),
    ("freeze", gettext_lazy("Weights left as they are"), "none, embeddings, all but last 2", False),
    ("tuning", gettext_lazy("What is trained of the encoder"), "full, lora", False),
    ("loss", gettext_lazy("What weighs more"), "cross-entropy, focal, asymmetric", False),
)


class SearchForm(forms.Form):
    """What to vary: for each field a tick and either ``low..high`` (``/n`` for n points of a grid) or a list."""

    base = forms.ChoiceField(choices=BASES[:2], initial="packaged-minilm")
    preset = forms.ChoiceField(choices=SPEEDS, initial="quick")
    method = forms.ChoiceField(choices=METHODS, initial="tpe")
    trials = forms.IntegerField(min_value=1, max_value=500, initial=20)
    folds = forms.IntegerField(min_value=1, max_value=10, initial=3)
    seed = forms.IntegerField(min_value=0, max_value=2**31, initial=1)
    prune = forms.BooleanField(required=False, initial=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label, values, on in VARIED:
            self.fields[f"vary-{name}"] = forms.BooleanField(required=False, initial=on, label=label)
            self.fields[f"space-{name}"] = forms.CharField(
                required=False, initial=values, max_length=200, label=_("Values of “%(field)s”") % {"field": label}
            )

    @property
    def varied(self) -> list[tuple[Any, Any]]:
        return [(self[f"vary-{name}"], self[f"space-{name}"]) for name, *_rest in VARIED]

    def asked(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """``(plan, rules)`` as the verb takes them."""
        given = self.cleaned_data
        plan = PlanForm({"base": given["base"], "preset": given["preset"]})
        plan.is_valid()
        space = {
            name: read_values(name, given[f"space-{name}"])
            for name, *_rest in VARIED
            if given[f"vary-{name}"] and given[f"space-{name}"].strip()
        }
        return plan.plan(), {
            "space": space, **{name: given[name] for name in ("method", "trials", "folds", "seed", "prune")}
        }  # fmt: skip


def read_values(name: str, text: str) -> Any:
    """``1e-5..1e-3`` is a range (of logarithms, for rates), ``8, 16`` a list of values."""
    found = RANGE.fullmatch(text)
    if found is not None:
        try:
            low, high = float(found[1]), float(found[2])
        except ValueError:
            raise Refused(
                _("“%(text)s” is neither a range such as 0.1..0.5 nor a list.") % {"text": text}, "space"
            ) from None
        log = name in LOGARITHMIC and low > 0
        return {"low": low, "high": high, **({"log": True} if log else {}), "points": int(found[3] or 4)}
    return [_value(word.strip()) for word in text.replace("，", ",").split(",") if word.strip()]


def _value(word: str) -> Any:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


@require_safe
@never_cache
@catalogue_page()
def searches(request: MemberRequest) -> HttpResponse:
    return _page(request, SearchForm())


def _page(request: MemberRequest, form: SearchForm, status: int = 200) -> HttpResponse:
    context = {
        "tab": "training",
        "rows": questions.search_rows(request.catalogue),
        "presets": list(questions.presets_of(request.catalogue)),
        "facts": what_there_is(request.catalogue),
        "form": form,
    }
    return render(request, "training/searches.html", context, status=status)


@require_POST
@catalogue_page(Role.ADMIN)
def start(request: MemberRequest) -> HttpResponse:
    form = SearchForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        plan, rules = form.asked()
        search = verbs.start_search(catalogue=request.catalogue, user=request.user, plan=plan, rules=rules)
    except Refused as refusal:
        form.add_error(None, refusal.message)
        return _page(request, form, status=refusal.status)
    messages.success(request, _("Search %(n)d is on its way.") % {"n": search.number})
    return _to(request, search.number)


@require_safe
@never_cache
@catalogue_page()
def search(request: MemberRequest, number: int) -> HttpResponse:
    row = questions.search_row(_search(request, number))
    template = "training/_search.html" if getattr(request, "htmx", False) else "training/search.html"
    known = {name: label for name, label, *_rest in VARIED}
    labels = [known.get(name, name) for name in row.names]
    context = {"tab": "training", "row": row, "plot": questions.plot(row), "labels": labels}
    return render(request, template, context)


@require_POST
@catalogue_page(Role.ADMIN)
def act(request: MemberRequest, number: int, what: str) -> HttpResponse:
    """Stop, pause or resume a search."""
    acts = {"cancel": verbs.cancel_search, "pause": verbs.pause_search, "resume": verbs.resume_search}
    if what not in acts:
        raise Http404
    acts[what](search=_search(request, number), user=request.user)
    return _to(request, number)


@require_POST
@catalogue_page(Role.ADMIN)
def keep(request: MemberRequest, number: int, trial: int) -> HttpResponse:
    found = _search(request, number).trials.filter(number=trial).first()  # type: ignore[attr-defined]
    if found is None:
        raise Http404
    found.search.catalogue = request.catalogue
    preset = verbs.keep_trial(trial=found, user=request.user, name=request.POST.get("name", ""))
    messages.success(
        request, _("“%(name)s” is a preset now, to be chosen where training is started.") % {"name": preset.name}
    )
    return _to(request, number)


def _search(request: MemberRequest, number: int) -> PlanSearch:
    found = questions.search_numbered(request.catalogue, number)
    if found is None:
        raise Http404
    found.catalogue = request.catalogue
    return found


def _to(request: MemberRequest, number: int) -> HttpResponseRedirect:
    return redirect("plan_search", request.catalogue.slug, number)  # type: ignore[return-value]
