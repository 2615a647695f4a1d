"""The products that stand against a rule of the taxonomy, with what each breaks; and the taxonomy itself as SKOS."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from annotations.actions.errors import Refused
from annotations.formats import skos as skos_format
from annotations.formats.rows import FileRefused
from annotations.queries import rules
from annotations.queries.skos import skos_facets
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.review import number

PAGE = 50
WORDS = {
    "several": lambda: _("Two values where there is one"),
    "alone": lambda: _("Beside a tag that stands alone"),
    "not_with": lambda: _("Two that are not allowed together"),
    "parent": lambda: _("Without the tag that is implied"),
    "category": lambda: _("Outside its categories"),
    "required": lambda: _("A required value is missing"),
}


@require_safe
@catalogue_page()
def broken_rules(request: MemberRequest) -> HttpResponse:
    """By kind of rule, a page at a time; ``?rule=`` narrows to one kind."""
    code = request.GET.get("rule", "")
    code = code if code in rules.CODES else ""
    found = rules.against(request.catalogue, code)
    if after := number(request.GET.get("after"), 0):
        found = found.filter(pk__gt=after)
    page = list(found[: PAGE + 1])
    counted = rules.counts(request.catalogue)
    context = {
        "tab": "taxonomy",
        "code": code,
        "kinds": [(name, WORDS[name](), n) for name, n in counted.items()],
        "any": any(counted.values()),
        "rows": rules.explained(request.catalogue, page[:PAGE]),
        "after": page[PAGE - 1].pk if len(page) > PAGE else None,
    }
    return render(request, "taxonomy/rules.html", context)


@require_safe
@catalogue_page()
def skos(request: MemberRequest, form: str) -> HttpResponse:
    """The whole taxonomy as a file: ``form`` turtle, xml or json-ld."""
    if form not in skos_format.FORMATS:
        raise Http404
    slug = request.catalogue.slug
    try:
        data = skos_format.write_skos(
            skos_facets(request.catalogue), base=f"urn:tagstudio:catalogue:{slug}:", form=form
        )
    except FileRefused:
        raise Refused(_("SKOS needs the package rdflib, which is not installed here."), "needs_package") from None
    answer = HttpResponse(data, content_type=f"{skos_format.MEDIA_TYPES[form]}; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{slug}-taxonomy.{skos_format.FORMATS[form]}"'
    return answer
