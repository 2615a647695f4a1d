"""Who may come in. Every door asks here, and nowhere else."""

from __future__ import annotations

from django.http import Http404
from django.utils.translation import gettext as _

from annotations.actions.errors import Forbidden
from annotations.models import Membership, Role, User


def member_or_404(user: User, slug: str, least: Role = Role.VIEWER) -> Membership:
    """The user's membership of the catalogue, with ``catalogue`` loaded.

    A stranger gets 404, since that the catalogue exists is none of their business; a member below the role gets 403.
    """
    membership = Membership.objects.select_related("catalogue").filter(user=user.pk, catalogue__slug=slug).first()
    if membership is None or not user.is_active:
        raise Http404
    if Role(membership.role).rank < least.rank:
        raise Forbidden(_("this needs the role “%(role)s”") % {"role": least.label}, "role", needs=least.value)
    return membership
