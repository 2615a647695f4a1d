"""Deciding on relations between tags that the decisions speak for."""

from __future__ import annotations

from django.utils.translation import gettext as _

from annotations.actions import jobs
from annotations.actions.errors import NotFound, Refused
from annotations.actions.proposals import decline_proposal
from annotations.actions.taxonomy import edit_tag, move_tag
from annotations.models import Catalogue, Job, User
from annotations.queries import relations as questions
from annotations.queries.relations import RelationProposal


def request_look(*, catalogue: Catalogue, user: User) -> Job:
    key = f"{questions.KIND}:{catalogue.pk}"
    return jobs.enqueue(kind=questions.KIND, queue="ml", catalogue=catalogue, user=user, coalesce_key=key)


def _found(catalogue: Catalogue, key: str) -> RelationProposal:
    found = questions.relation_named(catalogue, key)
    if found is None:
        raise NotFound(_("This relation is no longer proposed."), "gone")
    return found


def accept_relation(*, catalogue: Catalogue, key: str, user: User) -> RelationProposal:
    """Make it a rule of the taxonomy: a revision like any other, which can be undone."""
    proposal = _found(catalogue, key)
    first, second = proposal.first, proposal.second
    if proposal.kind == questions.CATEGORY:
        edit_tag(tag=first, user=user, categories=list(proposal.categories))
    elif second is not None and proposal.kind == questions.EXCLUDES:
        edit_tag(tag=first, user=user, not_with=[*first.not_with.all(), second])
    elif second is not None and proposal.kind == questions.IMPLIES:
        move_tag(tag=first, parent=second, user=user)
    else:
        raise Refused(_("There is nothing to accept: the taxonomy has no such rule."), "kind")
    return proposal


def decline_relation(*, catalogue: Catalogue, key: str, user: User) -> RelationProposal:
    """It is not proposed again."""
    proposal = _found(catalogue, key)
    decline_proposal(catalogue=catalogue, kind="relation", text=proposal.text, tag=proposal.first, user=user)
    return proposal
