"""Looking for what a catalogue proposes for its taxonomy, and deciding on it: a new tag, another word for one, or not
wanted, which can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit, jobs
from annotations.actions.errors import Refused
from annotations.actions.naming import clean_label, language_of, readable
from annotations.actions.tags import add_tag, edit_tag
from annotations.models import Catalogue, DeclinedProposal, Event, Facet, FoundProposals, Job, Tag, User
from annotations.queries.proposals import Known, digest_of, mine
from annotations.queries.taxonomy import Names


def request_look(*, catalogue: Catalogue, user: User | None) -> Job:
    """A job that looks through the catalogue; one that waits already comes back instead of a second."""
    return jobs.enqueue(
        kind="proposals", queue="io", catalogue=catalogue, user=user, coalesce_key=f"proposals:{catalogue.pk}"
    )


def look(
    *,
    catalogue: Catalogue,
    fence: Callable[[], object] = lambda: None,
    tell: Callable[[int, int], object] = lambda n, of: None,
) -> FoundProposals:
    """Look now and keep what was found in the place of what the last look found."""
    mined = mine(catalogue, Known(catalogue), tell, lambda products: _read(catalogue, products))
    with transaction.atomic():
        fence()
        kept, _made = FoundProposals.objects.update_or_create(
            catalogue=catalogue,
            defaults={
                "found": [one.to_json() for one in mined.found], "products": mined.products, "looked_at": timezone.now(),
            },
        )  # fmt: skip
    return kept


def _read(catalogue: Catalogue, products: list[int]) -> Iterable[tuple[int, str, str]]:
    """What the promoted model reads in their texts."""
    if catalogue.encoder_id is None:
        return ()
    from annotations import bridge  # loads numpy and more: only where a model is there to be asked

    return bridge.open_values(catalogue, products)


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
            catalogue=catalogue,
            digest=digest,
            defaults={"text": text, "user": user, "kind": kind, "facet": facet, "tag": tag},
        )
        if made:
            data = {"what": "proposal declined", "kind": kind, "facet": facet.slug if facet else ""}
            audit.record(word=Event.TAXONOMY_CHANGED, catalogue=catalogue, user=user, target=text, data=data)
    return declined


def take_back_decline(*, declined: DeclinedProposal, user: User) -> None:
    """It may be proposed again: at once where the last look found it. Taken back twice it is taken back once."""
    with transaction.atomic():
        if DeclinedProposal.objects.filter(pk=declined.pk).delete()[0]:
            data = {
                "what": "decline taken back", "kind": declined.kind, "facet": declined.facet.slug if declined.facet else "",
            }  # fmt: skip
            audit.record(
                word=Event.TAXONOMY_CHANGED, catalogue=declined.catalogue, user=user, target=declined.text, data=data
            )
