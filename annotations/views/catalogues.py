"""A new catalogue, its settings, and its members."""

from __future__ import annotations

from typing import cast

from django.conf import settings as django_settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotations.actions import catalogues, people, second_step
from annotations.actions.errors import Forbidden, Refused
from annotations.forms.accounts import CatalogueSettings, MemberRole, NewCatalogue, NewMember
from annotations.models import Catalogue, Role, User
from annotations.queries.cleaning import steps_of
from annotations.queries.people import may_create_catalogues, members_of, user_named
from annotations.queries.second_step import may_reset, who_has_it_on
from annotations.views.doors import MemberRequest, catalogue_page, refused, signed_in

READ_OR_SEND = ["GET", "HEAD", "POST"]


@require_http_methods(READ_OR_SEND)
@signed_in
def new(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    if not may_create_catalogues(user):
        return refused(request, Forbidden(_("Only an admin of some catalogue may make another."), "role"))
    form = NewCatalogue(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            made = catalogues.create_catalogue(
                slug=given["slug"], name=given["name"], languages=given["languages"].split(","), user=user
            )
        except Refused as refusal:
            form.add_error("slug" if refusal.code == "catalogue_exists" else None, refusal.message)
        else:
            return redirect("catalogue_settings", made.slug)
    return render(request, "catalogues/new.html", {"form": form}, status=422 if request.method == "POST" else 200)


@never_cache
@require_http_methods(READ_OR_SEND)
@catalogue_page(Role.ADMIN)
def settings(request: MemberRequest) -> HttpResponse:
    """The form of the settings; below it the members, whose forms have doors of their own."""
    catalogue = request.catalogue
    form = CatalogueSettings(request.POST or None, initial=_initial(catalogue))
    if request.method == "POST" and form.is_valid():
        try:
            catalogues.change_settings(catalogue=catalogue, user=request.user, **form.settings())
        except Refused as refusal:
            form.add_error("languages" if refusal.code == "language" else None, refusal.message)
        else:
            messages.success(request, _("The settings are saved."))
            return redirect("catalogue_settings", catalogue.slug)
    return _page(request, settings_form=form)


@never_cache
@require_POST
@catalogue_page(Role.ADMIN)
def add_member(request: MemberRequest) -> HttpResponse:
    """Somebody who has an account, by name, or somebody new, whose password is shown once in the answer."""
    form = NewMember(request.POST, auto_id="member_%s")
    if not form.is_valid():
        return _page(request, member_form=form)
    name, role, catalogue = form.cleaned_data["name"], form.cleaned_data["role"], request.catalogue
    known = user_named(name)
    try:
        if known is not None:
            if any(member.user_id == known.pk for member in members_of(catalogue)):
                raise Refused(_("%(name)s is a member already") % {"name": known.username}, "member")
            people.set_role(user=known, catalogue=catalogue, role=role, by=request.user)
            messages.success(request, _("%(name)s is a member now.") % {"name": known.username})
            return redirect("catalogue_settings", catalogue.slug)
        # an account that waits for somebody from the provider has no password that whoever made it would know
        email = form.cleaned_data.get("email", "")
        password = people.random_password() if django_settings.PASSWORD_SIGN_IN and not email else None
        made = people.create_user(
            username=name, password=password, catalogue=catalogue, role=role, by=request.user, email=email
        )
    except Refused as refusal:
        form.add_error("email" if refusal.code == "email_exists" else "name", refusal.message)
        return _page(request, member_form=form)
    return _page(request, made=made, password=password or "")


@require_POST
@catalogue_page(Role.ADMIN)
def change_member(request: MemberRequest, pk: int) -> HttpResponse:
    form = MemberRole(request.POST)
    if not form.is_valid():
        raise Refused(_("there is no such role"), "role")
    user = _member(request.catalogue, pk)
    people.set_role(user=user, catalogue=request.catalogue, role=form.cleaned_data["role"], by=request.user)
    messages.success(
        request, _("%(name)s has a new role; their sessions and tokens have ended.") % {"name": user.username}
    )
    return redirect("catalogue_settings", request.catalogue.slug)


@require_POST
@catalogue_page(Role.ADMIN)
def remove_member(request: MemberRequest, pk: int) -> HttpResponse:
    user = _member(request.catalogue, pk)
    people.remove_member(user=user, catalogue=request.catalogue, by=request.user)
    messages.success(request, _("%(name)s is no member any more.") % {"name": user.username})
    return redirect("home" if user.pk == request.user.pk else "catalogue_settings", *(
        [] if user.pk == request.user.pk else [request.catalogue.slug]
    ))  # fmt: skip


@require_POST
@catalogue_page(Role.ADMIN)
def reset_second_step(request: MemberRequest, pk: int) -> HttpResponse:
    """For somebody who lost the phone. Only who administers all their catalogues, since it weakens their way in."""
    user = _member(request.catalogue, pk)
    if not may_reset(request.user, user):
        raise Forbidden(
            _("%(name)s has rights beyond your catalogues: whoever runs this installation can reset it (manage.py reset_second_step).")
            % {"name": user.username}, "other_catalogues",
        )  # fmt: skip
    second_step.reset(user=user, by=request.user)
    messages.success(
        request, _("The one-time codes of %(name)s are reset, and their sessions have ended.") % {"name": user.username}
    )
    return redirect("catalogue_settings", request.catalogue.slug)


def _member(catalogue: Catalogue, pk: int) -> User:
    found = next((member.user for member in members_of(catalogue) if member.user_id == pk), None)
    if found is None:
        raise Http404
    return found


def _initial(catalogue: Catalogue) -> dict[str, object]:
    return {
        "name": catalogue.name,
        "languages": ", ".join(catalogue.languages),
        "blind_percent": round(100 * catalogue.blind_share),
        "lease_minutes": catalogue.lease_minutes,
    }


def _page(
    request: MemberRequest,
    *,
    settings_form: CatalogueSettings | None = None,
    member_form: NewMember | None = None,
    made: User | None = None,
    password: str = "",
) -> HttpResponse:
    wrong = any(form is not None and form.errors for form in (settings_form, member_form))
    members = members_of(request.catalogue)
    context = {
        "form": settings_form or CatalogueSettings(initial=_initial(request.catalogue)),
        "member_form": member_form or NewMember(auto_id="member_%s"),
        "members": members,
        "with_codes": who_has_it_on(member.user for member in members),
        "company": django_settings.OIDC_NAME if django_settings.OIDC_ISSUER else "",
        "roles": Role.choices,
        "made": made,
        "password": password,
        "steps_on": sum(step.on for step in steps_of(request.catalogue)),
    }
    return render(request, "catalogues/settings.html", context, status=422 if wrong else 200)
