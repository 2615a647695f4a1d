"""The page of word lists: what is blocked and allowed, what has such a word, and a look through the products."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import safety as verbs
from annotations.actions.import_problems import in_words
from annotations.models import Job, Product, Role, WordRule
from annotations.queries import safety as questions
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.jobs import shown

TAGS_SHOWN = 100
PERSONAL = {
    "email": lambda: _("e-mail address"), "phone": lambda: _("telephone number"), "card": lambda: _("payment card"),
    "identity": lambda: _("identity number"),
}  # fmt: skip


@never_cache
@require_safe
@catalogue_page(Role.LEAD)
def page(request: MemberRequest) -> HttpResponse:
    catalogue = request.catalogue
    tags = questions.tags_blocked(catalogue)
    scan = questions.last_scan(catalogue)
    context: dict[str, Any] = {
        "tab": "taxonomy", "groups": questions.groups(catalogue), "tags": tags[:TAGS_SHOWN], "more_tags": max(0, len(tags) - TAGS_SHOWN),
        "imported": [(problem, in_words(problem)) for problem in questions.imported(catalogue)], "found": _found(scan),
    }  # fmt: skip
    if scan is not None and (scan.live or scan.state != Job.State.DONE):
        context |= shown(scan, request.user, request.role)
    return render(request, "words.html", context)


def _found(scan: Job | None) -> dict[str, Any] | None:
    """The result of the last look, with the products that its samples name."""
    if scan is None or scan.state != Job.State.DONE:
        return None
    samples = scan.result.get("samples", [])
    products = Product.objects.filter(catalogue=scan.catalogue).in_bulk([pk for pk, _kind, _word in samples])
    return {
        "at": scan.finished_at, "products": scan.result.get("products", 0), "words": scan.result.get("words", [])[:40],
        "personal": [(PERSONAL[kind](), n) for kind, n in scan.result.get("personal", []) if kind in PERSONAL],
        "samples": [
            (products[pk], PERSONAL[word]() if kind == "personal" and word in PERSONAL else word)
            for pk, kind, word in samples if pk in products
        ],
    }  # fmt: skip


@require_POST
@catalogue_page(Role.LEAD)
def add(request: MemberRequest) -> HttpResponse:
    """``words``: one a line. ``kind``: block or allow."""
    words = request.POST.get("words", "").splitlines()
    n = verbs.add_words(catalogue=request.catalogue, user=request.user, kind=request.POST.get("kind", ""), words=words)
    messages.success(request, ngettext("%(n)d word is new.", "%(n)d words are new.", n) % {"n": n})
    return _back(request)


@require_POST
@catalogue_page(Role.LEAD)
def remove(request: MemberRequest) -> HttpResponse:
    """``word``: the keys of rules; or ``group``: a whole starter list."""
    group = request.POST.get("group", "")
    pks = [int(pk) for pk in request.POST.getlist("word") if pk.isdecimal() and len(pk) < 15]
    n = verbs.remove_words(
        catalogue=request.catalogue, user=request.user, pks=pks, group=group if group in WordRule.Group.values else ""
    )
    messages.success(request, ngettext("%(n)d word is gone.", "%(n)d words are gone.", n) % {"n": n})
    return _back(request)


@require_POST
@catalogue_page(Role.LEAD)
def starter(request: MemberRequest) -> HttpResponse:
    n = verbs.take_starter(catalogue=request.catalogue, user=request.user, group=request.POST.get("group", ""))
    messages.success(request, ngettext("%(n)d word is new.", "%(n)d words are new.", n) % {"n": n})
    return _back(request)


@require_POST
@catalogue_page(Role.LEAD)
def scan(request: MemberRequest) -> HttpResponse:
    verbs.request_scan(catalogue=request.catalogue, user=request.user)
    return _back(request)


def _back(request: MemberRequest) -> HttpResponse:
    return redirect("words", request.catalogue.slug)
