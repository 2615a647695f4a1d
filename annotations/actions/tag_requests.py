"""Values that reviewers missed: asked for, and answered by the taxonomy's owner. Only where a facet is open, or counts
something, do they become tags at once, and then its owner hears of it."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit, new_values
from annotations.actions.errors import Refused
from annotations.actions.naming import clean_label
from annotations.actions.tags import add_tag, edit_tag
from annotations.models import Event, Facet, Product, Tag, TagRequest, User
from annotations.queries.taxonomy import Names, key_of


def request_tag(*, facet: Facet, text: str, user: User, product: Product | None = None) -> TagRequest:
    """A value that somebody missed. Asked for twice it waits once. Refused when the facet has the value already.

    A facet that takes new values answers at once with the ``tag`` that the value is now. One that it was before
    already comes as an answer that is not stored, since nobody has to hear of it. Refused where it can't be read.
    """
    text = clean_label(text)
    with transaction.atomic():
        if facet.takes_new_values:
            text = new_values.checked(facet, text)
            new_values.take_values(catalogue=facet.catalogue, values=[(facet, text, product)], user=user)
        known = Names.of(facet.catalogue, facet).tag(facet, text)
        if known and facet.takes_new_values:
            heard = TagRequest.objects.filter(facet=facet, tag=known, text=text).order_by("-pk").first()
            return heard or TagRequest(facet=facet, product=product, text=text, tag=known, user=user)
        if known:
            raise Refused(
                _("“%(name)s” is there already: “%(tag)s”") % {"name": text, "tag": known.label},
                "exists",
                tag=known.slug,
            )
        for waiting in TagRequest.objects.filter(facet=facet, resolved_at=None):
            if key_of(waiting.text) == key_of(text):
                return waiting
        request = TagRequest.objects.create(facet=facet, product=product, text=text, user=user)
        audit.record(
            word=Event.TAG_REQUESTED, catalogue=facet.catalogue, user=user, target=text, data={"facet": facet.slug}
        )
    return request


def grant_request(*, request: TagRequest, user: User, label: str = "") -> Tag:
    """The value becomes a tag, in the owner's spelling where one is given."""
    with transaction.atomic():
        _resolve(request, TagRequest.Answer.GRANTED)
        language = request.facet.catalogue.language
        return _names(request, add_tag(facet=request.facet, labels={language: label or request.text}, user=user))


def take_as_synonym(*, request: TagRequest, tag: Tag, user: User) -> Tag:
    """The value is another word for a tag that is there."""
    if tag.facet_id != request.facet_id:
        raise Refused(_("this tag belongs to another facet"), "facet")
    with transaction.atomic():
        _resolve(request, TagRequest.Answer.SYNONYM)
        language = request.facet.catalogue.language
        words = {**tag.synonyms, language: [*tag.synonyms.get(language, []), request.text]}
        return _names(request, edit_tag(tag=tag, user=user, synonyms=words))


def decline_request(*, request: TagRequest, user: User) -> None:
    with transaction.atomic():
        _resolve(request, TagRequest.Answer.DECLINED)
        audit.record(
            word=Event.TAXONOMY_CHANGED,
            catalogue=request.facet.catalogue,
            user=user,
            target=request.text,
            data={"what": "request declined", "facet": request.facet.slug},
        )


def _resolve(request: TagRequest, answer: TagRequest.Answer) -> None:
    """Once: who comes second is told so."""
    waiting = TagRequest.objects.filter(pk=request.pk, resolved_at=None)
    if not waiting.update(resolved_at=timezone.now(), answer=answer):
        raise Refused(_("this request has been answered already"), "answered")


def _names(request: TagRequest, tag: Tag) -> Tag:
    """The answered request leads to its tag."""
    request.tag = tag
    request.save(update_fields=["tag"])
    return tag
