"""Comments on products, and the mentions that lead to them."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from annotations.access import member_or_404
from annotations.actions import comments as verbs
from annotations.models import Mention, QueueItem, Role, User
from annotations.views.doors import MemberRequest, catalogue_page, signed_in, wants_json
from annotations.views.review import back_to_queue
from annotations.views.review_forms import item_of


@require_POST
@catalogue_page(Role.REVIEWER)
def comment(request: MemberRequest) -> HttpResponse:
    """Say something about a product; whoever is named with @ finds it on their first page."""
    product = item_of(request, request.POST.get("product", "")).product
    made = verbs.add_comment(product=product, text=request.POST.get("comment", ""), user=request.user)
    if wants_json(request):
        return JsonResponse({"message": _("Comment saved."), "comment": made.pk})
    messages.success(request, _("Comment saved."))
    return back_to_queue(request, product=product.pk)


@require_POST
@signed_in
def mention(request: HttpRequest, pk: int) -> HttpResponse:
    """Read it, and go to the product it is about: to review it, or to look at it where one may not."""
    user = cast(User, request.user)
    found = Mention.objects.select_related("comment__catalogue").filter(pk=pk, user=user).first()
    if found is None:
        raise Http404
    membership = member_or_404(user, found.comment.catalogue.slug)
    product, slug = found.comment.product_id, found.comment.catalogue.slug
    reviews = Role(membership.role).rank >= Role.REVIEWER.rank
    item = QueueItem.objects.select_related("lease_owner").filter(product=product).first()
    if reviews and item and item.leased and item.lease_owner_id != user.pk:
        messages.info(request, _("%(name)s is looking at this product") % {"name": item.lease_owner})
        return HttpResponseRedirect(reverse("home"))
    verbs.see(mention=found)
    if reviews:
        return HttpResponseRedirect(f"{reverse('review', args=[slug])}?product={product}")
    return HttpResponseRedirect(reverse("product", args=[slug, product]))
