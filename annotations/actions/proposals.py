"""Deciding on what the catalogue proposes for its taxonomy: a new tag, another word for one, or not wanted."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from annotations.actions import audit
from annotations.actions.errors import Refused
from annotations.actions.tag_plans import language_of, readable
from annotations.actions.taxonomy import add_tag, clean_label, edit_tag
from annotations.models import Catalogue, DeclinedProposal, Event, Facet, Tag, User
from annotations.queries.proposals import digest_of
from annotations.queries.taxonomy import Names


def accept_as_tag(*, facet: Facet, text: str, user: User) -> Tag:
    """A new tag at the end of its facet, in the language that the words are in. Refused as ``add_tag`` refuses."""
    label = readable(clean_label(text))
    return add_tag(facet=facet, labels={language_of(label, facet.catalogue): label}, user=user)


def accept_as_synonym(*, tag: Tag, text: str, user: User) -> Tag:
    """Another word for the tag. Refused where a tag of its facet has the word already."""
    text = clean_label(text)
    catalogue = tag.facet.catalogue
    if known := Names.of(catalogue, tag.facet).tag(tag.facet, text):
        said = {"name": text, "tag": known.label}
        raise Refused(_("“%(name)s” is a name of “%(tag)s” already") % said, "exists", tag=known.slug)
    language = language_of(text, catalogue)
    return edit_tag(tag=tag, user=user, synonyms={**tag.synonyms, language: [*tag.synonyms.get(language, []), text]})


def decline_proposal(
    *, catalogue: Catalogue, kind: str, text: str, user: User, facet: Facet | None = None, tag: Tag | None = None
) -> DeclinedProposal:
    """It is not proposed again. Declined twice it is declined once."""
    text = clean_label(text)
    with transaction.atomic():
        digest = digest_of(kind, text, facet=facet, tag=tag)
        declined, made = DeclinedProposal.objects.get_or_create(
            catalogue=catalogue, digest=digest, defaults={"text": text, "user": user}
        )
        if made:
            data = {"what": "proposal declined", "kind": kind, "facet": facet.slug if facet else ""}
            audit.record(word=Event.TAXONOMY_CHANGED, catalogue=catalogue, user=user, target=text, data=data)
    return declined
